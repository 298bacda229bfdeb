import { deepEqual } from '#machinery/codec/deep.ts';
import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import { isCidr, isValidLabelValue } from '#machinery/validation/names.ts';
import { NODES } from '../../../generated/resources.ts';
import type { Node, NodeSpec, Taint } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../../validation/basics.ts';
import { taintEffects } from '../pod/validation/tolerations.ts';
import { nodeColumns } from './columns.ts';

const specPath = new FieldPath('spec');

export const nodes = defineKind(NODES, {
  strategy: {
    // The kubelet may register with a status; both an update and a create keep what the client sends of it.
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    applyDefaults: defaultNode,
    validate: (node) => validateNode(node),
    validateUpdate,
  },
  columns: nodeColumns,
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec.unschedulable ?? false) },
});

function defaultNode(node: Node): void {
  const status = node.status;
  if (status?.capacity !== undefined && status.allocatable === undefined) status.allocatable = { ...status.capacity };
}

function validateNode(node: Node): FieldError[] {
  const errors: FieldErrors = [];
  checkTaints(node.spec.taints, specPath.child('taints'), errors);
  checkPodCidrs(node.spec, errors);
  return errors;
}

function checkTaints(taints: readonly Taint[] | undefined, path: FieldPath, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [index, taint] of (taints ?? []).entries()) {
    const at = path.index(index);
    errors.push(...validateLabelName(taint.key ?? '', at.child('key')));
    const messages = isValidLabelValue(taint.value ?? '');
    if (messages.length > 0) errors.push(invalidValue(at.child('value'), taint.value, messages.join(';')));
    if ((taint.effect ?? '') === '') errors.push(required(at.child('effect'), ''));
    else if (!taintEffects.some((known) => known === taint.effect)) {
      errors.push(notSupported(at.child('effect'), taint.effect, taintEffects));
    }
    const key = `${taint.effect}/${taint.key}`;
    if (seen.has(key)) errors.push(duplicateValue(at, taint));
    seen.add(key);
  }
}

function checkPodCidrs(spec: NodeSpec, errors: FieldErrors): void {
  const path = specPath.child('podCIDRs');
  const cidrs = spec.podCIDRs ?? (spec.podCIDR === undefined ? [] : [spec.podCIDR]);
  for (const [index, cidr] of cidrs.entries()) checkMessages(isCidr(cidr), cidr, path.index(index), errors);
  if (cidrs.length > 2) {
    errors.push(invalidValue(path, cidrs, 'may specify no more than one CIDR for each IP family'));
  }
}

/** Of a node's spec only its taints, its schedulability and, once, its addresses and provider may change. */
function validateUpdate(next: Node, current: Node): FieldError[] {
  const errors = validateNode(next);
  const currentCidrs = current.spec.podCIDRs ?? [];
  if (currentCidrs.length > 0 && !deepEqual(next.spec.podCIDRs, currentCidrs)) {
    errors.push(
      forbiddenValue(specPath.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid'),
    );
  }
  const providerId = current.spec.providerID ?? '';
  if (providerId !== '' && next.spec.providerID !== providerId) {
    const detail = 'node updates may not change providerID except from "" to valid';
    errors.push(forbiddenValue(specPath.child('providerID'), detail));
  }
  return errors;
}
