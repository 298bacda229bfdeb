import { formatTime } from '#machinery/clock/clock.ts';
import {
  duplicateValue,
  type FieldError,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField, validateLabelName } from '#machinery/validation/metadata.ts';
import { isDns1123Subdomain, isValidLabelValue } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { RESOURCE_SLICES } from '../../generated/resources.ts';
import type { Device, DeviceAttribute, DeviceTaint, ResourceSlice, ResourceSliceSpec } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { checkCount } from './device-claim.ts';
import { checkDriver, checkLabelName, checkPool, checkQualifiedName } from './names.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const DEVICES_MAX = 128;
/** Devices with taints or shared counters take more room. */
const COMPLEX_DEVICES_MAX = 64;
const ATTRIBUTES_MAX = 32;
const TAINTS_MAX = 16;
const COUNTERS_MAX = 8;
const VALUE_BYTES_MAX = 64;
const effects = ['NoExecute', 'NoSchedule', 'None'];
const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

export const resourceSlices = defineKind(RESOURCE_SLICES, {
  strategy: {
    hasGeneration: true,
    prepareForCreate(next, { nowMs }) {
      setTaintTimes(next, nowMs);
    },
    prepareForUpdate(next, _current, { nowMs }) {
      setTaintTimes(next, nowMs);
    },
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.spec?.pool?.name, current.spec?.pool?.name, specPath.child('pool', 'name')),
      ...immutableField(next.spec?.driver, current.spec?.driver, specPath.child('driver')),
      ...immutableField(next.spec?.nodeName, current.spec?.nodeName, specPath.child('nodeName')),
    ],
  },
  columns: [
    nameColumn,
    column('Node', 'nodeName is the node that has the devices.', ({ spec }) => spec?.nodeName ?? '<unset>'),
    column('Driver', 'driver is the name of the driver that published the slice.', ({ spec }) => spec?.driver ?? ''),
    column('Pool', 'pool is the pool that the devices belong to.', ({ spec }) => spec?.pool?.name ?? ''),
    ageColumn,
  ],
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.driver': ({ spec }) => spec?.driver ?? '',
  },
});

function setTaintTimes({ spec }: ResourceSlice, nowMs: number): void {
  for (const { taints = [] } of spec?.devices ?? []) {
    for (const taint of taints) taint.timeAdded ??= formatTime(nowMs);
  }
}

function validate({ spec }: ResourceSlice): FieldError[] {
  const errors: FieldErrors = [];
  const { driver, pool, devices = [], sharedCounters = [] } = spec ?? {};
  checkDriver(driver, specPath.child('driver'), errors);
  const poolPath = specPath.child('pool');
  checkPool(pool?.name, poolPath.child('name'), errors);
  const { resourceSliceCount = 0, generation = 0 } = partly(pool);
  if (resourceSliceCount <= 0) {
    errors.push(invalidValue(poolPath.child('resourceSliceCount'), resourceSliceCount, 'must be greater than zero'));
  }
  if (generation < 0) {
    errors.push(invalidValue(poolPath.child('generation'), generation, 'must be greater than or equal to zero'));
  }
  if (spec !== undefined) checkNodeChoice(spec, errors);
  const isComplex = devices.some(
    ({ taints = [], consumesCounters = [] }) => taints.length + consumesCounters.length > 0,
  );
  const devicesPath = specPath.child('devices');
  checkCount(devices, devicesPath, { max: isComplex ? COMPLEX_DEVICES_MAX : DEVICES_MAX, errors });
  const names = new Set<string>();
  for (const [index, device] of devices.entries()) {
    const at = devicesPath.index(index);
    checkDevice(device, at, { isPerDevice: spec?.perDeviceNodeSelection === true, errors });
    if (names.has(device.name)) errors.push(duplicateValue(at.child('name'), device.name));
    names.add(device.name);
  }
  checkCount(sharedCounters, specPath.child('sharedCounters'), { max: COUNTERS_MAX, errors });
  for (const [index, { name, counters = {} }] of sharedCounters.entries()) {
    const at = specPath.child('sharedCounters').index(index);
    checkLabelName(name, at.child('name'), errors);
    if (Object.keys(counters).length === 0) errors.push(required(at.child('counters'), ''));
  }
  return errors;
}

