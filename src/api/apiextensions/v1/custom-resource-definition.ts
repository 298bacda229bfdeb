import { CLEANUP_FINALIZER, DELETION_IN_PROGRESS, withCondition } from './conditions.ts';
import { createdAtColumn, nameColumn } from '../../columns/common.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../generated/resources.ts';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { decodeNestedSchemas } from './nested-schemas.ts';
import { statusErrors, validateDefinition } from './validation/definition.ts';
import { definitionWarnings } from './validation/warnings.ts';

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
    allowUnconditionalUpdate: false,
    validate: (next) => validateDefinition(next),
    validateUpdate: (next, current) => validateDefinition(next, current),
    validateStatusUpdate: (next) => statusErrors(next),
    warnings: definitionWarnings,
  },
  columns: [nameColumn, createdAtColumn],
});

function applyDefaults({ spec }: CustomResourceDefinition): void {
  const { names } = spec;
  spec.versions ??= [];
  for (const version of spec.versions) {
    version.name ??= '';
    version.served ??= false;
    version.storage ??= false;
    decodeNestedSchemas(version.schema?.openAPIV3Schema);
  }
  if ((names.singular ?? '') === '') names.singular = (names.kind ?? '').toLowerCase();
  if ((names.listKind ?? '') === '' && (names.kind ?? '') !== '') names.listKind = `${names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}
