import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { byteLength, isConfigMapKey } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { CONFIG_MAPS } from '../../generated/resources.ts';
import type { ConfigMap } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { base64ByteLength } from '../../validation/base64.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

/** A config map or secret must fit into one value of the store. */
export const DATA_BYTES_MAX = 1024 * 1024;
export const IMMUTABLE_SET = 'field is immutable when `immutable` is set';

export const configMaps = defineKind(CONFIG_MAPS, {
  strategy: { validate, validateUpdate },
  columns: [nameColumn, column('Data', 'How many keys there are.', dataCount), ageColumn],
});

function dataCount(map: ConfigMap): number {
  return Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length;
}

function validate(map: ConfigMap): FieldError[] {
  const errors: FieldErrors = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(map.data ?? {})) {
    const path = new FieldPath('data').key(key);
    checkMessages(isConfigMapKey(key), key, path, errors);
    if (map.binaryData?.[key] !== undefined) {
      errors.push(invalidValue(path, key, 'duplicate of key present in binaryData'));
    }
    bytes += byteLength(value);
  }
  for (const [key, value] of Object.entries(map.binaryData ?? {})) {
    checkMessages(isConfigMapKey(key), key, new FieldPath('binaryData').key(key), errors);
    bytes += base64ByteLength(value);
  }
  // Upstream reports the size at the object itself, whose path prints like this.
  if (bytes > DATA_BYTES_MAX) errors.push(tooLong(new FieldPath('[]'), DATA_BYTES_MAX));
  return errors;
}

function validateUpdate(next: ConfigMap, current: ConfigMap): FieldError[] {
  const errors: FieldErrors = [];
  if (current.immutable === true) {
    if (next.immutable !== true) errors.push(forbiddenValue(new FieldPath('immutable'), IMMUTABLE_SET));
    if (!deepEqual(next.data ?? {}, current.data ?? {})) {
      errors.push(forbiddenValue(new FieldPath('data'), IMMUTABLE_SET));
    }
    if (!deepEqual(next.binaryData ?? {}, current.binaryData ?? {})) {
      errors.push(forbiddenValue(new FieldPath('binaryData'), IMMUTABLE_SET));
    }
  }
  return [...errors, ...validate(next)];
}
