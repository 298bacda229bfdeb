import { formatTime } from '../clock/clock.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { LEAF, difference, type FieldTree, union } from './field-tree.ts';
import { belongsTo, entryOf, finishEntries, isValidEntry, type ManagerKey, treeOf, withTree } from './managers.ts';
import { STATUS_ONLY } from './plan.ts';
import { type VersionConverter, VersionedPlans } from './versions.ts';

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
  /** Fields that this way of writing cannot change; default: the status, but through a subresource nothing. */
  readonly unowned?: readonly string[] | undefined;
  /** Needed where a kind is served in several versions whose fields differ. */
  readonly convert?: VersionConverter | undefined;
}

/**
 * The managedFields after an update or create: fields that this write set or changed move to the manager's `Update`
 * entry, fields that it removed leave all entries (KEP-555). An object without entries stays without them, as after a
 * reset, until somebody applies to it. Returns the same array where nothing tracked changed.
 */
export function trackUpdate(options: TrackUpdateOptions): ManagedFieldsEntry[] {
  const { live, next, subresource = '', schemas, schemaName, convert } = options;
  const entries = startingEntries(live, next, subresource);
  if (live !== undefined && entries.length === 0) return entries;
  const { apiVersion } = next;
  const unowned = options.unowned ?? (subresource === '' ? STATUS_ONLY : []);
  const versions = new VersionedPlans({ schemas, schemaName, apiVersion, unowned, convert });
  const comparisonAt = versions.comparisons(live, next);
  const { changed, removed } = comparisonAt(apiVersion) ?? {};
  if (changed === undefined && removed === undefined) return entries;
  const key: ManagerKey = {
    manager: options.manager === '' ? 'unknown' : options.manager,
    operation: 'Update',
    apiVersion,
    subresource,
  };
  const reconciled = live === undefined ? entries : versions.reconcile(entries, live);
  return finishEntries(moveFields(reconciled, { key, changed, comparisonAt, time: formatTime(options.timeMs) }));
}

interface Move {
  readonly key: ManagerKey;
  readonly changed: FieldTree | undefined;
  readonly comparisonAt: ReturnType<VersionedPlans['comparisons']>;
  readonly time: string;
}

function moveFields(
  entries: readonly ManagedFieldsEntry[],
  { key, changed, comparisonAt, time }: Move,
): ManagedFieldsEntry[] {
  const result: ManagedFieldsEntry[] = [];
  let isPlaced = changed === undefined;
  for (const entry of entries) {
    const comparison = comparisonAt(entry.apiVersion ?? '');
    // A version that is no longer served owns nothing any more.
    if (comparison === undefined) continue;
    const tree = difference(treeOf(entry), comparison.removed ?? LEAF);
    if (changed !== undefined && belongsTo(entry, key)) {
      result.push(entryOf(key, union(tree, changed), time));
      isPlaced = true;
    } else {
      result.push(withTree(entry, difference(tree, comparison.changed ?? LEAF)));
    }
  }
  if (!isPlaced && changed !== undefined) result.push(entryOf(key, changed, time));
  return result;
}

/**
 * The entries before this write: the object's own, unless the request brings some (which is how clients edit them); a
 * single empty entry resets them. Requests to a subresource cannot do either, and what cannot be read counts as absent.
 */
function startingEntries(live: KubeObject | undefined, next: KubeObject, subresource: string): ManagedFieldsEntry[] {
  const own = live?.metadata.managedFields ?? [];
  const before = own.every(isValidEntry) ? own : [];
  const given = next.metadata.managedFields;
  if (subresource !== '' || given === undefined || given.length === 0) return before;
  if (isReset(given)) return [];
  return given.every(isValidEntry) ? given : before;
}

function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  const [only] = entries;
  return entries.length === 1 && only !== undefined && Object.keys(only).length === 0;
}
