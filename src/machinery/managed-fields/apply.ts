import { formatTime } from '../clock/clock.ts';
import { deepEqual } from '../codec/deep.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { compare } from './compare.ts';
import { type Conflict, conflictError, conflictsOf } from './conflicts.ts';
import { fieldSet, removeItems, withNamedFields } from './field-set.ts';
import { difference, type FieldTree, intersection, isEmptyTree, LEAF, union } from './field-tree.ts';
import { fieldsOfLastApplied, hasLastApplied, withLastApplied } from './last-applied.ts';
import { belongsTo, entryOf, finishEntries, isValidEntry, type ManagerKey, treeOf, withTree } from './managers.ts';
import { mergeApplied } from './merge.ts';
import { STATUS_ONLY } from './plan.ts';
import { type VersionConverter, VersionedPlans } from './versions.ts';

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
  /** Fields that this way of writing cannot change; default: the status, but through a subresource nothing. */
  readonly unowned?: readonly string[] | undefined;
  /** Needed where a kind is served in several versions whose fields differ. */
  readonly convert?: VersionConverter | undefined;
}

export interface Applied {
  /** The merged object, before defaulting and admission, with the new managedFields in its metadata. */
  readonly object: KubeObject;
  readonly managedFields: ManagedFieldsEntry[];
  /** Neither the object nor who owns what would change: nothing is to be written. */
  readonly isUnchanged: boolean;
}

/** The manager whose applies take over what `kubectl apply` without `--server-side` wrote before. */
const KUBECTL = 'kubectl';
const FIRST_OWNER = 'before-first-apply';

/**
 * Server-side apply (KEP-555): merges the applied configuration into the object, removes what the manager applied
 * before and does no longer unless somebody else owns it, and throws a 409 `StatusError` that names the fields which
 * other managers own with other values, unless forced.
 */
export function applyConfiguration(options: ApplyOptions): Applied {
  const applier = new Applier(options);
  const conflicts = options.force ? [] : applier.conflicts();
  if (conflicts.length > 0) {
    const allowed = options.manager === KUBECTL ? applier.fieldsOfClientSideApply() : undefined;
    const left = allowed === undefined ? conflicts : conflicts.filter(({ path }) => !contains(allowed, path));
    if (left.length > 0) throw conflictError(left);
  }
  return applier.result();
}

class Applier {
  readonly #options: ApplyOptions;
  readonly #versions: VersionedPlans;
  readonly #key: ManagerKey;
  readonly #entries: readonly ManagedFieldsEntry[];
  readonly #own: ManagedFieldsEntry | undefined;
  readonly #others: readonly ManagedFieldsEntry[];
  readonly #set: FieldTree;
  readonly #object: KubeObject;

  constructor(options: ApplyOptions) {
    const { applied, subresource = '', live } = options;
    const { apiVersion } = applied;
    this.#options = options;
    const unowned = options.unowned ?? (subresource === '' ? STATUS_ONLY : []);
    const { schemas, schemaName, convert } = options;
    this.#versions = new VersionedPlans({ schemas, schemaName, apiVersion, unowned, convert });
    const plan = this.#versions.own;
    this.#key = { manager: options.manager, operation: 'Apply', apiVersion, subresource };
    this.#entries = this.#startingEntries();
    this.#own = this.#entries.find((entry) => belongsTo(entry, this.#key));
    this.#others = this.#entries.filter((entry) => entry !== this.#own);
    this.#set = fieldSet(plan.without(unowned), applied);
    const merged = mergeApplied(plan.root, live, withoutManagedFields(applied));
    // Safe: merging two objects of a kind, and removing fields, gives an object of that kind.
    this.#object = this.#pruned(merged as KubeObject);
  }

