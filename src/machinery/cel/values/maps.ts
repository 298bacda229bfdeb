import { fail } from '../errors.ts';
import { type CelType, DYN, mapType } from '../types/type.ts';
import { CelDouble, CelStruct, CelUint, CelValue } from './value.ts';

const MAP_TYPE = mapType(DYN, DYN);

/** What a key is found by: numbers of the same value are the same key whatever their type. */
type CanonicalKey = string | boolean | number | bigint;

/** A map made by an expression: keys may be strings, booleans, ints and uints. */
export class CelMap extends CelValue {
  readonly #entries = new Map<CanonicalKey, { readonly key: unknown; readonly value: unknown }>();

  get type(): CelType {
    return MAP_TYPE;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: unknown): boolean {
    const canonical = canonicalKey(key);
    return canonical !== undefined && this.#entries.has(canonical);
  }

  /** Undefined where there is no such key. */
  get(key: unknown): unknown {
    const canonical = canonicalKey(key);
    return canonical === undefined ? undefined : this.#entries.get(canonical)?.value;
  }

  keys(): unknown[] {
    return Array.from(this.#entries.values(), (entry) => entry.key);
  }

  /** Adds an entry to a map that nobody has seen yet. Fails on a key of another type, and on one already there. */
  insert(key: unknown, value: unknown, duplicateMessage: (key: unknown) => string): void {
    const canonical = key instanceof CelDouble ? undefined : canonicalKey(key);
    if (canonical === undefined || (typeof key === 'number' && !Number.isInteger(key))) fail('unsupported key type');
    if (this.#entries.has(canonical)) fail(duplicateMessage(key));
    this.#entries.set(canonical, { key, value });
  }

  copy(): CelMap {
    const copy = new CelMap();
    for (const [canonical, entry] of this.#entries) copy.#entries.set(canonical, entry);
    return copy;
  }

  /** Maps are compared by `isEqual` of equality.ts, which knows plain objects too. */
  isEqual(other: CelValue): boolean {
    return this === other;
  }
}

/** Anything with keys: a plain object, a map or a typed object. */
export type MapLike = Readonly<Record<string, unknown>> | CelMap | CelStruct;

/** Whether the value is a JSON object; arrays, bytes and the values of CEL are not. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof CelValue) &&
    !(value instanceof Uint8Array)
  );
}

export function isMapLike(value: unknown): value is MapLike {
  return value instanceof CelMap || value instanceof CelStruct || isPlainObject(value);
}

/** The value of a key; undefined where there is none. */
export function mapGet(map: MapLike, key: unknown): unknown {
  if (map instanceof CelMap) return map.get(key);
  if (typeof key !== 'string') return undefined;
  if (map instanceof CelStruct) return map.get(key);
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

export function mapHas(map: MapLike, key: unknown): boolean {
  if (map instanceof CelMap) return map.has(key);
  if (typeof key !== 'string') return false;
  return map instanceof CelStruct ? map.has(key) : Object.hasOwn(map, key) && map[key] !== undefined;
}

export function mapKeys(map: MapLike): readonly unknown[] {
  if (map instanceof CelMap) return map.keys();
  return map instanceof CelStruct ? map.fieldNames() : Object.keys(map);
}

export function mapSize(map: MapLike): number {
  return map instanceof CelMap ? map.size : mapKeys(map).length;
}

/** Undefined for what can be no key at all. */
function canonicalKey(key: unknown): CanonicalKey | undefined {
  switch (typeof key) {
    case 'string':
    case 'boolean':
    case 'number':
    case 'bigint':
      return key;
    default:
      break;
  }
  if (key instanceof CelDouble) return key.value === 0 ? 0 : key.value;
  if (!(key instanceof CelUint)) return undefined;
  return key.value <= 9_007_199_254_740_991n ? Number(key.value) : key.value;
}
