import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { NAMESPACES } from '../../generated/resources.ts';
import type { Namespace } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { labelName } from '../../validation/name-rules.ts';

/** Keeps a namespace until its objects are gone. */
const NAMESPACE_FINALIZER = 'kubernetes';
const standardFinalizers = [NAMESPACE_FINALIZER, 'orphan', 'foregroundDeletion'];
const finalizersPath = new FieldPath('spec').child('finalizers');
const NAME_LABEL = 'kubernetes.io/metadata.name';

export const namespaces = defineKind(NAMESPACES, {
  strategy: {
    applyDefaults: labelWithName,
    prepareForCreate(next) {
      next.status = { phase: 'Active' };
      const finalizers = next.spec.finalizers ?? [];
      if (!finalizers.includes(NAMESPACE_FINALIZER)) next.spec.finalizers = [...finalizers, NAMESPACE_FINALIZER];
      // The name may have been generated since the defaults.
      labelWithName(next);
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'spec');
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate,
    validateUpdate: (next) => validate(next),
    validateStatusUpdate: validatePhase,
    subresources: {
      finalize: { validate: (next) => finalizerErrors(next, (index) => finalizersPath.index(index)) },
    },
    validateName: labelName,
  },
  columns: [
    nameColumn,
    column('Status', 'The status of the namespace', (namespace) => namespace.status?.phase ?? ''),
    ageColumn,
  ],
  selectableFields: {
    'status.phase': (namespace) => namespace.status?.phase ?? '',
    name: (namespace) => namespace.metadata.name ?? '',
  },
});

function labelWithName(namespace: Namespace): void {
  const name = namespace.metadata.name ?? '';
  if (name !== '') namespace.metadata.labels = { ...namespace.metadata.labels, [NAME_LABEL]: name };
}

function validate(namespace: Namespace): FieldError[] {
  // Upstream's path has no index here.
  return finalizerErrors(namespace, () => finalizersPath);
}

function finalizerErrors(namespace: Namespace, pathOf: (index: number) => FieldPath): FieldError[] {
  const errors: FieldErrors = [];
  for (const [index, finalizer] of (namespace.spec?.finalizers ?? []).entries()) {
    checkMessages(isQualifiedName(finalizer), finalizer, pathOf(index), errors);
    if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) continue;
    const detail = 'name is neither a standard finalizer name nor is it fully qualified';
    errors.push(invalidValue(pathOf(index), finalizer, detail));
  }
  return errors;
}

function validatePhase(next: Namespace): FieldError[] {
  const path = new FieldPath('status.Phase');
  const phase = next.status?.phase ?? '';
  if (next.metadata.deletionTimestamp === undefined) {
    if (phase === 'Active') return [];
    return [invalidValue(path, phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  if (phase === 'Terminating') return [];
  return [invalidValue(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}
