import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { LEASE_CANDIDATES_V1ALPHA2, LEASE_CANDIDATES_V1BETA1 } from '../../generated/resources.ts';
import type { V1beta1LeaseCandidate } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { sameShape } from '../../registry/same-shape.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { checkLeaseStrategy, OLDEST_EMULATION_VERSION } from '../v1/lease-strategy.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');

export const leaseCandidates = defineKind(LEASE_CANDIDATES_V1BETA1, {
  strategy: {
    allowUnconditionalUpdate: false,
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.spec?.leaseName, current.spec?.leaseName, specPath.child('leaseName')),
    ],
    allowCreateOnUpdate: true,
  },
  columns: [
    nameColumn,
    column(
      'LeaseName',
      'leaseName is the name of the lease that is contended for.',
      ({ spec }) => spec?.leaseName ?? '',
    ),
    column('BinaryVersion', 'binaryVersion is the version of the candidate.', ({ spec }) => spec?.binaryVersion ?? ''),
    column(
      'EmulationVersion',
      'emulationVersion is the version that the candidate emulates.',
      ({ spec }) => spec?.emulationVersion ?? '',
    ),
    column('Strategy', 'strategy is how the leader is chosen.', ({ spec }) => spec?.strategy ?? ''),
    ageColumn,
  ],
  selectableFields: { 'spec.leaseName': ({ spec }) => spec?.leaseName ?? '' },
});

export const leaseCandidatesV1alpha2 = sameShape(leaseCandidates, LEASE_CANDIDATES_V1ALPHA2);

function validate({ spec }: V1beta1LeaseCandidate): FieldError[] {
  const errors: FieldErrors = [];
  const { leaseName = '', binaryVersion = '', emulationVersion = '', strategy = '' } = partly(spec);
  if (leaseName === '') errors.push(required(specPath.child('leaseName'), ''));
  const binaryPath = specPath.child('binaryVersion');
  if (binaryVersion === '') errors.push(required(binaryPath, ''));
  else if (versionOf(binaryVersion) === undefined) {
    errors.push(invalidValue(binaryPath, binaryVersion, 'must be a valid semantic version'));
  }
  const emulationPath = specPath.child('emulationVersion');
  const emulated = versionOf(emulationVersion);
  const own = versionOf(binaryVersion);
  if (emulationVersion === '') {
    if (strategy === OLDEST_EMULATION_VERSION) {
      const detail = "must be specified when `strategy` is 'OldestEmulationVersion'";
      errors.push(required(emulationPath, detail));
    }
  } else if (emulated === undefined) {
    errors.push(invalidValue(emulationPath, emulationVersion, 'must be a valid semantic version'));
  } else if (own !== undefined && compare(emulated, own) > 0) {
    errors.push(invalidValue(binaryPath, binaryVersion, 'must be greater than or equal to `emulationVersion`'));
  }
  const strategyPath = specPath.child('strategy');
  if (strategy === '') errors.push(required(strategyPath, ''));
  else checkLeaseStrategy(strategy, strategyPath, errors);
  return errors;
}

/** `v1.36` and `1.36.2`, with what is missing as zero. */
function versionOf(text: string): readonly number[] | undefined {
  const match = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:[-+].*)?$/.exec(text);
  return match === null ? undefined : [1, 2, 3].map((part) => Number(match[part] ?? 0));
}

function compare(left: readonly number[], right: readonly number[]): number {
  const index = left.findIndex((number, position) => number !== right[position]);
  return index < 0 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}
