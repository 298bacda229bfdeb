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
import { parseCidr } from '#machinery/validation/addresses.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import { isValidLabelValue } from '#machinery/validation/names.ts';
import type { Node, NodeSpec, NodeStatus, Taint } from '../../../generated/types.ts';
import { checkMessages, type FieldErrors, withDetail } from '../../../validation/basics.ts';
import { legacyCidrMessages } from '../../../validation/ip.ts';
import { checkQuantity } from '../pod/validation/resources.ts';
import { taintEffects } from '../pod/validation/tolerations.ts';
import { checkConfigSource } from './config-source.ts';

const specPath = new FieldPath('spec');
const statusPath = new FieldPath('status');
/** Upstream reports taints as if they were metadata. */
const taintsPath = new FieldPath('metadata').child('taints');
const cidrsPath = specPath.child('podCIDRs');

export function validateNode({ spec, status }: Node, current?: Node): FieldError[] {
  const errors: FieldErrors = [];
  checkTaints(spec.taints, errors);
  if (status !== undefined) checkResources(status, errors);
  checkPodCidrs(spec.podCIDRs ?? [], current?.spec.podCIDRs ?? [], errors);
  return errors;
}

/** Of a node's spec only taints and schedulability may change; its ranges and provider may be said once. */
export function validateNodeUpdate(next: Node, current: Node): FieldError[] {
  return [...validateNode(next, current), ...specChanges(next.spec, current.spec), ...updateErrors(next)];
}

export function validateNodeStatus(next: Node): FieldError[] {
  const errors: FieldErrors = [];
  if (next.status !== undefined) checkResources(next.status, errors);
  return [...errors, ...updateErrors(next)];
}

function checkTaints(taints: readonly Taint[] | undefined, errors: FieldErrors): void {
  if (taints === undefined) return;
  const seen = new Set<string>();
  for (const [index, taint] of taints.entries()) {
    const { key = '', value = '', effect = '', timeAdded = null } = taint as Partial<Taint>; // Safe: wider.
    const at = taintsPath.index(index);
    errors.push(...validateLabelName(key, at.child('key')));
    const messages = isValidLabelValue(value);
    if (messages.length > 0) errors.push(invalidValue(at.child('value'), value, messages.join(';')));
    if (effect === '') errors.push(required(at.child('effect'), ''));
    else if (!taintEffects.some((known) => known === effect)) {
      errors.push(notSupported(at.child('effect'), effect, taintEffects));
    }
    const both = `${effect}/${key}`;
    if (seen.has(both)) {
      const internal = { Key: key, Value: value, Effect: effect, TimeAdded: timeAdded };
      errors.push(withDetail(duplicateValue(at, internal), 'taints must be unique by key and effect pair'));
    }
    seen.add(both);
  }
}

function checkResources(status: NodeStatus, errors: FieldErrors): void {
  for (const field of ['capacity', 'allocatable'] as const) {
    const list = status[field];
    for (const name in list) checkQuantity(name, list[name] ?? '0', statusPath.child(field, name), errors);
  }
}

function checkPodCidrs(cidrs: readonly string[], known: readonly string[], errors: FieldErrors): void {
  for (const [index, cidr] of cidrs.entries()) {
    if (!known.includes(cidr)) checkMessages(legacyCidrMessages(cidr), cidr, cidrsPath.index(index), errors);
  }
  if (cidrs.length < 2) return;
  const families = new Set(cidrs.map((cidr) => parseCidr(cidr)?.family));
  if (families.size !== 2 || families.has(undefined) || cidrs.length > 2) {
    errors.push(invalidValue(cidrsPath, cidrs, 'may specify no more than one CIDR for each IP family'));
  }
  for (const [index, cidr] of cidrs.entries()) {
    if (cidrs.indexOf(cidr) < index) errors.push(duplicateValue(cidrsPath.index(index), cidr));
  }
}

function specChanges(next: NodeSpec, current: NodeSpec): FieldError[] {
  const errors: FieldErrors = [];
  const before = current.podCIDRs ?? [];
  if (before.length > 0 && !deepEqual(next.podCIDRs, before)) {
    errors.push(forbiddenValue(cidrsPath, 'node updates may not change podCIDR except from "" to valid'));
  }
  const providerId = current.providerID ?? '';
  if (providerId !== '' && next.providerID !== providerId) {
    const detail = 'node updates may not change providerID except from "" to valid';
    errors.push(forbiddenValue(specPath.child('providerID'), detail));
  }
  if ((next.externalID ?? '') !== (current.externalID ?? '')) {
    errors.push(forbiddenValue(specPath.child('externalID'), 'may not be updated'));
  }
  return errors;
}

/** What only updates of either kind look at. */
function updateErrors({ spec, status }: Node): FieldError[] {
  const errors: FieldErrors = [];
  const seen = new Set<string>();
  for (const [index, { type, address }] of (status?.addresses ?? []).entries()) {
    const both = `${type}/${address}`;
    if (seen.has(both)) {
      const at = statusPath.child('addresses').index(index);
      errors.push(duplicateValue(at, { Type: type, Address: address }));
    }
    seen.add(both);
  }
  if (spec.configSource !== undefined) {
    checkConfigSource(spec.configSource, specPath.child('configSource'), { ofStatus: false, errors });
  }
  for (const field of ['assigned', 'active', 'lastKnownGood'] as const) {
    const source = status?.config?.[field];
    const path = statusPath.child('config', field);
    if (source !== undefined) checkConfigSource(source, path, { ofStatus: true, errors });
  }
  return errors;
}
