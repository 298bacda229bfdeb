import { fail } from '../errors.ts';
import { isEqual } from '../values/equality.ts';
import { isPlainObject } from '../values/maps.ts';
import { makeDouble } from '../values/numbers.ts';
import { parseDuration, parseTimestamp } from '../values/time.ts';
import { CelValue } from '../values/value.ts';
import type { CelType } from '../types/type.ts';
import type { StructuralSchema } from './structural-schema.ts';

type Convert = (raw: unknown) => unknown;
type List = readonly unknown[];

/** What comparing needs to know of a part of a schema. */
export interface ComparableNode {
  readonly schema: StructuralSchema;
  readonly type: CelType;
  /** By the property's name. */
  readonly properties?: ReadonlyMap<string, ComparableNode>;
  /** Of a list or a map. */
  readonly element?: ComparableNode;
  /** Whether values within compare otherwise than as plain JSON. */
  readonly hasOwnEquality: boolean;
}

/** How the JSON of a scalar becomes its CEL value; undefined where the JSON is the value. */
export function scalarConversion(node: Pick<ComparableNode, 'schema'>): Convert | undefined {
  const { type, format } = node.schema;
  if (type === 'number') return (raw) => (typeof raw === 'number' ? makeDouble(raw) : raw);
  if (type !== 'string') return undefined;
  switch (format) {
    case 'byte':
      return (raw) => (typeof raw === 'string' ? new Uint8Array(Buffer.from(raw, 'base64')) : raw);
    case 'duration':
      return ofText(
        (text) => parseDuration(text),
        (text) => `Invalid duration ${text}`,
      );
    case 'date':
      return ofText(
        (text) => parseTimestamp(`${text}T00:00:00Z`),
        (text) => `Invalid date formatted string ${text}`,
      );
    case 'date-time':
      return ofText(
        (text) => parseTimestamp(text.toUpperCase()),
        (text) => `Invalid date-time formatted string ${text}`,
      );
    default:
      return undefined;
  }
}

function ofText(parse: (text: string) => unknown, problem: (text: string) => string): Convert {
  return (raw) => (typeof raw === 'string' ? (parse(raw) ?? fail(problem(raw))) : raw);
}

/** The same for each element of a list or each value of a map. */
export function containerConversion(kind: 'list' | 'map', convert: Convert): Convert {
  const element: Convert = (raw) => (raw === null ? null : convert(raw));
  if (kind === 'list') return (raw) => (Array.isArray(raw) ? raw.map(element) : raw);
  return (raw) => {
    if (!isPlainObject(raw)) return raw;
    return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, element(value)]));
  };
}

/** Equality as the schema has it: sets and maps in any order, formatted strings by what they mean. */
export function schemaEquality(node: ComparableNode): (left: unknown, right: unknown) => boolean {
  return (left, right) => areEqual(node, left, right);
}

function areEqual(node: ComparableNode | undefined, left: unknown, right: unknown): boolean {
  if (node === undefined || !node.hasOwnEquality) return isEqual(left, right);
  if (Array.isArray(left) && Array.isArray(right)) return areListsEqual(node, left, right);
  if (isPlainObject(left) && isPlainObject(right)) return areObjectsEqual(node, left, right);
  return isEqual(meaning(node, left), meaning(node, right));
}

/** Values come converted or raw, depending on whether the expression has selected them itself. */
function meaning({ type }: ComparableNode, value: unknown): unknown {
  return type.convert === undefined || value instanceof CelValue || value === null ? value : type.convert(value);
}

function areObjectsEqual(
  node: ComparableNode,
  left: Readonly<Record<string, unknown>>,
  right: Readonly<Record<string, unknown>>,
): boolean {
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => {
    if (!Object.hasOwn(right, key)) return false;
    return areEqual(node.properties?.get(key) ?? node.element, left[key], right[key]);
  });
}

function areListsEqual(node: ComparableNode, left: List, right: List): boolean {
  if (left.length !== right.length) return false;
  const { element } = node;
  switch (node.schema['x-kubernetes-list-type']) {
    case 'set':
      return left.every((item) => right.some((other) => areEqual(element, item, other)));
    case 'map': {
      const byKey = new Map(right.map((item) => [mapKey(node, item), item]));
      return left.every((item) => {
        const key = mapKey(node, item);
        return byKey.has(key) && areEqual(element, item, byKey.get(key));
      });
    }
    default:
      return left.every((item, index) => areEqual(element, item, right[index]));
  }
}

/** `a + b` of lists that are sets or maps: the elements of b that a lacks come last, those it has replace a's. */
export function schemaConcat(node: ComparableNode): ((left: List, right: List) => unknown[]) | undefined {
  const listType = node.schema['x-kubernetes-list-type'];
  if (listType === 'set') {
    return (left, right) => {
      const joined = [...left];
      const simple = new Set<unknown>(left);
      for (const item of right) {
        if (simple.has(item) || (typeof item === 'object' && joined.some((other) => isEqual(other, item)))) continue;
        simple.add(item);
        joined.push(item);
      }
      return joined;
    };
  }
  if (listType !== 'map') return undefined;
  return (left, right) => {
    const joined = new Map(left.map((item) => [mapKey(node, item), item]));
    for (const item of right) joined.set(mapKey(node, item), item);
    return [...joined.values()];
  };
}

function mapKey({ schema }: ComparableNode, item: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return JSON.stringify(keys.map((key) => (isPlainObject(item) && Object.hasOwn(item, key) ? item[key] : null)));
}
