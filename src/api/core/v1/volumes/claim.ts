import { deepCopy, deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import type { PersistentVolumeClaim } from '../../../generated/types.ts';
import { checkMessages, type FieldErrors, IMMUTABLE } from '../../../validation/basics.ts';
import { specDifference } from '../pod/validation/difference.ts';
import { checkQuantity, isNativeResource } from '../pod/validation/resources.ts';
import { checkClaimSpec } from './claim-spec.ts';

const specPath = new FieldPath('spec');
const statusPath = new FieldPath('status');
const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';
const resizeStatuses = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

export function validateClaim(claim: PersistentVolumeClaim): FieldError[] {
  const errors: FieldErrors = [];
  checkClaimSpec(claim.spec, specPath, errors);
  return errors;
}

/** A claim gets its volume and its class once; when it is bound it may grow and change its class of attributes. */
export function validateClaimUpdate(next: PersistentVolumeClaim, current: PersistentVolumeClaim): FieldError[] {
  const errors = validateClaim(next);
  const comparable = deepCopy(next.spec);
  const before = deepCopy(current.spec);
  if ((before.volumeName ?? '') === '') replace(before, 'volumeName', comparable.volumeName);
  checkOldClass(next, current, errors);
  const oldClass = current.metadata.annotations?.[OLD_CLASS];
  const { storageClassName: wanted } = next.spec;
  if (before.storageClassName === undefined && wanted !== undefined && (oldClass ?? wanted) === wanted) {
    delete comparable.storageClassName;
  }
  if (next.status?.phase === 'Bound') {
    if (comparable.resources?.requests !== undefined) {
      replace(comparable.resources.requests, 'storage', before.resources?.requests?.['storage']);
    }
    if (comparable.volumeAttributesClassName !== undefined) {
      replace(comparable, 'volumeAttributesClassName', before.volumeAttributesClassName);
    }
  }
  if (!deepEqual(comparable, before)) {
    const detail = `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${specDifference(before, comparable)}`;
    errors.push(forbiddenValue(specPath, detail));
  }
  checkNotShrunk(next, current, errors);
  errors.push(...immutableField(next.spec.volumeMode, current.spec.volumeMode, new FieldPath('volumeMode')));
  checkAttributesClass(next, current, errors);
  return errors;
}

function replace(object: object, name: string, value: unknown): void {
  if (value === undefined) Reflect.deleteProperty(object, name);
  else Reflect.set(object, name, value);
}

function checkOldClass(next: PersistentVolumeClaim, current: PersistentVolumeClaim, errors: FieldErrors): void {
  const before = current.metadata.annotations?.[OLD_CLASS];
  const after = next.metadata.annotations?.[OLD_CLASS];
  if (before === after) return;
  // The annotation may go when the field takes over what it said.
  const isMoved = after === undefined && current.spec.storageClassName === undefined;
  if (isMoved && next.spec.storageClassName === before) return;
  errors.push(invalidValue(new FieldPath('metadata').child('annotations', OLD_CLASS), after ?? '', IMMUTABLE));
}

/** A claim that could not grow may ask for less again, but not for as little as it has. */
function checkNotShrunk(next: PersistentVolumeClaim, current: PersistentVolumeClaim, errors: FieldErrors): void {
  const size = parseQuantity(next.spec.resources?.requests?.['storage'] ?? '0');
  const before = parseQuantity(current.spec.resources?.requests?.['storage'] ?? '0');
  const actual = parseQuantity(current.status?.capacity?.['storage'] ?? '0');
  if (size.compare(before) >= 0 || size.compare(actual) > 0) return;
  const path = specPath.child('resources', 'requests', 'storage');
  errors.push(forbiddenValue(path, 'field can not be less than status.capacity'));
}

function checkAttributesClass(next: PersistentVolumeClaim, current: PersistentVolumeClaim, errors: FieldErrors): void {
  const before = current.spec.volumeAttributesClassName;
  const after = next.spec.volumeAttributesClassName;
  if (before === undefined || before === after) return;
  const path = specPath.child('volumeAttributesClassName');
  if (after === undefined) errors.push(forbiddenValue(path, 'update from non-nil value to nil is forbidden'));
  else if (after === '') {
    errors.push(forbiddenValue(path, 'update from non-nil value to an empty string is forbidden'));
  }
}

export function validateClaimStatusUpdate({ spec, status = {} }: PersistentVolumeClaim): FieldError[] {
  const errors: FieldErrors = [];
  if ((spec.accessModes ?? []).length === 0) errors.push(required(new FieldPath('Spec').child('accessModes'), ''));
  for (const [name, amount] of Object.entries(status.capacity ?? {})) {
    checkBasic(amount, statusPath.child('capacity').key(name), errors);
  }
  const resizePath = statusPath.child('allocatedResourceStatus');
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    checkResourceKey(name, resizePath, errors);
    if (!resizeStatuses.includes(state)) errors.push(notSupported(resizePath, name, resizeStatuses));
  }
  const allocatedPath = statusPath.child('allocatedResources');
  for (const [name, amount] of Object.entries(status.allocatedResources ?? {})) {
    const before = errors.length;
    checkResourceKey(name, allocatedPath, errors);
    if (errors.length === before) checkBasic(amount, allocatedPath.key(name), errors);
    if (errors.length === before) checkQuantity('storage', amount, allocatedPath.key(name), errors);
  }
  return errors;
}

function checkBasic(amount: string, path: FieldPath, errors: FieldErrors): void {
  const value = parseQuantity(amount).value();
  if (value < 0) errors.push(invalidValue(path, value, 'must be a valid resource quantity'));
}

function checkResourceKey(name: string, path: FieldPath, errors: FieldErrors): void {
  const messages = isQualifiedName(name);
  checkMessages(messages, name, path, errors);
  if (messages.length === 0 && isNativeResource(name) && name !== 'storage') {
    errors.push(notSupported(path, name, ['storage']));
  }
}
