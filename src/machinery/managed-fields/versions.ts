import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { type Comparison, compare } from './compare.ts';
import { reconciled } from './field-set.ts';
import { type ObjectPlan, planOf } from './plan.ts';
import { treeOf, withTree } from './managers.ts';

/** The object in another version of its kind, or `undefined` where that version is not served. */
export type VersionConverter = (
  object: KubeObject,
  apiVersion: string,
) => { readonly object: KubeObject; readonly schemaName: string } | undefined;

export interface VersionedPlansInit {
  readonly schemas: SchemaSet;
  readonly schemaName: string;
  /** The version of the request. */
  readonly apiVersion: string;
  /** Fields that this way of writing cannot change. */
  readonly unowned: readonly string[];
  readonly convert?: VersionConverter | undefined;
}

/** Entries of managedFields may speak of other versions than the request; what they own is compared in theirs. */
export class VersionedPlans {
  readonly #init: VersionedPlansInit;

  constructor(init: VersionedPlansInit) {
    this.#init = init;
  }

  get own(): ObjectPlan {
    return planOf(this.#init.schemas, this.#init.schemaName);
  }

  /** The object and its plan in another version. Without a converter all versions are taken for the request's. */
  at(object: KubeObject, apiVersion: string): { object: KubeObject; plan: ObjectPlan } | undefined {
    const { convert, schemas } = this.#init;
    if (apiVersion === this.#init.apiVersion || convert === undefined) return { object, plan: this.own };
    const converted = convert(object, apiVersion);
    if (converted === undefined) return undefined;
    return { object: converted.object, plan: planOf(schemas, converted.schemaName) };
  }

  /** What differs between two states, as seen by entries of each version; `undefined` for versions no longer served. */
  comparisons(live: KubeObject | undefined, next: KubeObject): (apiVersion: string) => Comparison | undefined {
    const known = new Map<string, Comparison | undefined>();
    const { unowned } = this.#init;
    return (apiVersion) => {
      if (known.has(apiVersion)) return known.get(apiVersion);
      const after = this.at(next, apiVersion);
      const before = live === undefined ? undefined : this.at(live, apiVersion);
      const result =
        after === undefined
          ? undefined
          : compare(after.plan.without(unowned), before?.object ?? after.plan.empty, after.object);
      known.set(apiVersion, result);
      return result;
    };
  }

  /** Entries as today's schema has them, without those of versions that are no longer served. */
  reconcile(entries: readonly ManagedFieldsEntry[], live: KubeObject): ManagedFieldsEntry[] {
    return entries.flatMap((entry) => {
      const apiVersion = entry.apiVersion ?? '';
      const served = this.at(live, apiVersion);
      return served === undefined ? [] : [withTree(entry, reconciled(served.plan.root, treeOf(entry)))];
    });
  }
}
