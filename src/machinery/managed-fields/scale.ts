import type { ManagedFieldsEntry } from '../meta/types.ts';
import { difference, type FieldTree, LEAF, union } from './field-tree.ts';
import { finishEntries, treeOf, withTree } from './managers.ts';

const SCALE_VERSION = 'autoscaling/v1';
const REPLICAS: FieldTree = { 'f:spec': { 'f:replicas': LEAF } };

/** Who owns the replicas of a workload, as entries of its Scale. `path`: `.spec.replicas`. */
export function entriesOfScale(entries: readonly ManagedFieldsEntry[], path: string): ManagedFieldsEntry[] {
  return entries
    .filter((entry) => owns(entry, path))
    .map((entry) => ({ ...entry, apiVersion: SCALE_VERSION, fieldsV1: REPLICAS }));
}

/** The workload's entries after its Scale got these: whoever lost the replicas there has lost them here. */
export function entriesAfterScale(
  entries: readonly ManagedFieldsEntry[],
  scaled: readonly ManagedFieldsEntry[],
  { path, apiVersion }: { path: string; apiVersion: string },
): ManagedFieldsEntry[] {
  const field = treeAt(path);
  const left = new Map(scaled.map((entry) => [identityOf(entry), entry]));
  const kept = entries.map((entry) => {
    const owner = left.get(identityOf(entry));
    if (owner !== undefined) {
      left.delete(identityOf(entry));
      const tree = union(treeOf(entry), field);
      return owner.time === undefined ? withTree(entry, tree) : { ...withTree(entry, tree), time: owner.time };
    }
    return owns(entry, path) ? withTree(entry, difference(treeOf(entry), field)) : entry;
  });
  for (const entry of left.values()) kept.push({ ...entry, apiVersion, fieldsV1: field });
  return finishEntries(kept);
}

function owns(entry: ManagedFieldsEntry, path: string): boolean {
  let node: FieldTree | undefined = treeOf(entry);
  for (const name of namesOf(path)) node = node?.[`f:${name}`];
  return node !== undefined;
}

function treeAt(path: string): FieldTree {
  return namesOf(path).reduceRight<FieldTree>((below, name) => ({ [`f:${name}`]: below }), LEAF);
}

function namesOf(path: string): string[] {
  return path.split('.').filter((name) => name !== '');
}

function identityOf({ manager, operation, subresource }: ManagedFieldsEntry): string {
  return JSON.stringify([manager, operation, subresource]);
}
