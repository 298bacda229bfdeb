import { formatTime } from '../clock/clock.ts';
import { deepEqual } from '../codec/deep.ts';
import { genericStatus } from '../errors/status-error.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { compare } from './compare.ts';
import {
  difference,
  type FieldTree,
  forEachPath,
  intersection,
  isEmptyTree,
  LEAF,
  pathText,
  union,
} from './field-tree.ts';
import { belongsTo, entryOf, finishEntries, type ManagerKey, treeOf, withTree } from './managers.ts';
import { appliedTree, mergeApplied, removeFields } from './merge.ts';
import { type Plan, planOf } from './plan.ts';

export interface ApplyOptions {
  readonly live: KubeObject | undefined;
  /** What the client applied: only the fields that it has an opinion on. */
  readonly applied: KubeObject;
  readonly manager: string;
  /** Takes fields over from other managers instead of failing. */
  readonly force: boolean;
  readonly subresource?: string | undefined;
  readonly timeMs: number;
  readonly schemas: SchemaSet;
  readonly schemaName: string;
}

export interface Applied {
  /** The merged object, before defaulting and admission, with the new managedFields in its metadata. */
  readonly object: KubeObject;
  readonly managedFields: ManagedFieldsEntry[];
  /** Neither the object nor who owns what would change: nothing is to be written. */
  readonly isUnchanged: boolean;
}

/**
 * Server-side apply (KEP-555): merges the applied configuration into the object, removes what the manager applied
 * before and does no longer unless somebody else owns it, and throws a 409 `StatusError` that names the fields which
 * other managers own with other values, unless forced.
 */
export function applyConfiguration(options: ApplyOptions): Applied {
  const { live, applied, subresource = '', force } = options;
  const objectPlan = planOf(options.schemas, options.schemaName);
  const plan = subresource === '' ? objectPlan.rootWithoutStatus : objectPlan.root;
  const time = formatTime(options.timeMs);
  const key: ManagerKey = { manager: options.manager, operation: 'Apply', apiVersion: applied.apiVersion, subresource };
  const before = startingEntries(live, objectPlan.empty, plan);
  const own = before.find((entry) => belongsTo(entry, key));
  const others = before.filter((entry) => entry !== own);
  const set = withoutBareMetadata(appliedTree(plan, applied));

  const configuration = withoutServerFields(applied);
  const merged = mergeApplied(objectPlan.root, live, configuration);
  const stale = own === undefined ? LEAF : difference(treeOf(own), set);
  const elsewhere = others.reduce((owned, entry) => union(owned, treeOf(entry)), LEAF);
  // Safe: merging two objects of a kind gives an object of that kind.
  const object = removeFields(plan, merged, difference(stale, elsewhere), union(set, elsewhere)) as KubeObject;
  const { changed = LEAF, removed = LEAF } = compare(plan, live ?? objectPlan.empty, object);

  if (!force) refuseConflicts(others, changed);
  const entries = others.map((entry) => withTree(entry, difference(difference(treeOf(entry), changed), removed)));
  const isUnchanged =
    own !== undefined && deepEqual(treeOf(own), set) && deepEqual(changed, LEAF) && deepEqual(removed, LEAF);
  entries.push(isUnchanged ? { ...own, apiVersion: key.apiVersion } : entryOf(key, set, time));
  const managedFields = finishEntries(entries);
  const metadata = { ...object.metadata, managedFields };
  return { object: { ...object, metadata }, managedFields, isUnchanged };
}

/** Metadata with nothing but what the server owns (a name, say) is owned by nobody; an empty node would claim it. */
function withoutBareMetadata(tree: FieldTree): FieldTree {
  const { 'f:metadata': metadata, ...rest } = tree;
  return metadata !== undefined && isEmptyTree(metadata) ? rest : tree;
}

/** An object that was never tracked gets an owner for all it holds, so that applying cannot silently take it over. */
function startingEntries(live: KubeObject | undefined, empty: unknown, plan: Plan): ManagedFieldsEntry[] {
  if (live === undefined) return [];
  const entries = live.metadata.managedFields ?? [];
  if (entries.length > 0) return entries;
  const { changed } = compare(plan, empty, live);
  if (changed === undefined) return [];
  const key: ManagerKey = {
    manager: 'before-first-apply',
    operation: 'Update',
    apiVersion: live.apiVersion,
    subresource: '',
  };
  return [entryOf(key, changed, undefined)];
}

function withoutServerFields(applied: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = applied.metadata;
  return { ...applied, metadata };
}

interface Conflict {
  readonly manager: string;
  readonly path: string;
}

function refuseConflicts(others: readonly ManagedFieldsEntry[], changed: FieldTree): void {
  const conflicts: Conflict[] = [];
  for (const entry of others) {
    forEachPath(intersection(treeOf(entry), changed), (path) => {
      conflicts.push({ manager: managerText(entry), path: pathText(path) });
    });
  }
  if (conflicts.length === 0) return;
  throw genericStatus(409, 'Conflict', conflictMessage(conflicts), {
    causes: conflicts.map(({ manager, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${manager}`,
      field: path,
    })),
  });
}

function managerText(entry: ManagedFieldsEntry): string {
  const subresource = entry.subresource === undefined ? '' : ` with subresource ${JSON.stringify(entry.subresource)}`;
  const version = entry.operation === 'Update' ? ` using ${entry.apiVersion ?? ''}` : '';
  return `${JSON.stringify(entry.manager ?? '')}${subresource}${version}`;
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.path}`;
  }
  const managers = [...new Set(conflicts.map(({ manager }) => manager))].toSorted();
  const lines = managers.flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...conflicts.filter((conflict) => conflict.manager === manager).map(({ path }) => `- ${path}`),
  ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
