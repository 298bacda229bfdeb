import { deepCopy, setOwn } from '../codec/deep.ts';
import { itemElement } from './compare.ts';
import { type FieldTree, isEmptyTree, isMember, LEAF, sortedTree } from './field-tree.ts';
import type { Plan } from './plan.ts';

type Fields = Record<string, unknown>;
type FieldsPlan = Extract<Plan, { type: 'struct' | 'map' | 'deduced' }>;
type ItemsPlan = Extract<Plan, { type: 'set' | 'list' }>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Fields that the plan leaves out are owned by nobody, but they are merged all the same. */
function childPlan(plan: FieldsPlan, name: string): Plan | undefined {
  if (plan.type === 'struct') return plan.fields.get(name)?.plan;
  return plan.type === 'map' ? plan.items : plan;
}

/** The paths that an applied configuration claims: its leaves, and the entries of its maps and keyed lists. */
export function appliedTree(plan: Plan, value: unknown): FieldTree {
  const tree: Record<string, FieldTree> = {};
  if ((plan.type === 'struct' || plan.type === 'map' || plan.type === 'deduced') && isFields(value)) {
    for (const [name, child] of Object.entries(value)) {
      const known = childPlan(plan, name);
      if (known === undefined || child === undefined) continue;
      tree[`f:${name}`] = claimed(known, child, plan.type !== 'struct' && isContainer(known));
    }
  } else if ((plan.type === 'set' || plan.type === 'list') && Array.isArray(value)) {
    for (const item of value) {
      tree[itemElement(plan, item)] = plan.type === 'set' ? LEAF : claimed(plan.items, item, true);
    }
  }
  return sortedTree(tree);
}

function isContainer(plan: Plan): boolean {
  return plan.type !== 'leaf';
}

function claimed(plan: Plan, value: unknown, isEntry: boolean): FieldTree {
  const children = appliedTree(plan, value);
  return isEntry && !isEmptyTree(children) ? { '.': LEAF, ...children } : children;
}

/** The object with the configuration merged into it; shares with both, changes neither. */
export function mergeApplied(plan: Plan, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  switch (plan.type) {
    case 'struct':
    case 'map':
    case 'deduced':
      return isFields(live) && isFields(applied) ? mergeFields(plan, live, applied) : deepCopy(applied);
    case 'set':
    case 'list':
      return Array.isArray(live) && Array.isArray(applied) ? mergeItems(plan, live, applied) : deepCopy(applied);
    case 'leaf':
      return deepCopy(applied);
    default:
      return plan satisfies never;
  }
}

const UNTRACKED: Plan = { type: 'deduced' };

function mergeFields(plan: FieldsPlan, live: Fields, applied: Fields): Fields {
  const result: Fields = { ...live };
  for (const [name, value] of Object.entries(applied)) {
    const current = Object.hasOwn(live, name) ? live[name] : undefined;
    setOwn(result, name, mergeApplied(childPlan(plan, name) ?? UNTRACKED, current, value));
  }
  return result;
}

/** Applied items keep their order; items that only the object has stay where they stood before the next shared one. */
function mergeItems(plan: ItemsPlan, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const left = live.map((item) => ({ element: itemElement(plan, item), item }));
  const right = applied.map((item) => ({ element: itemElement(plan, item), item }));
  const liveItems = new Map(left.map(({ element, item }) => [element, item]));
  const appliedElements = new Set(right.map(({ element }) => element));
  const result: unknown[] = [];
  let next = 0;
  for (const { element, item } of right) {
    if (liveItems.has(element)) {
      for (; next < left.length; next += 1) {
        const candidate = left[next];
        if (candidate === undefined || candidate.element === element) break;
        if (!appliedElements.has(candidate.element)) result.push(candidate.item);
      }
      if (left[next]?.element === element) next += 1;
    }
    const child = plan.type === 'set' ? item : mergeApplied(plan.items, liveItems.get(element), item);
    result.push(child);
  }
  for (; next < left.length; next += 1) {
    const candidate = left[next];
    if (candidate !== undefined && !appliedElements.has(candidate.element)) result.push(candidate.item);
  }
  return result;
}

/**
 * The value without the paths of `stale`. A field whose path is stale goes with all it holds, unless something below
 * it is still owned (`owned`); a container that this empties goes, too, unless it is owned itself.
 */
export function removeFields(plan: Plan, value: unknown, stale: FieldTree, owned: FieldTree): unknown {
  if (isEmptyTree(stale)) return value;
  if ((plan.type === 'struct' || plan.type === 'map' || plan.type === 'deduced') && isFields(value)) {
    const result: Fields = {};
    for (const [name, child] of Object.entries(value)) {
      const element = `f:${name}`;
      const kept = keepChild(childPlan(plan, name) ?? UNTRACKED, child, stale[element], owned[element]);
      if (kept !== undefined) setOwn(result, name, kept);
    }
    return result;
  }
  if ((plan.type === 'set' || plan.type === 'list') && Array.isArray(value)) {
    const items = plan.type === 'set' ? LEAF_PLAN : plan.items;
    return value
      .map((item: unknown) => {
        const element = itemElement(plan, item);
        return keepChild(items, item, stale[element], owned[element]);
      })
      .filter((item) => item !== undefined);
  }
  return value;
}

const LEAF_PLAN: Plan = { type: 'leaf' };

function keepChild(plan: Plan, child: unknown, stale: FieldTree | undefined, owned: FieldTree | undefined): unknown {
  if (stale === undefined) return child;
  if (isMember(stale) && owned === undefined) return undefined;
  if (isEmptyTree(stale)) return child;
  const rest = removeFields(plan, child, stale, owned ?? LEAF);
  return isEmptyValue(rest) && owned === undefined ? undefined : rest;
}

function isEmptyValue(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