  conflicts(): Conflict[] {
    const comparisonAt = this.#versions.comparisons(this.#options.live, this.#object);
    return this.#others.flatMap((entry) => {
      const { changed = LEAF } = comparisonAt(entry.apiVersion ?? '') ?? {};
      return conflictsOf(entry, intersection(treeOf(entry), changed));
    });
  }

  /** What `kubectl apply` owned before it applied on the server, as far as the object still has it. */
  fieldsOfClientSideApply(): FieldTree | undefined {
    const { live } = this.#options;
    return live === undefined ? undefined : fieldsOfLastApplied(this.#versions.own.root, live);
  }

  result(): Applied {
    const { live, manager, applied } = this.#options;
    const comparisonAt = this.#versions.comparisons(live, this.#object);
    const entries = this.#others.flatMap((entry) => {
      const comparison = comparisonAt(entry.apiVersion ?? '');
      if (comparison === undefined) return [];
      const { changed = LEAF, removed = LEAF } = comparison;
      return [withTree(entry, difference(difference(treeOf(entry), changed), removed))];
    });
    const isSameObject =
      live !== undefined && deepEqual(withoutManagedFields(live), withoutManagedFields(this.#object));
    const object =
      manager === KUBECTL && hasLastApplied(this.#object) ? withLastApplied(this.#object, applied) : this.#object;
    const time = isSameObject ? this.#own?.time : formatTime(this.#options.timeMs);
    entries.push(entryOf(this.#key, this.#set, time));
    const managedFields = finishEntries(entries);
    const metadata = { ...object.metadata, managedFields };
    const isUnchanged = isSameObject && deepEqual(managedFields, live.metadata.managedFields ?? []);
    return { object: { ...object, metadata }, managedFields, isUnchanged };
  }

  /** An object that was never tracked gets an owner for all it holds, so that applying cannot silently take it over. */
  #startingEntries(): ManagedFieldsEntry[] {
    const { live } = this.#options;
    if (live === undefined) return [];
    const entries = (live.metadata.managedFields ?? []).filter(isValidEntry);
    if (entries.length > 0) return this.#versions.reconcile(entries, live);
    const plan = this.#versions.own;
    const unowned = this.#options.unowned ?? (this.#key.subresource === '' ? STATUS_ONLY : []);
    const { changed } = compare(plan.without(unowned), plan.empty, live);
    if (changed === undefined) return [];
    const key: ManagerKey = { ...this.#key, manager: FIRST_OWNER, operation: 'Update' };
    return [entryOf(key, changed, formatTime(this.#options.timeMs))];
  }

  /** The merged object without what this manager applied the last time, does no longer, and nobody else owns. */
  #pruned(merged: KubeObject): KubeObject {
    const own = this.#own;
    if (own === undefined) return merged;
    const last = treeOf(own);
    const apiVersion = own.apiVersion ?? '';
    const isSameVersion = apiVersion === this.#key.apiVersion;
    if (isSameVersion && isEmptyTree(difference(last, this.#set))) return merged;
    const then = this.#versions.at(merged, apiVersion);
    if (then === undefined) return merged;
    const plan = then.plan.root;
    const all = withNamedFields(plan, fieldSet(plan, then.object));
    const lastAll = withoutOwnMetadata(withNamedFields(plan, last));
    const rest = removeItems(plan, then.object, lastAll);
    const kept = union(withNamedFields(plan, fieldSet(plan, rest)), withNamedFields(plan, this.#owned()));
    const left = removeItems(plan, then.object, withoutOwnMetadata(difference(all, kept)));
    const gone = difference(all, withNamedFields(plan, fieldSet(plan, left)));
    // Safe: an object keeps its kind and metadata, which are never removed.
    const pruned = removeItems(plan, then.object, intersection(gone, lastAll)) as KubeObject;
    const object = { ...pruned, metadata: withoutNull(pruned.metadata) };
    return isSameVersion ? object : (this.#versions.at(object, this.#key.apiVersion)?.object ?? object);
  }

  /** What anybody owns, this manager's new fields included; paths of other versions are taken as they are. */
  #owned(): FieldTree {
    return this.#others.reduce((owned, entry) => union(owned, treeOf(entry)), this.#set);
  }
}

/** Metadata holds the name and more that no set has: it never goes as a whole. */
function withoutOwnMetadata(tree: FieldTree): FieldTree {
  const { 'f:metadata': metadata, ...rest } = tree;
  if (metadata === undefined) return tree;
  const { '.': _, ...members } = metadata;
  return isEmptyTree(members) ? rest : { ...rest, 'f:metadata': members };
}

function withoutNull(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  // Safe: only emptied members are null, and an absent one means the same.
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null)) as KubeObject['metadata'];
}

function withoutManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function contains(tree: FieldTree, path: readonly string[]): boolean {
  let node: FieldTree | undefined = tree;
  for (const element of path) node = node?.[element];
  return node !== undefined && (node['.'] !== undefined || isEmptyTree(node));
}
