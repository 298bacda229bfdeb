import { deepCopy, deepEqual, setOwn } from '../codec/deep.ts';
import { goText } from '../schema/go-print.ts';
import { resolveSchema, type Schema, type SchemaSet } from '../schema/schema.ts';
import { PatchError } from './errors.ts';
import { fieldOf, orderMerged, sameItem } from './list-order.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const ELEMENT_ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

type Fields = Record<string, unknown>;

/**
 * Applies a strategic merge patch: like a merge patch, but lists with a merge key are merged item by item, and `$patch`,
 * `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` say what else to do. Changes neither input.
 * Throws `PatchError` in upstream's words.
 */
export function applyStrategicMergePatch(document: unknown, patch: unknown, schemas: SchemaSet, name: string): unknown {
  if (!isFields(patch)) throw malformed('invalid JSON document');
  const merger = new StrategicMerger(schemas);
  return merger.mergeFields(isFields(document) ? document : {}, patch, { type: 'ref', ref: name });
}

class StrategicMerger {
  readonly #schemas: SchemaSet;

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas;
  }

  mergeFields(original: Fields, patch: Fields, schema: Schema): Fields {
    if (Object.hasOwn(patch, DIRECTIVE)) return mapDirective(patch);
    const result = retainKeys({ ...original }, patch);
    const done = new Set<string>([RETAIN_KEYS]);
    for (const [key, order] of Object.entries(patch)) {
      if (!key.startsWith(ELEMENT_ORDER)) continue;
      done.add(key);
      const field = key.slice(ELEMENT_ORDER.length);
      if (this.#reorder({ result, patch, field, order, schema: this.#fieldSchema(schema, field) })) done.add(field);
    }
    for (const [key, value] of Object.entries(patch)) {
      if (done.has(key)) continue;
      if (key.startsWith(DELETE_PRIMITIVES)) this.#deletePrimitives(result, key.slice(DELETE_PRIMITIVES.length), value);
      else if (value === null) delete result[key];
      else this.#setField(result, key, { value, schema: this.#fieldSchema(schema, key) });
    }
    return result;
  }

  #setField(result: Fields, key: string, { value, schema }: { value: unknown; schema: Schema }): void {
    const original = ownValue(result, key);
    const strategy = strategyOf(schema);
    if (isFields(value) && isFields(original) && !strategy.includes('replace')) {
      setOwn(result, key, this.mergeFields(original, value, schema));
    } else if (Array.isArray(value) && Array.isArray(original) && strategy.includes('merge')) {
      setOwn(result, key, this.#mergeList(original, value, schema));
    } else if (isFields(value) && isFields(original)) {
      setOwn(result, key, deepCopy(value));
    } else {
      const { kept, isKept } = withoutDirectives(value);
      if (isKept) setOwn(result, key, kept);
      else if (original !== undefined) delete result[key];
    }
  }

  /** Handles `$setElementOrder/field`; says whether the patch's list of that field is done with. */
  #reorder(task: { result: Fields; patch: Fields; field: string; order: unknown; schema: Schema }): boolean {
    const { result, patch, field, order, schema } = task;
    if (!Array.isArray(order)) throw badArgument(order);
    const live = ownValue(result, field);
    const list = ownValue(patch, field);
    if (live !== undefined && !Array.isArray(live)) throw badArgument(live);
    if (list !== undefined && list !== null && !Array.isArray(list)) throw badArgument(list);
    const hasList = Array.isArray(list);
    if (live === undefined && !hasList) return false;
    const { mergeKey } = schema;
    if (hasList) checkOrder(list, order, mergeKey);
    const merged = hasList ? this.#mergedWith(live, list, schema) : deepCopy(live ?? []);
    if (mergeKey !== undefined) checkKeys([...merged, ...order], mergeKey);
    const ordered = orderMerged(merged, { patchOrder: order, liveOrder: live ?? [], mergeKey });
    setOwn(result, field, ordered);
    return hasList;
  }

  #mergedWith(live: readonly unknown[] | undefined, list: readonly unknown[], schema: Schema): unknown[] {
    if (live === undefined) {
      const { kept } = withoutDirectives(list);
      return Array.isArray(kept) ? kept : [];
    }
    return strategyOf(schema).includes('merge') ? this.#mergeList(live, list, schema) : [...list].map(deepCopy);
  }

  #mergeList(original: readonly unknown[], patch: readonly unknown[], schema: Schema): unknown[] {
    const { mergeKey } = schema;
    if (original.length === 0 && patch.length === 0) return [];
    const type = itemType(original, patch);
    if (type !== 'object') return mergePrimitives(original, patch);
    if (mergeKey === undefined) throw malformed('cannot merge lists without merge key for type');
    const plain = patch.map(asFields).filter((item) => !Object.hasOwn(item, DIRECTIVE));
    const kept = applyItemDirectives(original, patch.map(asFields), mergeKey);
    if (kept === undefined) return plain.map((item) => deepCopy(item));
    const itemSchema = schema.items ?? { type: 'any' };
    const merged = [...kept];
    for (const item of plain) {
      if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
      const at = merged.findIndex((candidate) => sameItem(candidate, item, mergeKey));
      if (at < 0) merged.push(itemToAdd(item));
      else merged[at] = this.mergeFields(asFields(merged[at]), item, itemSchema);
    }
    checkKeys(merged, mergeKey);
    return orderMerged(merged, { patchOrder: plain, liveOrder: kept, mergeKey });
  }

  #deletePrimitives(result: Fields, field: string, values: unknown): void {
    const live = ownValue(result, field);
    if (values === null) {
      delete result[field];
      return;
    }
    if (!Array.isArray(values) || !Array.isArray(live)) return;
    const left = live.filter((item) => !values.some((value) => deepEqual(value, item)));
    setOwn(result, field, left);
  }

  #fieldSchema(schema: Schema, field: string): Schema {
    const resolved = resolveSchema(this.#schemas, schema);
    if (resolved.type === 'map') return resolved.items ?? { type: 'any' };
    return ownValue(resolved.fields ?? {}, field) ?? { type: 'any' };
  }
}

