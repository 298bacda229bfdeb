import {
  CLEANUP_FINALIZER,
  DELETION_IN_PROGRESS,
  isConditionTrue,
  type Verdict,
  withCondition,
} from '#api/apiextensions/v1/conditions.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '#api/generated/resources.ts';
import type { CustomResourceDefinition } from '#api/generated/types.ts';
import type { Client, ResourceType } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { WatchHub } from '../storage/hub.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import { splitStorageKey } from '../storage/keys.ts';

/** How long objects with finalizers of their own may take before the definition says so. */
const CONFIRM_MS = 60_000;

export interface CleanupDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly hub: WatchHub;
  readonly retry: (name: string, delayMs: number) => void;
}

/** Removes the objects of a definition that is being deleted, and then lets it go. */
export class DefinitionCleanup {
  readonly #deps: CleanupDeps;
  /** Definitions whose last objects are waited for. */
  readonly #waiting = new Map<string, Disposable>();

  constructor(deps: CleanupDeps) {
    this.#deps = deps;
  }

  async run(crd: CustomResourceDefinition): Promise<void> {
    const name = crd.metadata.name ?? '';
    if (!isConditionTrue(crd.status?.conditions, 'Established')) {
      await this.#finish(crd, {
        type: 'Terminating',
        status: 'False',
        reason: 'NeverEstablished',
        message: 'resource was never established',
      });
      return;
    }
    const current = await this.#markInProgress(crd);
    const cache = await this.#cacheOf(crd);
    if (cache.size > 0) await this.#deleteObjects(crd, cache);
    if (cache.size > 0) {
      this.#await(name, cache);
      return;
    }
    this.forget(name);
    await this.#finish(current, {
      type: 'Terminating',
      status: 'False',
      reason: 'InstanceDeletionCompleted',
      message: 'removed all instances',
    });
  }

  forget(name: string): void {
    this.#waiting.get(name)?.[Symbol.dispose]();
    this.#waiting.delete(name);
  }

  close(): void {
    for (const name of this.#waiting.keys()) this.forget(name);
  }

  async #cacheOf({ spec, status }: CustomResourceDefinition): Promise<ResourceCache> {
    const storagePrefix = `/registry/${spec.group}/${status?.acceptedNames?.plural ?? spec.names.plural}`;
    const { hub } = this.#deps;
    await hub.waitForHead();
    return hub.cacheAt(storagePrefix);
  }

  async #deleteObjects({ spec, status }: CustomResourceDefinition, cache: ResourceCache): Promise<void> {
    const names = status?.acceptedNames ?? spec.names;
    const served = spec.versions.find((version) => version.served);
    if (served === undefined) {
      await this.#removeUnserved(cache);
      return;
    }
    const type: ResourceType = {
      group: spec.group,
      version: served.name,
      resource: names.plural,
      kind: names.kind,
      namespaced: spec.scope === 'Namespaced',
    };
    if (!type.namespaced) {
      await this.#deps.client.deleteCollection(type, {});
      return;
    }
    const namespaces = new Set([...cache.tree.keys()].map((key) => splitStorageKey(cache.prefix, key).namespace));
    for (const namespace of namespaces) await this.#deps.client.deleteCollection(type, { namespace });
  }

  /** No version is served, so that nobody could: the objects go without a word. */
  async #removeUnserved(cache: ResourceCache): Promise<void> {
    for (const entry of Array.from(cache.tree.values())) {
      await this.#deps.hub.store.commit({ key: entry.key, value: undefined, expectedRevision: entry.revision });
    }
  }

  /** Looks again when the last object is gone, or after a while. */
  #await(name: string, cache: ResourceCache): void {
    if (this.#waiting.has(name)) return;
    const { retry } = this.#deps;
    const listener = cache.onChange(() => {
      if (cache.size > 0) return;
      this.forget(name);
      retry(name, 0);
    });
    this.#waiting.set(name, listener);
    retry(name, CONFIRM_MS);
  }

  async #markInProgress(crd: CustomResourceDefinition): Promise<CustomResourceDefinition> {
    if (isConditionTrue(crd.status?.conditions, 'Terminating')) return crd;
    return this.#write(crd, DELETION_IN_PROGRESS);
  }

  async #finish(crd: CustomResourceDefinition, condition: Verdict): Promise<void> {
    const written = await this.#write(crd, condition);
    const finalizers = (written.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    await this.#deps.client.update(CUSTOM_RESOURCE_DEFINITIONS, {
      ...written,
      metadata: { ...written.metadata, finalizers },
    });
  }

  #write(crd: CustomResourceDefinition, condition: Verdict): Promise<CustomResourceDefinition> {
    const conditions = withCondition(crd.status?.conditions ?? [], condition, this.#deps.executor.clock.now());
    const next = { ...crd, status: { ...crd.status, conditions } };
    return this.#deps.client.update(CUSTOM_RESOURCE_DEFINITIONS, next, { subresource: 'status' });
  }
}