/** Where the devices can be reached from is said in exactly one way. */
function checkNodeChoice(spec: ResourceSliceSpec, errors: FieldErrors): void {
  const { nodeName, nodeSelector, allNodes, perDeviceNodeSelection } = spec;
  const set: string[] = [];
  if (nodeName === '') {
    errors.push(
      invalidValue(specPath.child('nodeName'), nodeName, 'must be either unset or set to a non-empty string'),
    );
  } else if (nodeName !== undefined) {
    set.push('`nodeName`');
    checkMessages(isDns1123Subdomain(nodeName), nodeName, specPath.child('nodeName'), errors);
  }
  if (nodeSelector !== undefined) set.push('`nodeSelector`');
  for (const [field, value] of Object.entries({ allNodes, perDeviceNodeSelection })) {
    if (value === true) set.push(`\`${field}\``);
    else if (value === false) {
      errors.push(invalidValue(specPath.child(field), value, 'must be either unset or set to true'));
    }
  }
  const rule = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (set.length === 0) errors.push(required(specPath, rule));
  else if (set.length > 1) {
    errors.push(invalidValue(specPath, `{${set.join(', ')}}`, `${rule}, but multiple fields are set`));
  }
}

function checkDevice(
  device: Device,
  path: FieldPath,
  { isPerDevice, errors }: { isPerDevice: boolean; errors: FieldErrors },
): void {
  const { attributes = {}, capacity = {}, taints = [], nodeName, nodeSelector, allNodes } = device;
  checkLabelName(device.name, path.child('name'), errors);
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  if (count > ATTRIBUTES_MAX) {
    const detail = `the total number of attributes and capacities must not exceed ${ATTRIBUTES_MAX}`;
    errors.push(invalidValue(path, count, detail));
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    const at = path.child('attributes').key(name);
    checkQualifiedName(name, at, errors);
    checkAttribute(attribute, at, errors);
  }
  for (const name of Object.keys(capacity)) checkQualifiedName(name, path.child('capacity').key(name), errors);
  checkCount(taints, path.child('taints'), { max: TAINTS_MAX, errors });
  for (const [index, taint] of taints.entries()) checkTaint(taint, path.child('taints').index(index), errors);
  const choices = [nodeName, nodeSelector, allNodes].filter((choice) => choice !== undefined);
  const rule =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (!isPerDevice && choices.length > 0) {
    const detail =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    errors.push(invalidValue(path, null, detail));
  } else if (isPerDevice && choices.length === 0) errors.push(required(path, rule));
  else if (isPerDevice && choices.length > 1) errors.push(invalidValue(path, null, rule));
}

function checkAttribute(attribute: DeviceAttribute, path: FieldPath, errors: FieldErrors): void {
  const set = Object.values(attribute).filter((value) => value !== undefined).length;
  const rule = 'exactly one value must be specified';
  if (set === 0) errors.push(required(path, rule));
  else if (set > 1) errors.push(invalidValue(path, attribute, rule));
  const { string: text, version } = attribute;
  if (text !== undefined && Buffer.byteLength(text) > VALUE_BYTES_MAX) {
    errors.push(tooLong(path.child('string'), VALUE_BYTES_MAX));
  }
  if (version === undefined) return;
  if (!SEMVER.test(version)) {
    const detail = 'must be a string compatible with semver.org spec 2.0.0';
    errors.push(invalidValue(path.child('version'), version, detail));
  }
  if (Buffer.byteLength(version) > VALUE_BYTES_MAX) errors.push(tooLong(path.child('version'), VALUE_BYTES_MAX));
}

/** Taints of devices in slices and in rules. */
export function checkTaint(taint: DeviceTaint, path: FieldPath, errors: FieldErrors): void {
  const { key = '', value = '', effect = '' } = partly(taint);
  errors.push(...validateLabelName(key, path.child('key')));
  if (value !== '') checkMessages(isValidLabelValue(value), value, path.child('value'), errors);
  const effectPath = path.child('effect');
  if (effect === '') errors.push(required(effectPath, ''));
  else if (!effects.includes(effect)) errors.push(notSupported(effectPath, effect, effects));
}
