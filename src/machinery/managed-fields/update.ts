import { formatTime } from '../clock/clock.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { compare } from './compare.ts';
import { difference, type FieldTree, union } from './field-tree.ts';
import { belongsTo, entryOf, finishEntries, type ManagerKey, treeOf, withTree } from './managers.ts';
import { planOf } from './plan.ts';

export interface TrackUpdateOptions {
  /** The object before the write; absent on create. */
  readonly live: KubeObject | undefined;
  /** The object after defaulting and admission, as it will be stored. */
  readonly next: KubeObject;
  /** The field manager that the client names, or the first word of its user agent. */
  readonly manager: string;
  /** Empty or absent for the object itself; `status`, `scale`… */
  readonly subresource?: string | undefined;
  readonly timeMs: number;
  readonly schemas: SchemaSet;
  readonly schemaName: string;
}

/**
 * The managedFields after an update or create: fields that this write set or changed move to the manager's `Update`
 * entry, fields that it removed leave all entries (KEP-555). Returns the same array where nothing tracked changed.
 */
export function trackUpdate(options: TrackUpdateOptions): ManagedFieldsEntry[] {
  const { live, next, subresource = '' } = options;
  const entries = startingEntries(live, next, subresource);
  const plan = planOf(options.schemas, options.schemaName);
  const root = subresource === '' ? plan.rootWithoutStatus : plan.root;
  const { changed, removed } = compare(root, live ?? plan.empty, next);
  if (changed === undefined && removed === undefined) return entries;
  const key: ManagerKey = {
    manager: options.manager === '' ? 'unknown' : options.manager,
    operation: 'Update',
    apiVersion: next.apiVersion,
    subresource,
  };
  return finishEntries(moveFields(entries, { key, changed, removed, time: formatTime(options.timeMs) }));
}

interface Move {
  readonly key: ManagerKey;
  readonly changed: FieldTree | undefined;
  readonly removed: FieldTree | undefined;
  readonly time: string;
}

function moveFields(
  entries: readonly ManagedFieldsEntry[],
  { key, changed, removed, time }: Move,
): ManagedFieldsEntry[] {
  const result: ManagedFieldsEntry[] = [];
  let isPlaced = changed === undefined;
  for (const entry of entries) {
    let tree = treeOf(entry);
    if (removed !== undefined) tree = difference(tree, removed);
    if (changed !== undefined && belongsTo(entry, key)) {
      result.push(entryOf(key, union(tree, changed), time));
      isPlaced = true;
    } else {
      result.push(withTree(entry, changed === undefined ? tree : difference(tree, changed)));
    }
  }
  if (!isPlaced && changed !== undefined) result.push(entryOf(key, changed, time));
  return result;
}

/**
 * The entries before this write: the object's own, unless the request brings some (which is how clients edit them); a
 * single empty entry resets them. Requests to a subresource cannot do either.
 */
function startingEntries(live: KubeObject | undefined, next: KubeObject, subresource: string): ManagedFieldsEntry[] {
  const given = next.metadata.managedFields;
  if (subresource !== '' || given === undefined || given.length === 0) return live?.metadata.managedFields ?? [];
  const [only] = given;
  const isReset = given.length === 1 && only !== undefined && Object.keys(only).length === 0;
  return isReset ? [] : given;
}
