import { deepEqual } from '../codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, required, tooLong } from '../field/field-error.ts';
import { FieldPath } from '../field/field-path.ts';
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../meta/types.ts';
import { parseApiVersion } from '../meta/types.ts';
import {
  byteLength,
  isDns1123Label,
  isDns1123Subdomain,
  isQualifiedName,
  isValidLabelValue,
  maskTrailingDash,
} from './names.ts';

/** Keys and values of all annotations of one object together. */
const ANNOTATIONS_BYTES_MAX = 256 * 1024;
const FIELD_MANAGER_BYTES_MAX = 128;
const SUBRESOURCE_BYTES_MAX = 256;

export type ValidateName = (name: string, options: { isPrefix: boolean }) => string[];

interface ObjectMetaRules {
  readonly namespaced: boolean;
  /** Default: a DNS subdomain. */
  readonly validateName?: ValidateName | undefined;
  /** Default: `metadata`. */
  readonly path?: FieldPath;
}

/** Checks metadata on creation, after the name was generated. */
export function validateObjectMeta(meta: ObjectMeta, rules: ObjectMetaRules): FieldError[] {
  const path = rules.path ?? new FieldPath('metadata');
  const validateName = rules.validateName ?? subdomainName;
  const errors: FieldError[] = [];
  const { generateName = '', name = '', namespace = '' } = meta;
  if (generateName !== '') {
    errors.push(...each(path.child('generateName'), generateName, validateName(generateName, { isPrefix: true })));
  }
  if (name === '') errors.push(required(path.child('name'), 'name or generateName is required'));
  else errors.push(...each(path.child('name'), name, validateName(name, { isPrefix: false })));
  if (!rules.namespaced) {
    if (namespace !== '') errors.push(forbiddenValue(path.child('namespace'), 'not allowed on this type'));
  } else if (namespace === '') errors.push(required(path.child('namespace'), ''));
  else errors.push(...each(path.child('namespace'), namespace, isDns1123Label(namespace)));
  return [...errors, ...validateCommon(meta, path)];
}

/** Checks what an update may do to metadata; the caller has already carried over what the server owns. */
export function validateObjectMetaUpdate(
  next: ObjectMeta,
  current: ObjectMeta,
  path: FieldPath = new FieldPath('metadata'),
): FieldError[] {
  const errors: FieldError[] = [];
  if (current.deletionTimestamp !== undefined) {
    const known = new Set(current.finalizers);
    const extra = (next.finalizers ?? []).filter((finalizer) => !known.has(finalizer)).toSorted();
    if (extra.length > 0) {
      const list = extra.map((text) => JSON.stringify(text)).join(', ');
      const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
      errors.push(forbiddenValue(path.child('finalizers'), detail));
    }
  }
  if ((next.resourceVersion ?? '') === '') {
    errors.push(invalidValue(path.child('resourceVersion'), '', 'must be specified for an update'));
  }
  if ((next.generation ?? 0) < (current.generation ?? 0)) {
    errors.push(invalidValue(path.child('generation'), next.generation ?? 0, 'must not be decremented'));
  }
  for (const name of IMMUTABLE_TEXT) {
    errors.push(...immutableField(next[name] ?? '', current[name] ?? '', path.child(name)));
  }
  for (const name of IMMUTABLE_OPTIONAL) {
    errors.push(...immutableField(next[name], current[name], path.child(name)));
  }
  return [...errors, ...validateMaps(next, path), ...validateManagedFields(next.managedFields, path)];
}

const IMMUTABLE_TEXT = ['name', 'namespace', 'uid'] as const;
const IMMUTABLE_OPTIONAL = ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

/** Refuses any change of a value. */
export function immutableField(next: unknown, current: unknown, path: FieldPath): FieldError[] {
  return deepEqual(next, current) ? [] : [invalidValue(path, next, 'field is immutable')];
}

export function validateLabels(labels: Record<string, string> | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.push(...validateLabelName(key, path), ...each(path, value, isValidLabelValue(value)));
  }
  return errors;
}

export function validateLabelName(name: string, path: FieldPath): FieldError[] {
  return each(path, name, isQualifiedName(name));
}

