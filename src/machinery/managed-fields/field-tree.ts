/**
 * A set of field paths in the form of FieldsV1 (KEP-555): keys are path elements (`f:name`, `k:{"name":"x"}`, `v:"x"`).
 * A path belongs to the set where its node is empty or has the member `.`; the root itself never belongs to it.
 * Trees are immutable: they are shared between entries and objects.
 */
export interface FieldTree {
  readonly [element: string]: FieldTree;
}

type MutableTree = Record<string, FieldTree>;

/** A member without children, and the empty set where it is the root. */
export const LEAF: FieldTree = Object.freeze({});

export function isEmptyTree(tree: FieldTree): boolean {
  for (const _ in tree) return false;
  return true;
}

/** Whether the path of this node (no root) belongs to the set. */
export function isMember(node: FieldTree): boolean {
  return node['.'] !== undefined || isEmptyTree(node);
}

/** The tree with its elements in the order of their text. */
export function sortedTree(tree: FieldTree): FieldTree {
  const keys = Object.keys(tree);
  let isSorted = true;
  for (let index = 1; index < keys.length && isSorted; index += 1) {
    isSorted = (keys[index - 1] ?? '') <= (keys[index] ?? '');
  }
  if (isSorted) return tree;
  const result: MutableTree = {};
  for (const key of keys.toSorted()) {
    const child = tree[key];
    if (child !== undefined) result[key] = child;
  }
  return result;
}

/** Every path of either set. */
export function union(a: FieldTree, b: FieldTree): FieldTree {
  if (a === b || isEmptyTree(b)) return a;
  if (isEmptyTree(a)) return b;
  return unionNodes(a, b);
}

function unionNodes(a: FieldTree, b: FieldTree): FieldTree {
  let result: MutableTree | undefined;
  for (const element in b) {
    // Safe: the element comes from the tree itself.
    const right = b[element] as FieldTree;
    const left = a[element];
    const merged = left === undefined ? right : element === '.' ? left : unionChildren(left, right);
    if (merged === left) continue;
    result ??= { ...a };
    result[element] = merged;
  }
  return result === undefined ? a : sortedTree(result);
}

function unionChildren(left: FieldTree, right: FieldTree): FieldTree {
  if (left === right) return left;
  const isLeftLeaf = isEmptyTree(left);
  const isRightLeaf = isEmptyTree(right);
  if (isLeftLeaf && isRightLeaf) return left;
  if (isLeftLeaf) return withSelf(right);
  if (isRightLeaf) return withSelf(left);
  return unionNodes(left, right);
}

function withSelf(node: FieldTree): FieldTree {
  return node['.'] === undefined ? { '.': LEAF, ...node } : node;
}

/** The paths of `a` that are not in `b`; `a` itself where that changes nothing. */
export function difference(a: FieldTree, b: FieldTree): FieldTree {
  if (isEmptyTree(b) || isEmptyTree(a)) return a;
  let result: MutableTree | undefined;
  for (const element in b) {
    const left = a[element];
    if (left === undefined || element === '.') continue;
    // Safe: the element comes from the tree itself.
    const rest = differenceNode(left, b[element] as FieldTree);
    if (rest === left) continue;
    result ??= { ...a };
    if (rest === undefined) delete result[element];
    else result[element] = rest;
  }
  return result ?? a;
}

/** `undefined` where nothing is left of the node. */
function differenceNode(left: FieldTree, right: FieldTree): FieldTree | undefined {
  if (isEmptyTree(left)) return isMember(right) ? undefined : left;
  let rest = isEmptyTree(right) ? left : difference(left, right);
  if (rest['.'] !== undefined && isMember(right)) {
    const { '.': _, ...children } = rest;
    rest = children;
  }
  // Without members of its own and without children a node is gone; an empty one would read as a member.
  if (isEmptyTree(rest)) return undefined;
  return rest['.'] !== undefined && Object.keys(rest).length === 1 ? LEAF : rest;
}

/** The paths that are in both sets. */
export function intersection(a: FieldTree, b: FieldTree): FieldTree {
  const result: MutableTree = {};
  for (const element in a) {
    const right = b[element];
    if (right === undefined || element === '.') continue;
    // Safe: the element comes from the tree itself.
    const left = a[element] as FieldTree;
    const isShared = isMember(left) && isMember(right);
    const children = intersection(left, right);
    if (isEmptyTree(children)) {
      if (isShared) result[element] = LEAF;
    } else result[element] = isShared ? { '.': LEAF, ...children } : children;
  }
  return result;
}

/** Calls back for every path of the set, as its elements. */
export function forEachPath(tree: FieldTree, visit: (path: readonly string[]) => void, path: string[] = []): void {
  for (const element in tree) {
    if (element === '.') continue;
    // Safe: the element comes from the tree itself.
    const child = tree[element] as FieldTree;
    path.push(element);
    if (isMember(child)) visit(path);
    forEachPath(child, visit, path);
    path.pop();
  }
}

/** The set's path below a node, if it goes that far. */
export function nodeAt(tree: FieldTree, path: readonly string[]): FieldTree | undefined {
  let node: FieldTree | undefined = tree;
  for (const element of path) node = node?.[element];
  return node;
}

/** A path as conflict messages print it: `.spec.containers[name="web"].image`. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join('');
}

function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${rest}`;
    case 'v:':
      return `[=${rest}]`;
    case 'k:': {
      const keys: unknown = JSON.parse(rest);
      const pairs = Object.entries(typeof keys === 'object' && keys !== null ? keys : {});
      return `[${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    default:
      return `[${rest}]`;
  }
}
