import type { ManagedFieldsEntry } from '../meta/types.ts';
import { type FieldTree, isEmptyTree, LEAF, union } from './field-tree.ts';

/** More entries of updates than this are joined, the oldest first, so that objects do not grow without end. */
const UPDATE_ENTRIES_MAX = 10;
const OLD_UPDATES_MANAGER = 'ancient-changes';

/** Who a set of fields belongs to. An applier keeps its entry when it changes to another version of the kind. */
export interface ManagerKey {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
}

/** The fields of one entry. The tree is shared with the object that it was read from. */
export function treeOf(entry: ManagedFieldsEntry): FieldTree {
  // Safe: FieldsV1 is a tree of objects by definition; a tree that is not was refused by validation.
  return (entry.fieldsV1 ?? LEAF) as FieldTree;
}

export function withTree(entry: ManagedFieldsEntry, tree: FieldTree): ManagedFieldsEntry {
  return tree === entry.fieldsV1 ? entry : { ...entry, fieldsV1: tree };
}

export function entryOf(key: ManagerKey, tree: FieldTree, time: string | undefined): ManagedFieldsEntry {
  return {
    manager: key.manager,
    operation: key.operation,
    apiVersion: key.apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: tree,
    ...(key.subresource === '' ? {} : { subresource: key.subresource }),
  };
}

/** Whether an entry is this manager's. */
export function belongsTo(entry: ManagedFieldsEntry, key: ManagerKey): boolean {
  return (
    entry.manager === key.manager &&
    entry.operation === key.operation &&
    (entry.subresource ?? '') === key.subresource &&
    (key.operation === 'Apply' || entry.apiVersion === key.apiVersion)
  );
}

/** Whether an entry can be read at all; clients may send any. */
export function isValidEntry({ operation, apiVersion, fieldsType, fieldsV1 }: ManagedFieldsEntry): boolean {
  return (
    (operation === 'Apply' || operation === 'Update') &&
    (apiVersion ?? '') !== '' &&
    fieldsType === 'FieldsV1' &&
    (fieldsV1 === undefined || isFieldTree(fieldsV1))
  );
}

const ELEMENT = /^(?:f:|v:|k:\{|i:\d)/;

function isFieldTree(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([element, child]) => {
    if (element !== '.' && !isElement(element)) return false;
    return isFieldTree(child);
  });
}

function isElement(element: string): boolean {
  if (!ELEMENT.test(element)) return false;
  if (element.startsWith('f:') || element.startsWith('i:')) return true;
  try {
    JSON.parse(element.slice(2));
    return true;
  } catch {
    return false;
  }
}

/** Drops entries that own nothing, joins old updates, and sorts as upstream does. */
export function finishEntries(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const kept = entries.filter((entry) => !isEmptyTree(treeOf(entry)));
  return capUpdates(kept).toSorted(compareEntries);
}

function compareEntries(a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time, b.time) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

// Times are RFC 3339 in UTC with whole seconds: their text sorts as they do.
function compareText(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function capUpdates(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const updates = entries.filter((entry) => entry.operation === 'Update');
  let surplus = updates.length - UPDATE_ENTRIES_MAX;
  if (surplus <= 0) return entries;
  const result = new Set(entries);
  const buckets = new Map<string, ManagedFieldsEntry>();
  for (const entry of updates.toSorted(compareEntries)) {
    if (surplus <= 0) break;
    const { apiVersion = '' } = entry;
    const bucket = buckets.get(apiVersion);
    if (bucket !== undefined) {
      const key: ManagerKey = { manager: OLD_UPDATES_MANAGER, operation: 'Update', apiVersion, subresource: '' };
      const joined = entryOf(key, union(treeOf(bucket), treeOf(entry)), entry.time);
      result.delete(bucket);
      result.delete(entry);
      result.add(joined);
      buckets.set(apiVersion, joined);
      surplus -= 1;
    } else buckets.set(apiVersion, entry);
  }
  return [...result];
}
