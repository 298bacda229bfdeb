import { deepEqual } from '../codec/deep.ts';
import { encodeValue } from '../codec/json.ts';
import { type FieldTree, LEAF, sortedTree } from './field-tree.ts';
import { childPlan, type FieldsPlan, type ItemsPlan, type ListKey, type Plan } from './plan.ts';

export interface Comparison {
  /** Paths that are new or have another value. */
  readonly changed: FieldTree | undefined;
  readonly removed: FieldTree | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
type MutableTree = Record<string, FieldTree>;

/**
 * Which fields differ between two states of an object, as structured-merge-diff sees it. Both trees are absent where
 * the states are the same; subtrees that are the same reference are not walked.
 */
export function compare(plan: Plan, live: unknown, next: unknown): Comparison {
  if (live === next) return SAME;
  if (live === undefined) return { changed: wholeTree(plan, next), removed: undefined };
  if (next === undefined) return { changed: undefined, removed: wholeTree(plan, live) };
  switch (plan.type) {
    case 'struct':
    case 'map':
    case 'deduced': {
      const left = fieldsOf(live);
      const right = fieldsOf(next);
      if (left === undefined || right === undefined) return exchanged(plan, live, next);
      return isEmpty(left) && isEmpty(right) ? leaf(live, next) : compareFields(plan, left, right);
    }
    case 'set':
    case 'list': {
      const left = itemsOf(live);
      const right = itemsOf(next);
      if (left === undefined || right === undefined) return exchanged(plan, live, next);
      return left.length === 0 && right.length === 0 ? leaf(live, next) : compareItems(plan, left, right);
    }
    case 'leaf':
      return leaf(live, next);
    default:
      return plan satisfies never;
  }
}

const SAME: Comparison = { changed: undefined, removed: undefined };
const MODIFIED: Comparison = { changed: LEAF, removed: undefined };
const NO_FIELDS: Fields = Object.freeze({});

function leaf(live: unknown, next: unknown): Comparison {
  return deepEqual(live, next) ? SAME : MODIFIED;
}

/** One side is no container at all: what was below it is gone, what is there now is new. */
function exchanged(plan: Plan, live: unknown, next: unknown): Comparison {
  if (deepEqual(live, next)) return SAME;
  return { changed: wholeTree(plan, next), removed: wholeTree(plan, live) };
}

/** The members of an object; `null` has none, anything else is no object. */
function fieldsOf(value: unknown): Fields | undefined {
  if (value === null) return NO_FIELDS;
  // Safe: an object that is no array is read by its own keys.
  return typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : undefined;
}

function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (value === null) return [];
  return Array.isArray(value) ? value : undefined;
}

function isEmpty(fields: Fields): boolean {
  for (const _ in fields) return false;
  return true;
}

function elementOf(plan: FieldsPlan, name: string): string {
  return plan.type === 'struct' ? (plan.fields.get(name)?.element ?? `f:${name}`) : `f:${name}`;
}

function compareFields(plan: FieldsPlan, live: Fields, next: Fields): Comparison {
  let changed: MutableTree | undefined;
  let removed: MutableTree | undefined;
  for (const name in next) {
    const right = next[name];
    const left = Object.hasOwn(live, name) ? live[name] : undefined;
    if (left === right) continue;
    const child = childPlan(plan, name);
    if (child === undefined) continue;
    const result = compare(child, left, right);
    if (result.changed !== undefined) (changed ??= {})[elementOf(plan, name)] = result.changed;
    if (result.removed !== undefined) (removed ??= {})[elementOf(plan, name)] = result.removed;
  }
  for (const name in live) {
    if (live[name] === undefined || (Object.hasOwn(next, name) && next[name] !== undefined)) continue;
    const child = childPlan(plan, name);
    if (child !== undefined) (removed ??= {})[elementOf(plan, name)] = wholeTree(child, live[name]);
  }
  return finish(changed, removed);
}

function compareItems(plan: ItemsPlan, live: readonly unknown[], next: readonly unknown[]): Comparison {
  let changed: MutableTree | undefined;
  let removed: MutableTree | undefined;
  const left = itemsByElement(plan, live);
  for (const [element, items] of itemsByElement(plan, next)) {
    const known = left.get(element);
    left.delete(element);
    const result = compareSameElement(plan, known, items);
    if (result.changed !== undefined) (changed ??= {})[element] = result.changed;
    if (result.removed !== undefined) (removed ??= {})[element] = result.removed;
  }
  for (const [element, [item]] of left) {
    (removed ??= {})[element] = plan.type === 'set' ? LEAF : wholeTree(plan.items, item);
  }
  return finish(changed, removed);
}

/** Items by their path element; a stored list may hold several of one. */
export function itemsByElement(plan: ItemsPlan, items: readonly unknown[]): Map<string, unknown[]> {
  const result = new Map<string, unknown[]>();
  for (const item of items) {
    const element = itemElement(plan, item);
    const known = result.get(element);
    if (known === undefined) result.set(element, [item]);
    else known.push(item);
  }
  return result;
}

// Duplicates are told apart by nothing, so they change as one.
function compareSameElement(plan: ItemsPlan, live: readonly unknown[] = [], next: readonly unknown[]): Comparison {
  if (live.length > 1 || next.length > 1) {
    return live.length > 0 && deepEqual(live, next) ? SAME : MODIFIED;
  }
  if (plan.type === 'list') return compare(plan.items, live[0], next[0]);
  return live.length === 0 ? MODIFIED : SAME;
}

function finish(changed: MutableTree | undefined, removed: MutableTree | undefined): Comparison {
  if (changed === undefined && removed === undefined) return SAME;
  return {
    changed: changed === undefined ? undefined : sortedTree(changed),
    removed: removed === undefined ? undefined : sortedTree(removed),
  };
}

/** Every path of a value that appeared or vanished, its own path included. */
export function wholeTree(plan: Plan, value: unknown): FieldTree {
  if (typeof value !== 'object' || value === null) return LEAF;
  const tree: MutableTree = { '.': LEAF };
  let isLeaf = true;
  switch (plan.type) {
    case 'struct':
    case 'map':
    case 'deduced': {
      if (Array.isArray(value)) return LEAF;
      // Safe: an object that is no array is read by its own keys.
      const fields = value as Fields;
      for (const name in fields) {
        const child = childPlan(plan, name);
        if (child === undefined || fields[name] === undefined) continue;
        tree[elementOf(plan, name)] = wholeTree(child, fields[name]);
        isLeaf = false;
      }
      break;
    }
    case 'set':
    case 'list': {
      if (!Array.isArray(value)) return LEAF;
      for (const item of value) {
        tree[itemElement(plan, item)] = plan.type === 'set' ? LEAF : wholeTree(plan.items, item);
        isLeaf = false;
      }
      break;
    }
    case 'leaf':
      break;
    default:
      return plan satisfies never;
  }
  return isLeaf ? LEAF : sortedTree(tree);
}

/** The path element of a list's item: `v:"x"` in a set, `k:{"name":"x"}` in a keyed list. */
export function itemElement(plan: ItemsPlan, item: unknown): string {
  return plan.type === 'set' ? `v:${encodeValue(item)}` : keyElement(plan.keys, item);
}

function keyElement(keys: readonly ListKey[], item: unknown): string {
  const fields = fieldsOf(item) ?? NO_FIELDS;
  let text = '';
  for (const { name, fallback } of keys) {
    const value = fields[name] ?? fallback;
    if (value === undefined || value === null) continue;
    text += `${text === '' ? '' : ','}"${name}":${encodeValue(value)}`;
  }
  return `k:{${text}}`;
}
