import { itemElement } from './compare.ts';
import { type FieldTree, isEmptyTree, isMember, LEAF, sortedTree } from './field-tree.ts';
import { childPlan, type Plan } from './plan.ts';

type Fields = Record<string, unknown>;
type MutableTree = Record<string, FieldTree>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The paths that a configuration claims: its leaves, the entries of its maps and keyed lists, and what is given as
 * `null` or as an empty map. A struct is claimed by its fields, and an empty keyed list by nobody.
 */
export function fieldSet(plan: Plan, value: unknown): FieldTree {
  return childrenOf(plan, value) ?? LEAF;
}

/** The node of a value; `undefined` where nothing in it is claimed. */
function childrenOf(plan: Plan, value: unknown): FieldTree | undefined {
  const tree: MutableTree = {};
  if (plan.type === 'set' || plan.type === 'list') {
    if (!Array.isArray(value)) return undefined;
    for (const item of value) {
      const below = plan.type === 'list' ? childrenOf(plan.items, item) : undefined;
      tree[itemElement(plan, item)] = below === undefined ? LEAF : asMember(below);
    }
  } else {
    if (plan.type === 'leaf' || !isFields(value)) return undefined;
    for (const [name, child] of Object.entries(value)) {
      const known = childPlan(plan, name);
      if (known === undefined || child === undefined) continue;
      const isNamed = plan.type === 'struct' && plan.fields.has(name);
      const node = claimed(known, child, !isNamed);
      if (node !== undefined) tree[`f:${name}`] = node;
    }
  }
  return isEmptyTree(tree) ? undefined : sortedTree(tree);
}

function claimed(plan: Plan, value: unknown, isEntry: boolean): FieldTree | undefined {
  if (plan.type === 'leaf' || value === null) return LEAF;
  if (plan.type === 'deduced' && !isFields(value)) return LEAF;
  const below = childrenOf(plan, value);
  if (below !== undefined) return isEntry ? asMember(below) : below;
  return isEntry || (isFields(value) && Object.keys(value).length === 0) ? LEAF : undefined;
}

function asMember(tree: FieldTree): FieldTree {
  return isMember(tree) ? tree : { '.': LEAF, ...tree };
}

/** The set with every struct field that leads to one of its paths as a member, which sets leave out otherwise. */
export function withNamedFields(plan: Plan, tree: FieldTree): FieldTree {
  const result: MutableTree = {};
  for (const element in tree) {
    // Safe: the element comes from the tree itself.
    const node = tree[element] as FieldTree;
    if (element === '.' || isEmptyTree(node)) {
      result[element] = node;
      continue;
    }
    const isNamed = plan.type === 'struct' && plan.fields.has(element.slice(2));
    const below = withNamedFields(planAt(plan, element), node);
    result[element] = isNamed ? asMember(below) : below;
  }
  return result;
}

const DEDUCED: Plan = { type: 'deduced' };

function planAt(plan: Plan, element: string): Plan {
  if (plan.type === 'list') return plan.items;
  if (plan.type === 'set' || plan.type === 'leaf') return DEDUCED;
  return childPlan(plan, element.slice(2)) ?? DEDUCED;
}

/** The value without the paths of the set. A list that this empties is `null`, as nobody can own an empty one. */
export function removeItems(plan: Plan, value: unknown, tree: FieldTree): unknown {
  if (isEmptyTree(tree)) return value;
  if (plan.type === 'set' || plan.type === 'list') {
    if (!Array.isArray(value)) return value;
    const left: unknown[] = [];
    for (const item of value) {
      const node = tree[itemElement(plan, item)];
      if (node === undefined) left.push(item);
      else if (!isMember(node)) left.push(plan.type === 'list' ? removeItems(plan.items, item, node) : item);
    }
    return left.length === 0 ? null : left;
  }
  if (plan.type === 'leaf' || !isFields(value)) return value;
  const left: [string, unknown][] = [];
  for (const [name, child] of Object.entries(value)) {
    const node = tree[`f:${name}`];
    if (node === undefined) left.push([name, child]);
    else if (!isMember(node)) left.push([name, removeItems(childPlan(plan, name) ?? DEDUCED, child, node)]);
  }
  return Object.fromEntries(left);
}

/** The set as the schema of today has it: what has become atomic is owned as a whole. The same set where nothing has. */
export function reconciled(plan: Plan, tree: FieldTree): FieldTree {
  let result: MutableTree | undefined;
  for (const element in tree) {
    // Safe: the element comes from the tree itself.
    const node = tree[element] as FieldTree;
    if (element === '.' || isEmptyTree(node)) continue;
    const below = knownPlanAt(plan, element);
    if (below === undefined) continue;
    const next = below.type === 'leaf' ? LEAF : reconciled(below, node);
    if (next === node) continue;
    result ??= { ...tree };
    result[element] = next;
  }
  return result ?? tree;
}

function knownPlanAt(plan: Plan, element: string): Plan | undefined {
  const isItem = !element.startsWith('f:');
  if (plan.type === 'list') return isItem ? plan.items : undefined;
  if (plan.type === 'struct' || plan.type === 'map') return isItem ? undefined : childPlan(plan, element.slice(2));
  return undefined;
}
