import { duplicateValue, type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, joined, nameColumn } from '../../columns/common.ts';
import { CSI_DRIVERS } from '../../generated/resources.ts';
import type { CSIDriver } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkOneOf, type FieldErrors } from '../../validation/basics.ts';
import { checkDriverName } from './csi-validation.ts';

const specPath = new FieldPath('spec');
const modes = ['Ephemeral', 'Persistent'];
const groupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType'];
const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;
const UPDATE_PERIOD_SECONDS_MIN = 10;

export const csiDrivers = defineKind(CSI_DRIVERS, {
  strategy: {
    allowUnconditionalUpdate: false,
    hasGeneration: true,
    applyDefaults({ spec }) {
      spec.attachRequired ??= true;
      spec.podInfoOnMount ??= false;
      spec.storageCapacity ??= false;
      spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
      if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
      spec.requiresRepublish ??= false;
      spec.seLinuxMount ??= false;
    },
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      // The path is spelt as upstream spells it.
      ...immutableField(next.spec.attachRequired, current.spec.attachRequired, specPath.child('attachedRequired')),
      ...immutableField(
        next.spec.volumeLifecycleModes,
        current.spec.volumeLifecycleModes,
        specPath.child('volumeLifecycleModes'),
      ),
    ],
  },
  columns: [
    nameColumn,
    column(
      'AttachRequired',
      'attachRequired indicates this CSI volume driver requires an attach operation.',
      ({ spec }) => spec.attachRequired ?? true,
      { type: 'boolean' },
    ),
    column(
      'PodInfoOnMount',
      'podInfoOnMount says whether the driver is told about the pod when it mounts.',
      ({ spec }) => spec.podInfoOnMount ?? false,
      { type: 'boolean' },
    ),
    column(
      'StorageCapacity',
      'storageCapacity says whether pods are scheduled by the storage capacity that the driver reports.',
      ({ spec }) => spec.storageCapacity ?? false,
      { type: 'boolean' },
    ),
    column('TokenRequests', 'The audiences of the tokens that the driver is given.', ({ spec }) =>
      (spec.tokenRequests ?? []).length === 0
        ? '<unset>'
        : joined((spec.tokenRequests ?? []).map((request) => request.audience)),
    ),
    column(
      'RequiresRepublish',
      'Whether volumes are published again from time to time.',
      ({ spec }) => spec.requiresRepublish ?? false,
      { type: 'boolean' },
    ),
    column('Modes', 'The life cycles of volumes that the driver knows.', ({ spec }) =>
      joined(spec.volumeLifecycleModes),
    ),
    ageColumn,
  ],
});

function validate({ metadata, spec }: CSIDriver): FieldError[] {
  const errors: FieldErrors = [];
  checkDriverName(metadata.name, new FieldPath('metadata').child('name'), errors);
  for (const field of ['attachRequired', 'podInfoOnMount', 'storageCapacity', 'seLinuxMount'] as const) {
    if (spec[field] === undefined) errors.push(required(specPath.child(field), ''));
  }
  checkOneOf(spec.fsGroupPolicy, groupPolicies, specPath.child('fsGroupPolicy'), errors);
  checkTokenRequests(spec.tokenRequests ?? [], specPath.child('tokenRequests'), errors);
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (!modes.includes(mode)) errors.push(notSupported(specPath.child('volumeLifecycleModes'), mode, modes));
  }
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < UPDATE_PERIOD_SECONDS_MIN) {
    const detail = `must be greater than or equal to ${UPDATE_PERIOD_SECONDS_MIN} seconds`;
    errors.push(invalidValue(specPath.child('nodeAllocatableUpdatePeriodSeconds'), period, detail));
  }
  return errors;
}

function checkTokenRequests(
  requests: readonly { audience?: string; expirationSeconds?: number }[],
  path: FieldPath,
  errors: FieldErrors,
): void {
  const audiences = new Set<string>();
  for (const [index, { audience = '', expirationSeconds }] of requests.entries()) {
    const at = path.index(index);
    if (audiences.has(audience)) errors.push(duplicateValue(at.child('audience'), audience));
    audiences.add(audience);
    if (expirationSeconds === undefined) continue;
    const seconds = at.child('expirationSeconds');
    if (expirationSeconds < TOKEN_SECONDS_MIN) {
      errors.push(invalidValue(seconds, expirationSeconds, 'may not specify a duration less than 10 minutes'));
    }
    if (expirationSeconds > TOKEN_SECONDS_MAX) {
      errors.push(invalidValue(seconds, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
    }
  }
}
