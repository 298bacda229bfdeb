import { deepEqual } from '#machinery/codec/deep.ts';
import { parseExactJson } from '#machinery/codec/exact-json.ts';
import { type FieldError, forbiddenValue, invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isConfigMapKey } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { SECRETS } from '../../generated/resources.ts';
import type { Secret } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { base64ByteLength, decodeBase64, encodeBase64 } from '../../validation/base64.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { DATA_BYTES_MAX, IMMUTABLE_SET } from './config-map.ts';
import { keyPairMessage } from './key-pair.ts';

const dataPath = new FieldPath('data');
const ACCOUNT_ANNOTATION = 'kubernetes.io/service-account.name';

export const secrets = defineKind(SECRETS, {
  strategy: { applyDefaults, validate, validateUpdate, warnings },
  columns: [
    nameColumn,
    column('Type', 'What the secret is for.', (secret) => secret.type ?? ''),
    column('Data', 'How many keys there are.', (secret) => Object.keys(secret.data ?? {}).length),
    ageColumn,
  ],
  selectableFields: { type: (secret) => secret.type ?? '' },
});

function applyDefaults(secret: Secret): void {
  if (secret.stringData !== undefined) {
    secret.data ??= {};
    for (const [key, value] of Object.entries(secret.stringData)) secret.data[key] = encodeBase64(value);
    delete secret.stringData;
  }
  secret.type ||= 'Opaque';
}

function validate(secret: Secret): FieldError[] {
  const errors: FieldErrors = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    checkMessages(isConfigMapKey(key), key, dataPath.key(key), errors);
    bytes += base64ByteLength(value);
  }
  if (bytes > DATA_BYTES_MAX) errors.push(tooLong(dataPath, DATA_BYTES_MAX));
  checkType(secret, errors);
  return errors;
}

function checkType(secret: Secret, errors: FieldErrors): void {
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      if ((secret.metadata.annotations?.[ACCOUNT_ANNOTATION] ?? '') === '') {
        errors.push(required(new FieldPath('metadata.annotations').key(ACCOUNT_ANNOTATION), ''));
      }
      break;
    case 'kubernetes.io/dockercfg':
      checkJson(secret, '.dockercfg', errors);
      break;
    case 'kubernetes.io/dockerconfigjson':
      checkJson(secret, '.dockerconfigjson', errors);
      break;
    case 'kubernetes.io/basic-auth':
      if (secret.data?.['username'] === undefined && secret.data?.['password'] === undefined) {
        errors.push(required(dataPath.key('username'), ''), required(dataPath.key('password'), ''));
      }
      break;
    case 'kubernetes.io/ssh-auth':
      if ((secret.data?.['ssh-privatekey'] ?? '') === '') errors.push(required(dataPath.key('ssh-privatekey'), ''));
      break;
    case 'kubernetes.io/tls':
      for (const key of ['tls.crt', 'tls.key']) {
        if (secret.data?.[key] === undefined) errors.push(required(dataPath.key(key), ''));
      }
      break;
    default:
  }
}

function checkJson(secret: Secret, key: string, errors: FieldErrors): void {
  const text = secret.data?.[key];
  if (text === undefined) {
    errors.push(required(dataPath.key(key), ''));
    return;
  }
  const detail = jsonObjectMessage(decodeBase64(text));
  if (detail !== undefined) errors.push(invalidValue(dataPath.key(key), '<secret contents redacted>', detail));
}

/** What is wrong with a text that should be a JSON object, in Go's words. */
function jsonObjectMessage(text: string): string | undefined {
  try {
    const { value } = parseExactJson(text);
    if (value === null || (typeof value === 'object' && !Array.isArray(value))) return undefined;
    const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    return `json: cannot unmarshal ${type === 'bigint' ? 'number' : type} into Go value of type map[string]interface {}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function warnings(secret: Secret): string[] {
  if (secret.type !== 'kubernetes.io/tls') return [];
  const message = keyPairMessage(secret.data?.['tls.crt'] ?? '', secret.data?.['tls.key'] ?? '');
  return message === undefined ? [] : [message];
}

function validateUpdate(next: Secret, current: Secret): FieldError[] {
  const errors: FieldErrors = immutableField(next.type, current.type, new FieldPath('type'));
  if (current.immutable === true) {
    if (next.immutable !== true) errors.push(forbiddenValue(new FieldPath('immutable'), IMMUTABLE_SET));
    if (!deepEqual(next.data ?? {}, current.data ?? {})) errors.push(forbiddenValue(dataPath, IMMUTABLE_SET));
  }
  return [...errors, ...validate(next)];
}
