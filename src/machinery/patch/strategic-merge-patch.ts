import { deepCopy, deepEqual, setOwn } from '../codec/deep.ts';
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
 * Throws `PatchError`.
 */
export function applyStrategicMergePatch(document: unknown, patch: unknown, schemas: SchemaSet, name: string): unknown {
  if (!isFields(patch)) throw new PatchError('malformed', 'a strategic merge patch must be an object');
  const merger = new StrategicMerger(schemas);
  return merger.mergeFields(isFields(document) ? document : {}, patch, { type: 'ref', ref: name });
}

class StrategicMerger {
  readonly #schemas: SchemaSet;

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas;
  }

  mergeFields(original: Fields, patch: Fields, schema: Schema): Fields {
    if (Object.hasOwn(patch, DIRECTIVE)) return this.#directive(patch);
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
      if (key.startsWith(DELETE_PRIMITIVES)) deletePrimitives(result, key.slice(DELETE_PRIMITIVES.length), value);
      else if (value === null) delete result[key];
      else setOwn(result, key, this.#mergeValue(ownValue(result, key), value, this.#fieldSchema(schema, key)));
    }
    return result;
  }

  #directive(patch: Fields): Fields {
    const { [DIRECTIVE]: directive, ...rest } = patch;
    if (directive === 'replace') return cleanFields(rest);
    if (directive === 'delete') return {};
    if (directive === 'merge') throw new PatchError('malformed', 'delete patch type with no merge key defined');
    throw new PatchError('malformed', `unknown patch type found: ${printed(directive)}`);
  }

  #mergeValue(original: unknown, patch: unknown, schema: Schema): unknown {
    if (isFields(patch) && isFields(original)) {
      return strategyOf(schema).includes('replace') ? cleanFields(patch) : this.mergeFields(original, patch, schema);
    }
    if (Array.isArray(patch) && Array.isArray(original) && strategyOf(schema).includes('merge')) {
      return this.#mergeList(original, patch, schema);
    }
    return clean(patch);
  }

  /** Handles `$setElementOrder/field`; says whether the patch's list of that field is done with. */
  #reorder(task: { result: Fields; patch: Fields; field: string; order: unknown; schema: Schema }): boolean {
    const { result, patch, field, order, schema } = task;
    if (!Array.isArray(order)) throw new PatchError('malformed', `invalid type for ${ELEMENT_ORDER}${field}`);
    const live = ownValue(result, field);
    const list = ownValue(patch, field);
    const hasLive = Array.isArray(live);
    const hasList = Array.isArray(list);
    if (!hasLive && !hasList) return false;
    const { mergeKey } = schema;
    if (hasList) checkOrder(list, order, mergeKey);
    const merged = hasLive && hasList ? this.#mergeList(live, list, schema) : clean(hasLive ? live : list);
    // Safe: both branches give a list.
    const ordered = orderMerged(merged as unknown[], { patchOrder: order, liveOrder: hasLive ? live : [], mergeKey });
    setOwn(result, field, ordered);
    return hasList;
  }

  #mergeList(original: readonly unknown[], patch: readonly unknown[], schema: Schema): unknown[] {
    const { mergeKey } = schema;
    if (original.length === 0 && patch.length === 0) return [];
    const sample = patch[0] ?? original[0];
    if (!isFields(sample)) return mergePrimitives(original, patch);
    if (mergeKey === undefined) {
      throw new PatchError('malformed', 'cannot merge lists without merge key for type');
    }
    const plain = patch.filter((item) => !Object.hasOwn(asFields(item), DIRECTIVE)).map(asFields);
    if (patch.some((item) => ownValue(asFields(item), DIRECTIVE) === 'replace')) return plain.map(cleanFields);
    const kept = deleteItems(original, patch, mergeKey);
    const itemSchema = schema.items ?? { type: 'any' };
    const merged = [...kept];
    for (const item of plain) {
      if (!Object.hasOwn(item, mergeKey)) {
        throw new PatchError(
          'malformed',
          `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
        );
      }
      const at = merged.findIndex((candidate) => sameItem(candidate, item, mergeKey));
      if (at < 0) merged.push(cleanFields(item));
      else merged[at] = this.mergeFields(asFields(merged[at]), item, itemSchema);
    }
    return orderMerged(merged, { patchOrder: plain, liveOrder: kept, mergeKey });
  }

  #fieldSchema(schema: Schema, field: string): Schema {
    const resolved = resolveSchema(this.#schemas, schema);
    if (resolved.type === 'map') return resolved.items ?? { type: 'any' };
    return ownValue(resolved.fields ?? {}, field) ?? { type: 'any' };
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asFields(value: unknown): Fields {
  if (!isFields(value)) throw new PatchError('malformed', 'items of a merged list must all be objects');
  return value;
}

function ownValue<T>(fields: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function strategyOf(schema: Schema): string[] {
  return schema.patchStrategy?.split(',') ?? [];
}

/** `$retainKeys` drops every field that it does not list; the patch may only set listed ones. */
function retainKeys(result: Fields, patch: Fields): Fields {
  if (!Object.hasOwn(patch, RETAIN_KEYS)) return result;
  const listed = patch[RETAIN_KEYS];
  if (!Array.isArray(listed)) throw new PatchError('malformed', 'invalid format for $retainKeys');
  for (const [key, value] of Object.entries(patch)) {
    if (key !== RETAIN_KEYS && !key.startsWith('$') && value !== null && !listed.includes(key)) {
      throw new PatchError('malformed', 'key in $retainKeys list does not contain all the patched keys');
    }
  }
  for (const key of Object.keys(result)) if (!listed.includes(key)) delete result[key];
  return result;
}

function printed(directive: unknown): string {
  return typeof directive === 'string' ? directive : JSON.stringify(directive);
}

function deletePrimitives(result: Fields, field: string, values: unknown): void {
  if (!Array.isArray(values)) throw new PatchError('malformed', `invalid type for ${DELETE_PRIMITIVES}${field}`);
  const live = ownValue(result, field);
  if (!Array.isArray(live)) return;
  setOwn(
    result,
    field,
    live.filter((item) => !values.some((value) => deepEqual(value, item))),
  );
}

function mergePrimitives(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const merged: unknown[] = [];
  for (const item of [...original, ...patch]) {
    if (!merged.some((known) => deepEqual(known, item))) merged.push(item);
  }
  return orderMerged(merged, { patchOrder: patch, liveOrder: original, mergeKey: undefined });
}

/** Removes the items that `{$patch: delete, key: …}` names. */
function deleteItems(original: readonly unknown[], patch: readonly unknown[], mergeKey: string): unknown[] {
  let kept = [...original];
  for (const item of patch) {
    const directive = fieldOf(item, DIRECTIVE);
    if (directive === undefined || directive === 'replace') continue;
    if (directive !== 'delete') throw new PatchError('malformed', `unknown patch type found: ${printed(directive)}`);
    if (fieldOf(item, mergeKey) === undefined) {
      throw new PatchError('malformed', 'delete patch type with no merge key defined');
    }
    kept = kept.filter((candidate) => !sameItem(candidate, item, mergeKey));
  }
  return kept;
}

function checkOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  const positions = list
    .filter((item) => fieldOf(item, DIRECTIVE) === undefined)
    .map((item) => order.findIndex((candidate) => sameItem(candidate, item, mergeKey)));
  const isOrdered = positions.every((position, index) => position >= 0 && position >= (positions[index - 1] ?? 0));
  if (isOrdered) return;
  const shown = `The order in patch list:\n${JSON.stringify(list)}\n doesn't match ${ELEMENT_ORDER} list:\n${JSON.stringify(order)}\n`;
  throw new PatchError('malformed', shown);
}

/** A value that is new to the document: directives and nulls in it have nothing to act on. */
function clean(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => fieldOf(item, DIRECTIVE) === undefined).map(clean);
  }
  return isFields(value) ? cleanFields(value) : deepCopy(value);
}

function cleanFields(fields: Fields): Fields {
  const result: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    const isDirective =
      key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(ELEMENT_ORDER) || key.startsWith(DELETE_PRIMITIVES);
    if (!isDirective && value !== null) setOwn(result, key, clean(value));
  }
  return result;
}
