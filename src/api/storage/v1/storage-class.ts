import { deepEqual } from '#machinery/codec/deep.ts';
import { duplicateValue, type FieldError, forbiddenValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField, validateLabelName } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { STORAGE_CLASSES } from '../../generated/resources.ts';
import type { StorageClass, TopologySelectorTerm } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkOneOf, type FieldErrors } from '../../validation/basics.ts';
import { checkParameters, checkProvisioner } from './csi-validation.ts';

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const BETA_DEFAULT_CLASS = 'storageclass.beta.kubernetes.io/is-default-class';
const reclaimPolicies = ['Delete', 'Retain'];
const bindingModes = ['Immediate', 'WaitForFirstConsumer'];
/** Labels of nodes that got other names, and what to say about them. */
const OLD_LABELS: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
};

/** Whether claims without a class get this one. */
export function isDefaultStorageClass({ metadata }: StorageClass): boolean {
  return metadata.annotations?.[DEFAULT_CLASS] === 'true' || metadata.annotations?.[BETA_DEFAULT_CLASS] === 'true';
}

export const storageClasses = defineKind(STORAGE_CLASSES, {
  strategy: {
    applyDefaults(next) {
      next.reclaimPolicy ??= 'Delete';
      next.volumeBindingMode ??= 'Immediate';
    },
    validate,
    validateUpdate: (next, current) => [...validate(next), ...checkUpdate(next, current)],
    warnings: (next) => oldLabelWarnings(next.allowedTopologies ?? []),
  },
  columns: [
    {
      ...nameColumn,
      cell: (object) => `${object.metadata.name ?? ''}${isDefaultStorageClass(object) ? ' (default)' : ''}`,
    },
    column('Provisioner', 'provisioner indicates the type of the provisioner.', ({ provisioner }) => provisioner),
    column(
      'ReclaimPolicy',
      'reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class.',
      ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    ),
    column(
      'VolumeBindingMode',
      'volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.',
      ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate',
    ),
    column(
      'AllowVolumeExpansion',
      'allowVolumeExpansion shows whether the storage class allow volume expand.',
      ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    ),
    ageColumn,
  ],
});

function validate(storageClass: StorageClass): FieldError[] {
  const errors: FieldErrors = [];
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies } = storageClass;
  checkProvisioner(provisioner, new FieldPath('provisioner'), errors);
  checkParameters(parameters, new FieldPath('parameters'), { allowEmpty: true, errors });
  checkOneOf(reclaimPolicy, reclaimPolicies, new FieldPath('reclaimPolicy'), errors);
  checkOneOf(volumeBindingMode, bindingModes, new FieldPath('volumeBindingMode'), errors);
  checkTopologies(allowedTopologies ?? [], new FieldPath('allowedTopologies'), errors);
  return errors;
}

function checkTopologies(terms: readonly TopologySelectorTerm[], path: FieldPath, errors: FieldErrors): void {
  const seen: TopologySelectorTerm[] = [];
  for (const [index, term] of terms.entries()) {
    const expressionsPath = path.index(index).child('matchLabelExpressions');
    const keys = new Set<string>();
    for (const [position, { key, values = [] }] of (term.matchLabelExpressions ?? []).entries()) {
      const at = expressionsPath.index(position);
      if (values.length === 0) errors.push(required(at.child('values'), ''));
      for (const [place, value] of values.entries()) {
        if (values.indexOf(value) < place) errors.push(duplicateValue(at.child('values').index(place), value));
      }
      errors.push(...validateLabelName(key ?? '', at.child('key')));
      if (keys.has(key)) errors.push(duplicateValue(at.child('key'), key));
      keys.add(key);
    }
    if (seen.some((other) => deepEqual(other, term))) errors.push(duplicateValue(expressionsPath, ''));
    seen.push(term);
  }
}

function checkUpdate(next: StorageClass, current: StorageClass): FieldError[] {
  const errors: FieldErrors = [];
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
    if (!deepEqual(next[field] ?? {}, current[field] ?? {})) {
      errors.push(forbiddenValue(new FieldPath(field), `updates to ${field} are forbidden.`));
    }
  }
  errors.push(...immutableField(next.volumeBindingMode, current.volumeBindingMode, new FieldPath('volumeBindingMode')));
  return errors;
}

function oldLabelWarnings(terms: readonly TopologySelectorTerm[]): string[] {
  return terms.flatMap(({ matchLabelExpressions = [] }, index) =>
    matchLabelExpressions.flatMap(({ key }, position) => {
      const text = OLD_LABELS[key];
      const path = `allowedTopologies[${index}].matchLabelExpressions[${position}].key`;
      return text === undefined ? [] : [`${path}: ${key} is ${text}`];
    }),
  );
}
