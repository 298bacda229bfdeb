import { CLEANUP_FINALIZER, DELETION_IN_PROGRESS, withCondition } from './conditions.ts';
import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { createdAtColumn, nameColumn } from '../../columns/common.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../generated/resources.ts';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkOneOf, checkRequired, type FieldErrors } from '../../validation/basics.ts';

const specPath = new FieldPath('spec');

export const customResourceDefinitions = defineKind(CUSTOM_RESOURCE_DEFINITIONS, {
  strategy: {
    hasGeneration: true,
    applyDefaults,
    prepareForCreate(next) {
      const stored = next.spec.versions.filter((version) => version.storage).map((version) => version.name);
      next.status = { acceptedNames: { kind: '', plural: '' }, conditions: [], storedVersions: stored };
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
      // A version that is stored from now on is remembered: objects of it will be there.
      const storage = next.spec.versions.find((version) => version.storage)?.name;
      const status = next.status;
      if (status === undefined || storage === undefined) return;
      const stored = status.storedVersions ?? [];
      if (!stored.includes(storage)) status.storedVersions = [...stored, storage];
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    prepareForDeletion(object, nowMs) {
      // Safe: the storage calls this with objects of this kind only.
      const crd = object as CustomResourceDefinition;
      const finalizers = crd.metadata.finalizers ?? [];
      if (!finalizers.includes(CLEANUP_FINALIZER)) crd.metadata.finalizers = [...finalizers, CLEANUP_FINALIZER];
      const conditions = withCondition(crd.status?.conditions ?? [], DELETION_IN_PROGRESS, nowMs);
      crd.status = { ...crd.status, conditions };
    },
    validate,
    validateUpdate: (next) => validate(next),
  },
  columns: [nameColumn, createdAtColumn],
});

function applyDefaults({ spec }: CustomResourceDefinition): void {
  const { names } = spec;
  spec.versions ??= [];
  if ((names.singular ?? '') === '') names.singular = (names.kind ?? '').toLowerCase();
  if ((names.listKind ?? '') === '' && (names.kind ?? '') !== '') names.listKind = `${names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}

function validate(definition: CustomResourceDefinition): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = definition;
  const name = `${spec.names.plural ?? ''}.${spec.group ?? ''}`;
  if (definition.metadata.name !== name) {
    errors.push(
      invalidValue(
        new FieldPath('metadata.name'),
        definition.metadata.name,
        'must be spec.names.plural+"."+spec.group',
      ),
    );
  }
  checkRequired(spec.group, specPath.child('group'), errors);
  checkOneOf(spec.scope, ['Cluster', 'Namespaced'], specPath.child('scope'), errors);
  const versionsPath = specPath.child('versions');
  if (spec.versions.filter((version) => version.storage).length !== 1) {
    errors.push(invalidValue(versionsPath, spec.versions, 'must have exactly one version marked as storage version'));
  }
  for (const [index, version] of spec.versions.entries()) {
    if (version.schema?.openAPIV3Schema === undefined) {
      const at = versionsPath.index(index).child('schema', 'openAPIV3Schema');
      errors.push(required(at, 'schemas are required'));
    }
  }
  checkRequired(spec.names.plural, specPath.child('names', 'plural'), errors);
  checkRequired(spec.names.kind, specPath.child('names', 'kind'), errors);
  return errors;
}