export function validateAnnotations(annotations: Record<string, string> | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let totalBytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.push(...each(path, key, isQualifiedName(key.toLowerCase())));
    totalBytes += byteLength(key) + byteLength(value);
  }
  if (totalBytes > ANNOTATIONS_BYTES_MAX) errors.push(tooLong(path, ANNOTATIONS_BYTES_MAX));
  return errors;
}

export function validateFieldManager(manager: string, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (byteLength(manager) > FIELD_MANAGER_BYTES_MAX) errors.push(tooLong(path, FIELD_MANAGER_BYTES_MAX));
  // Printable ASCII, as nearly all are, needs no look at each character.
  if (/^[\x20-\x7e]*$/.test(manager)) return errors;
  let offset = 0;
  for (const character of manager) {
    if (/^[\p{C}\p{Zl}\p{Zp}]|^(?! )\p{Zs}/u.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      errors.push(invalidValue(path, manager, `invalid character U+${code} (at position ${offset})`));
    }
    offset += byteLength(character);
  }
  return errors;
}

function subdomainName(name: string, options: { isPrefix: boolean }): string[] {
  return isDns1123Subdomain(options.isPrefix ? maskTrailingDash(name) : name);
}

function validateCommon(meta: ObjectMeta, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if ((meta.generation ?? 0) < 0) {
    errors.push(invalidValue(path.child('generation'), meta.generation, 'must be greater than or equal to 0'));
  }
  return [...errors, ...validateMaps(meta, path), ...validateManagedFields(meta.managedFields, path)];
}

function validateMaps(meta: ObjectMeta, path: FieldPath): FieldError[] {
  return [
    ...validateLabels(meta.labels, path.child('labels')),
    ...validateAnnotations(meta.annotations, path.child('annotations')),
    ...validateOwnerReferences(meta.ownerReferences ?? [], path.child('ownerReferences')),
    ...validateFinalizers(meta.finalizers ?? [], path.child('finalizers')),
  ];
}

function validateOwnerReferences(owners: readonly Partial<OwnerReference>[], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let controller = '';
  for (const owner of owners) {
    const { apiVersion = '', kind = '', name = '', uid = '' } = owner;
    const { group, version } = parseApiVersion(apiVersion);
    if (version === '') errors.push(invalidValue(path.child('apiVersion'), apiVersion, 'version must not be empty'));
    if (kind === '') errors.push(invalidValue(path.child('kind'), kind, 'must not be empty'));
    if (name === '') errors.push(invalidValue(path.child('name'), name, 'must not be empty'));
    if (uid === '') errors.push(invalidValue(path.child('uid'), uid, 'must not be empty'));
    if (group === '' && version === 'v1' && kind === 'Event') {
      errors.push(invalidValue(path, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (owner.controller !== true) continue;
    const current = `${kind}/${name}`;
    if (controller === '') controller = current;
    else {
      const detail =
        'Only one reference can have Controller set to true. ' +
        `Found "true" in references for ${controller} and ${current}`;
      errors.push(invalidValue(path, owners, detail));
    }
  }
  return errors;
}

function validateFinalizers(finalizers: readonly string[], path: FieldPath): FieldError[] {
  const errors = finalizers.flatMap((finalizer) => each(path, finalizer, isQualifiedName(finalizer)));
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const detail = 'finalizer orphan and foregroundDeletion cannot be both set';
    errors.push(invalidValue(path, finalizers, detail));
  }
  return errors;
}

function validateManagedFields(entries: readonly ManagedFieldsEntry[] | undefined, parent: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, entry] of (entries ?? []).entries()) {
    const path = parent.child('managedFields').index(index);
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      errors.push(invalidValue(path.child('operation'), entry.operation ?? '', 'must be `Apply` or `Update`'));
    }
    if (entry.fieldsType !== undefined && entry.fieldsType !== 'FieldsV1') {
      errors.push(invalidValue(path.child('fieldsType'), entry.fieldsType, 'must be `FieldsV1`'));
    }
    errors.push(...validateFieldManager(entry.manager ?? '', path.child('manager')));
    if (byteLength(entry.subresource ?? '') > SUBRESOURCE_BYTES_MAX) {
      errors.push(tooLong(path.child('subresource'), SUBRESOURCE_BYTES_MAX));
    }
  }
  return errors;
}

/** One `Invalid` error a message. */
export function each(path: FieldPath, value: unknown, messages: readonly string[]): FieldError[] {
  return messages.map((message) => invalidValue(path, value, message));
}
