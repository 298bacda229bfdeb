import { deepCopy, deepEqual, setOwn } from '../codec/deep.ts';
import { encodeValue } from '../codec/json.ts';
import { DEPTH_MAX } from '../codec/json-errors.ts';
import { PatchError } from './errors.ts';

/** More operations are refused (413), as upstream does. */
export const JSON_PATCH_OPERATIONS_MAX = 10_000;

/** What all `copy` operations of one patch may add together: a small patch could double a document over and over. */
const COPIED_CHARACTERS_MAX = 3 * 1024 * 1024;

type Container = Record<string, unknown> | unknown[];

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: unknown;
}

/**
 * Applies a JSON patch (RFC 6902) to a copy of the document; throws `PatchError`. As upstream's library has it,
 * replacing an absent field sets it, an absent field tests equal to `null`, and negative indices count from the end.
 */
export function applyJsonPatch(document: unknown, operations: unknown): unknown {
  const patcher = new JsonPatcher(deepCopy(document));
  const list = parseOperations(operations);
  for (const operation of list) patcher.apply(operation);
  // What is moved or added far below could nest deeper with every operation than any reader follows.
  if (list.some(({ op, path }) => op === 'move' || op === 'copy' || path.length > DEPTH_MAX)) {
    checkDepth(patcher.document);
  }
  return patcher.document;
}

function parseOperations(operations: unknown): Operation[] {
  if (!Array.isArray(operations)) {
    throw new PatchError('malformed', 'json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  }
  return operations.map((operation: unknown) => {
    if (typeof operation !== 'object' || operation === null || Array.isArray(operation)) {
      throw new PatchError('malformed', 'json: cannot unmarshal value into Go value of type jsonpatch.Operation');
    }
    // Safe: an object is read by its own keys, each of which is checked.
    const { op, path, from, value } = operation as Record<string, unknown>;
    return { op: textOf(op), path: textOf(path), from: textOf(from), value: value ?? null };
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'unknown';
}

class JsonPatcher {
  document: unknown;
  #copiedCharacters = 0;

  constructor(document: unknown) {
    this.document = document;
  }

  apply({ op, path, from, value }: Operation): void {
    switch (op) {
      case 'add': {
        const place = this.#locate(path, `add operation does not apply: doc is missing path: "${path}"`);
        return addTo(place, deepCopy(value), `error in add for path: '${path}'`);
      }
      case 'remove': {
        const place = this.#locate(path, `remove operation does not apply: doc is missing path: "${path}"`);
        return removeFrom(place, `error in remove for path: '${path}'`);
      }
      case 'replace':
        return this.#replace(path, deepCopy(value));
      case 'move':
        return this.#move(from, path);
      case 'copy':
        return this.#copy(from, path);
      case 'test':
        return this.#test(path, value);
      default:
        return fail(`Unexpected kind: ${op}`);
    }
  }

  #replace(path: string, value: unknown): void {
    if (path === '') {
      if (!isContainer(value)) fail('replace operation value must be object or array');
      this.document = value;
      return;
    }
    const { container, key } = this.#locate(path, `replace operation does not apply: doc is missing path: ${path}`);
    if (!Array.isArray(container)) return setOwn(container, key, value);
    const index = arrayIndex(key, container.length - 1);
    if (index === undefined)
      return fail(`replace operation does not apply: doc is missing key: ${path}: missing value`);
    container[index] = value;
    return undefined;
  }

  #move(from: string, path: string): void {
    const source = this.#locate(from, `move operation does not apply: doc is missing from path: ${from}`);
    const value = valueAt(source, `error in move for path: '${source.key}'`);
    removeFrom(source, `error in move for path: '${source.key}'`);
    const target = this.#locate(path, `move operation does not apply: doc is missing destination path: ${path}`);
    addTo(target, value, `error in move for path: '${path}'`);
  }

  #copy(from: string, path: string): void {
    const source = this.#locate(from, `copy operation does not apply: doc is missing from path: ${from}`);
    const value = valueAt(source, `error in copy for from: '${from}'`) ?? null;
    const target = this.#locate(path, `copy operation does not apply: doc is missing destination path: ${path}`);
    checkDepth(value);
    this.#copiedCharacters += encodeValue(value).length;
    if (this.#copiedCharacters > COPIED_CHARACTERS_MAX) {
      fail(
        'Unable to complete the copy, the accumulated size increase of copy is ' +
          `${this.#copiedCharacters}, exceeding the limit ${COPIED_CHARACTERS_MAX}`,
      );
    }
    addTo(target, deepCopy(value), 'error while adding value during copy');
  }

  #test(path: string, expected: unknown): void {
    if (path === '') {
      if (!deepEqual(this.document, expected)) failTest(path);
      return;
    }
    const place = this.#locate(path, `test operation does not apply: is missing path: ${path}`);
    const actual = valueAt(place, `error in test for path: '${path}'`) ?? null;
    if (!deepEqual(actual, expected)) failTest(path);
  }

  /** The container and last token that a pointer names. */
  #locate(pointer: string, missing: string): Place {
    const tokens = pointer.split('/');
    let current: unknown = tokens.length < 2 ? undefined : this.document;
    for (const token of tokens.slice(1, -1)) current = childOf(current, decodeToken(token));
    if (!isContainer(current)) return fail(`${missing}: missing value`);
    return { container: current, key: decodeToken(tokens.at(-1) ?? '') };
  }
}