function malformed(message: string): PatchError {
  return new PatchError('malformed', message);
}

function badArgument(actual: unknown): PatchError {
  return malformed(`expected a []interface {}, but received a ${typeName(actual)}`);
}

function typeName(value: unknown): string {
  if (value === null) return 'nil';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value;
}

function badDirective(directive: unknown, item: Fields): PatchError {
  return malformed(`unknown patch type: ${goText(directive)} in map: ${goText(item)}`);
}

function noMergeKey(item: Fields, mergeKey: string): PatchError {
  return malformed(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asFields(value: unknown): Fields {
  if (!isFields(value)) throw badArgumentOfItem(value);
  return value;
}

function badArgumentOfItem(value: unknown): PatchError {
  return malformed(`expected a map[string]interface {}, but received a ${typeName(value)}`);
}

function ownValue<T>(fields: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function strategyOf(schema: Schema): string[] {
  return schema.patchStrategy?.split(',') ?? [];
}

function mapDirective(patch: Fields): Fields {
  const { [DIRECTIVE]: directive, ...rest } = patch;
  if (directive === 'replace') return deepCopy(rest);
  if (directive === 'delete') return {};
  throw badDirective(directive, patch);
}

/** `$retainKeys` drops every field that it does not list; the patch may only set listed ones. */
function retainKeys(result: Fields, patch: Fields): Fields {
  if (!Object.hasOwn(patch, RETAIN_KEYS)) return result;
  const listed = patch[RETAIN_KEYS];
  if (!Array.isArray(listed)) throw malformed('invalid patch format of retainKeys');
  for (const [key, value] of Object.entries(patch)) {
    const isDirective = key === RETAIN_KEYS || key.startsWith(ELEMENT_ORDER) || key.startsWith(DELETE_PRIMITIVES);
    if (!isDirective && value !== null && !listed.includes(key)) {
      throw malformed('invalid patch format of retainKeys');
    }
  }
  for (const key of Object.keys(result)) if (!listed.includes(key)) delete result[key];
  return result;
}

/** What the items of both lists are; they must all be the same, and no lists. */
function itemType(...lists: readonly (readonly unknown[])[]): string {
  let found: string | undefined;
  for (const item of lists.flat(1)) {
    const type = Array.isArray(item) ? 'array' : item === null ? 'null' : typeof item;
    if (found === undefined && type === 'array')
      throw new PatchError('inapplicable', 'lists of lists are not supported');
    if (found !== undefined && type !== found) {
      throw malformed(`list element types are not identical: ${goText(lists)}`);
    }
    found = type;
  }
  return found ?? 'null';
}

function mergePrimitives(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const merged: unknown[] = [];
  for (const item of [...original, ...patch]) {
    if (!merged.some((known) => deepEqual(known, item))) merged.push(item);
  }
  return orderMerged(merged, { patchOrder: patch, liveOrder: original, mergeKey: undefined });
}

/** The items that are left after `{$patch: delete, key: …}`; `undefined` where `{$patch: replace}` drops all. */
function applyItemDirectives(
  original: readonly unknown[],
  patch: readonly Fields[],
  mergeKey: string,
): unknown[] | undefined {
  let kept: unknown[] = [...original];
  let isReplaced = false;
  for (const item of patch) {
    const directive = fieldOf(item, DIRECTIVE);
    if (directive === undefined) continue;
    if (directive === 'replace') isReplaced = true;
    else if (directive === 'merge') throw malformed('merging lists cannot yet be specified in the patch');
    else if (directive !== 'delete') throw badDirective(directive, item);
    else if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
    else kept = kept.filter((candidate) => !sameItem(candidate, item, mergeKey));
  }
  return isReplaced ? undefined : kept;
}

// An item that the object does not have is taken as it is, without what only says how to merge.
function itemToAdd(item: Fields): unknown {
  return withoutDirectives(item).kept;
}

function checkKeys(items: readonly unknown[], mergeKey: string): void {
  for (const item of items) {
    const fields = asFields(item);
    if (!Object.hasOwn(fields, mergeKey)) throw noMergeKey(fields, mergeKey);
  }
}

/** The items of the patch that stay must stand in the wanted order as they do in the patch. */
function checkOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  if (order.length === 0 || list.length === 0) return;
  const items = list.filter((item) => fieldOf(item, DIRECTIVE) === undefined);
  let found = 0;
  for (const candidate of order) {
    if (found < items.length && sameItem(items[found], candidate, mergeKey)) found += 1;
  }
  if (found === items.length) return;
  throw malformed(
    `The order in patch list:\n${goText(list)}\n doesn't match ${ELEMENT_ORDER.slice(0, -1)} list:\n${goText(order)}\n`,
  );
}

/** A value that is new to the document. Says, too, whether it is one at all or just a directive. */
function withoutDirectives(value: unknown): { kept: unknown; isKept: boolean } {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => withoutDirectives(item)).filter(({ isKept }) => isKept);
    return { kept: items.map(({ kept }) => kept), isKept: true };
  }
  if (!isFields(value)) return { kept: value, isKept: true };
  // A directive has nothing to act on, and goes with all that stands beside it.
  if (Object.hasOwn(value, DIRECTIVE)) return { kept: undefined, isKept: false };
  const result: Fields = {};
  for (const [key, child] of Object.entries(value)) {
    const isDirective =
      key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(ELEMENT_ORDER) || key.startsWith(DELETE_PRIMITIVES);
    if (isDirective || child === null) continue;
    const { kept, isKept } = withoutDirectives(child);
    if (isKept) setOwn(result, key, kept);
  }
  return { kept: result, isKept: true };
}
