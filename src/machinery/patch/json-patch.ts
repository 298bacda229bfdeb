import { deepCopy, deepEqual, setOwn } from '../codec/deep.ts';
import { PatchError } from './errors.ts';

/** A patch may not be used to blow up a document; the server's limit. */
export const JSON_PATCH_OPERATIONS_MAX = 10_000;

type Container = Record<string, unknown> | unknown[];

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string | undefined;
  readonly value: unknown;
}

/** Applies a JSON patch (RFC 6902) to a copy of the document; throws `PatchError`. */
export function applyJsonPatch(document: unknown, operations: unknown): unknown {
  const root: { value: unknown } = { value: deepCopy(document) };
  for (const operation of parseOperations(operations)) applyOperation(root, operation);
  return root.value;
}

function parseOperations(operations: unknown): Operation[] {
  if (!Array.isArray(operations)) {
    throw new PatchError('malformed', 'json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  }
  return operations.map((operation: unknown) => {
    if (typeof operation !== 'object' || operation === null) {
      throw new PatchError('malformed', 'json: cannot unmarshal value into Go value of type jsonpatch.Operation');
    }
    // Safe: an object is read by its own keys, each of which is checked.
    const { op, path, from, value } = operation as Record<string, unknown>;
    return {
      op: typeof op === 'string' ? op : 'unknown',
      path: typeof path === 'string' ? path : 'unknown',
      from: typeof from === 'string' ? from : undefined,
      // An operation without a value sets null, as upstream's library does.
      value: value ?? null,
    };
  });
}

function applyOperation(root: { value: unknown }, operation: Operation): void {
  const { op, path } = operation;
  switch (op) {
    case 'add':
      return setAt(root, path, deepCopy(operation.value), 'add');
    case 'remove':
      removeAt(root, path, 'remove');
      return undefined;
    case 'replace':
      return replaceAt(root, path, deepCopy(operation.value));
    case 'move': {
      const moved = takeFrom(root, operation.from ?? 'unknown', 'move');
      removeAt(root, operation.from ?? 'unknown', 'move');
      return setAt(root, path, moved, 'move');
    }
    case 'copy':
      return setAt(root, path, deepCopy(takeFrom(root, operation.from ?? 'unknown', 'copy')), 'copy');
    case 'test':
      return testAt(root, path, operation.value);
    default:
      throw new PatchError('malformed', `Unexpected kind: ${op}`);
  }
}

function inapplicable(message: string): never {
  throw new PatchError('inapplicable', message);
}

/** The container and last token that a pointer names; no container where a part of the way is missing. */
function locate(root: { value: unknown }, pointer: string): { container: Container | undefined; key: string } {
  const tokens = pointer.split('/');
  const key = decodeToken(tokens.at(-1) ?? '');
  if (tokens.length < 2) return { container: undefined, key };
  let current = root.value;
  for (const token of tokens.slice(1, -1)) current = childOf(current, decodeToken(token));
  return { container: isContainer(current) ? current : undefined, key };
}

function childOf(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    const index = arrayIndex(key, value.length - 1);
    return index === undefined ? undefined : value[index];
  }
  if (!isContainer(value)) return undefined;
  // Safe: a container that is no array is read by its own keys.
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function decodeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** An index as Go's library reads it: negative counts from the end. `undefined` where it is none or out of range. */
function arrayIndex(token: string, last: number): number | undefined {
  if (!/^-?[0-9]+$/.test(token)) return undefined;
  const index = Number(token);
  if (index > last || index < -(last + 1)) return undefined;
  return index < 0 ? index + last + 1 : index;
}

function setAt(root: { value: unknown }, path: string, value: unknown, op: string): void {
  if (path === '') {
    root.value = value;
    return;
  }
  const { container, key } = locate(root, path);
  if (container === undefined) {
    return inapplicable(`${op} operation does not apply: doc is missing path: "${path}": missing value`);
  }
  if (!Array.isArray(container)) return setOwn(container, key, value);
  if (key === '-') {
    container.push(value);
    return undefined;
  }
  if (!/^-?[0-9]+$/.test(key)) {
    return inapplicable(
      `error in ${op} for path: '${path}': value was not a proper array index: '${key}': ` +
        `strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`,
    );
  }
  const index = arrayIndex(key, container.length);
  if (index === undefined) {
    return inapplicable(
      `error in ${op} for path: '${path}': Unable to access invalid index: ${key}: invalid index referenced`,
    );
  }
  container.splice(index, 0, value);
  return undefined;
}

function removeAt(root: { value: unknown }, path: string, op: string): void {
  const { container, key } = locate(root, path);
  if (container === undefined) {
    return inapplicable(`${op} operation does not apply: doc is missing path: "${path}": missing value`);
  }
  if (Array.isArray(container)) {
    const index = arrayIndex(key, container.length - 1);
    if (index === undefined) {
      return inapplicable(
        `error in ${op} for path: '${path}': Unable to access invalid index: ${key}: invalid index referenced`,
      );
    }
    container.splice(index, 1);
    return undefined;
  }
  if (!Object.hasOwn(container, key)) {
    return inapplicable(`error in ${op} for path: '${path}': Unable to remove nonexistent key: ${key}: missing value`);
  }
  delete container[key];
  return undefined;
}

function replaceAt(root: { value: unknown }, path: string, value: unknown): void {
  if (path === '') {
    root.value = value;
    return;
  }
  const { container, key } = locate(root, path);
  if (container === undefined) {
    return inapplicable(`replace operation does not apply: doc is missing path: ${path}: missing value`);
  }
  if (Array.isArray(container)) {
    const index = arrayIndex(key, container.length - 1);
    if (index === undefined) {
      return inapplicable(`replace operation does not apply: doc is missing key: ${path}: missing value`);
    }
    container[index] = value;
    return undefined;
  }
  if (!Object.hasOwn(container, key)) {
    return inapplicable(`replace operation does not apply: doc is missing key: ${path}: missing value`);
  }
  return setOwn(container, key, value);
}

function takeFrom(root: { value: unknown }, from: string, op: string): unknown {
  if (from === '') return root.value;
  const { container, key } = locate(root, from);
  if (container === undefined) {
    return inapplicable(`${op} operation does not apply: doc is missing from path: ${from}: missing value`);
  }
  const value = childOf(container, key);
  if (value === undefined) {
    return inapplicable(`error in ${op} for path: '${from}': Unable to get nonexistent key: ${key}: missing value`);
  }
  return value;
}

function testAt(root: { value: unknown }, path: string, expected: unknown): void {
  if (path === '') {
    if (deepEqual(root.value, expected)) return;
    return inapplicable(`testing value ${path} failed: test failed`);
  }
  const { container, key } = locate(root, path);
  if (container === undefined) {
    return inapplicable(`test operation does not apply: is missing path: ${path}: missing value`);
  }
  // An absent value equals null, as upstream's library has it.
  if (deepEqual(childOf(container, key) ?? null, expected)) return undefined;
  return inapplicable(`testing value ${path} failed: test failed`);
}