/** Refuses what is nested deeper than a document may be that is sent as a whole. */
function checkDepth(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEPTH_MAX) fail('exceeded max depth');
    level = level.flatMap((parent) => (isContainer(parent) ? Object.values(parent) : [])).filter(isContainer);
  }
}

interface Place {
  readonly container: Container;
  readonly key: string;
}

function failTest(path: string): never {
  throw new PatchError('inapplicable', `testing value ${path} failed: test failed`, { isFailedTest: true });
}

function fail(message: string): never {
  throw new PatchError('inapplicable', message);
}

function childOf(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    const index = arrayIndex(key, value.length - 1);
    return index === undefined ? undefined : value[index];
  }
  if (!isContainer(value) || !Object.hasOwn(value, key)) return undefined;
  // Safe: a container that is no array is read by its own keys.
  return (value as Record<string, unknown>)[key];
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function decodeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

const INDEX = /^[-+]?[0-9]+$/;

/** `undefined` where the text is no index or out of range. */
function arrayIndex(token: string, last: number): number | undefined {
  if (!INDEX.test(token)) return undefined;
  const index = Number(token);
  if (index > last || index < -(last + 1)) return undefined;
  return index < 0 ? index + last + 1 : index;
}

/** Why a text is no index of a list. */
function badIndex(token: string): string {
  if (INDEX.test(token)) return `Unable to access invalid index: ${token}: invalid index referenced`;
  return `strconv.Atoi: parsing ${JSON.stringify(token)}: invalid syntax`;
}

function valueAt({ container, key }: Place, context: string): unknown {
  if (Array.isArray(container) && arrayIndex(key, container.length - 1) === undefined) {
    return fail(`${context}: ${badIndex(key)}`);
  }
  return childOf(container, key);
}

function addTo({ container, key }: Place, value: unknown, context: string): void {
  if (!Array.isArray(container)) return setOwn(container, key, value);
  if (key === '-') {
    container.push(value);
    return undefined;
  }
  if (!INDEX.test(key)) return fail(`${context}: value was not a proper array index: '${key}': ${badIndex(key)}`);
  const index = arrayIndex(key, container.length);
  if (index === undefined) return fail(`${context}: ${badIndex(key)}`);
  container.splice(index, 0, value);
  return undefined;
}

function removeFrom({ container, key }: Place, context: string): void {
  if (Array.isArray(container)) {
    const index = arrayIndex(key, container.length - 1);
    if (index === undefined) return fail(`${context}: ${badIndex(key)}`);
    container.splice(index, 1);
    return undefined;
  }
  if (!Object.hasOwn(container, key)) {
    return fail(`${context}: Unable to remove nonexistent key: ${key}: missing value`);
  }
  delete container[key];
  return undefined;
}
