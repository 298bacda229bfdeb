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
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS } from '../../generated/resources.ts';
import type { AllocationResult, ResourceClaim, ResourceClaimTemplate } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import {
  checkConfiguration,
  checkCount,
  checkDeviceClaim,
  checkRequestReference,
  checkRequestReferences,
  checkToleration,
  defaultDeviceClaim,
  type RequestNames,
  requestNamesOf,
} from './device-claim.ts';
import { checkDriver, checkLabelName, checkPool } from './names.ts';

const specPath = new FieldPath('spec');
const statusPath = new FieldPath('status');
const CONSUMERS_MAX = 256;
const RESULTS_MAX = 32;
const CONFIG_MAX = 64;

export const resourceClaims = defineKind(RESOURCE_CLAIMS, {
  strategy: {
    ...statusRules,
    applyDefaults: ({ spec }) => {
      defaultDeviceClaim(spec?.devices);
    },
    validate: ({ spec }) => {
      const errors: FieldErrors = [];
      checkDeviceClaim(spec?.devices, specPath.child('devices'), errors);
      return errors;
    },
    validateUpdate: (next, current) => unchangedSpec(next, current),
    validateStatusUpdate: checkStatus,
  },
  columns: [
    nameColumn,
    column('State', 'What became of the claim: pending, allocated, reserved, deleted.', stateCell),
    ageColumn,
  ],
});

export const resourceClaimTemplates = defineKind(RESOURCE_CLAIM_TEMPLATES, {
  strategy: {
    applyDefaults: ({ spec }) => {
      defaultDeviceClaim(spec?.spec?.devices);
    },
    validate: ({ spec }) => {
      const errors: FieldErrors = [];
      checkDeviceClaim(spec?.spec?.devices, specPath.child('spec', 'devices'), errors);
      return errors;
    },
    validateUpdate: (next, current) => unchangedSpec(next, current),
  },
  columns: [nameColumn, ageColumn],
});

function unchangedSpec(
  next: ResourceClaim | ResourceClaimTemplate,
  current: ResourceClaim | ResourceClaimTemplate,
): FieldError[] {
  return deepEqual(next.spec, current.spec) ? [] : [invalidValue(specPath, next.spec, IMMUTABLE)];
}

function stateCell({ metadata, status }: ResourceClaim): string {
  const isDeleted = metadata.deletionTimestamp !== undefined;
  const states = isDeleted ? ['deleted'] : [];
  if (status?.allocation !== undefined) states.push('allocated');
  else if (!isDeleted) states.push('pending');
  if ((status?.reservedFor ?? []).length > 0) states.push('reserved');
  return states.join(',');
}

function checkStatus({ metadata, spec, status }: ResourceClaim, current: ResourceClaim): FieldError[] {
  const errors: FieldErrors = [];
  const { reservedFor = [], devices = [], allocation } = status ?? {};
  const consumersPath = statusPath.child('reservedFor');
  checkCount(reservedFor, consumersPath, { max: CONSUMERS_MAX, errors });
  for (const [index, consumer] of reservedFor.entries()) {
    const at = consumersPath.index(index);
    for (const field of ['resource', 'name', 'uid'] as const) {
      if ((consumer[field] ?? '') === '') errors.push(required(at.child(field), ''));
    }
    if (reservedFor.findIndex(({ uid }) => uid === consumer.uid) < index) errors.push(duplicateValue(at, consumer));
  }
  const allocated = new Set(
    (allocation?.devices?.results ?? []).map((one) => `${one.driver}/${one.pool}/${one.device}`),
  );
  for (const [index, device] of devices.entries()) {
    const at = statusPath.child('devices').index(index);
    const id = `${device.driver}/${device.pool}/${device.device}`;
    checkDriver(device.driver, at.child('driver'), errors);
    checkPool(device.pool, at.child('pool'), errors);
    checkLabelName(device.device, at.child('device'), errors);
    if (!allocated.has(id)) errors.push(invalidValue(at, id, 'must be an allocated device in the claim'));
  }
  if (reservedFor.length > 0 && allocation === undefined) {
    errors.push(forbiddenValue(consumersPath, 'may not be specified when `allocated` is not set'));
  } else if (reservedFor.length > 0 && metadata.deletionTimestamp !== undefined) {
    const before = new Set((current.status?.reservedFor ?? []).map(({ uid }) => uid));
    const detail = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
    if (reservedFor.some(({ uid }) => !before.has(uid))) errors.push(forbiddenValue(consumersPath, detail));
  }
  const allocationPath = statusPath.child('allocation');
  const known = current.status?.allocation;
  if (known !== undefined && allocation !== undefined) {
    if (!deepEqual(known, allocation)) errors.push(invalidValue(allocationPath, allocation, IMMUTABLE));
  } else if (allocation !== undefined) {
    checkAllocation(allocation, allocationPath, { names: requestNamesOf(spec?.devices), errors });
  }
  return errors;
}

function checkAllocation(
  { devices }: AllocationResult,
  path: FieldPath,
  { names, errors }: { names: RequestNames; errors: FieldErrors },
): void {
  const { results = [], config = [] } = devices ?? {};
  const resultsPath = path.child('devices', 'results');
  checkCount(results, resultsPath, { max: RESULTS_MAX, errors });
  for (const [index, result] of results.entries()) {
    const at = resultsPath.index(index);
    checkRequestReference(result.request ?? '', at.child('request'), { names, errors });
    checkDriver(result.driver, at.child('driver'), errors);
    checkPool(result.pool, at.child('pool'), errors);
    checkLabelName(result.device, at.child('device'), errors);
    for (const [position, toleration] of (result.tolerations ?? []).entries()) {
      checkToleration(toleration, at.child('tolerations').index(position), errors);
    }
  }
  const configPath = path.child('devices', 'config');
  checkCount(config, configPath, { max: CONFIG_MAX, errors });
  for (const [index, { source = '', requests = [], opaque }] of config.entries()) {
    const at = configPath.index(index);
    const sources = ['FromClaim', 'FromClass'];
    if (source === '') errors.push(required(at.child('source'), ''));
    else if (!sources.includes(source)) errors.push(notSupported(at.child('source'), source, sources));
    checkRequestReferences(requests, at.child('requests'), { names, errors });
    checkConfiguration(opaque, at, errors);
  }
}
