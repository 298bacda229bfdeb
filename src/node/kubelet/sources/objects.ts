import type { ConfigMap, Secret, Service } from '#api/generated/types.ts';
import { CONFIG_MAPS, RUNTIME_CLASSES, SECRETS, SERVICES } from '#api/generated/resources.ts';
import type { Client, ResourceType } from '#client/client.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';
import { ContainerConfigError } from '../container/errors.ts';
import type { ReferencedObjects } from '../container/environment.ts';
import type { PodObjects } from '../pod/services.ts';
import { follow } from './follow.ts';

/** One object that some pods refer to, watched for as long as they do. */
interface Watched {
  value: KubeObject | undefined;
  hasSynced: boolean;
  /** Settles once it is known whether the object exists. */
  synced: Promise<void>;
  holders: Set<string>;
  stopping: AbortController;
}

export interface ObjectsDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  /** Something that this pod refers to has changed. */
  readonly onChange: (uid: string) => void;
  /** Nodes that only pretend need no service variables. */
  readonly withServices: boolean;
}

// How long a pod's step waits for an object of which nothing is known yet: the API server may be away.
const SYNC_TIMEOUT_MS = 10_000;

/**
 * ConfigMaps and Secrets one by one, as a node may only read what its pods name; services all together. Watching and not
 * fetching means that a change reaches its pods at once and that a quiet node asks nothing.
 */
export class WatchedObjects implements PodObjects {
  readonly #deps: ObjectsDeps;
  readonly #objects = new Map<string, Watched>();
  readonly #services = new Map<string, Service>();
  readonly #servicesStop = new AbortController();
  #servicesSynced: Promise<void> | undefined;

  constructor(deps: ObjectsDeps) {
    this.#deps = deps;
  }

  forPod(uid: string): ReferencedObjects {
    return {
      configMap: async (namespace, name) => {
        const found = await this.#get(uid, CONFIG_MAPS, { namespace, name });
        // Safe: the watch of that resource delivers that kind.
        return found as ConfigMap | undefined;
      },
      secret: async (namespace, name) => {
        const found = await this.#get(uid, SECRETS, { namespace, name });
        // Safe: as above.
        return found as Secret | undefined;
      },
      services: (namespace) => this.#servicesOf(namespace),
    };
  }

  async runtimeHandler(runtimeClass: string): Promise<string | undefined> {
    try {
      return (await this.#deps.client.get(RUNTIME_CLASSES, { name: runtimeClass })).handler;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  release(uid: string): void {
    for (const [key, watched] of this.#objects) {
      if (!watched.holders.delete(uid) || watched.holders.size > 0) continue;
      watched.stopping.abort();
      this.#objects.delete(key);
    }
  }

  stop(): void {
    this.#servicesStop.abort();
    for (const watched of this.#objects.values()) watched.stopping.abort();
    this.#objects.clear();
  }

  async #get(
    uid: string,
    resource: ResourceType,
    target: { namespace: string; name: string },
  ): Promise<KubeObject | undefined> {
    const key = `${resource.resource}/${target.namespace}/${target.name}`;
    const watched = this.#objects.get(key) ?? this.#watch(key, resource, target);
    watched.holders.add(uid);
    if (!watched.hasSynced) {
      await this.#inTime(watched.synced, `failed to sync ${resource.kind.toLowerCase()} cache`);
    }
    return watched.value;
  }

  #watch(key: string, resource: ResourceType, target: { namespace: string; name: string }): Watched {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopping = new AbortController();
    const watched: Watched = {
      value: undefined,
      hasSynced: false,
      synced: promise,
      holders: new Set(),
      stopping,
    };
    this.#objects.set(key, watched);
    const change = (value: KubeObject | undefined) => {
      const isNews = watched.hasSynced && versionOf(value) !== versionOf(watched.value);
      watched.value = value;
      watched.hasSynced = true;
      resolve();
      if (isNews) for (const uid of watched.holders) this.#deps.onChange(uid);
    };
    const options = {
      namespace: target.namespace,
      fieldSelector: `metadata.name=${target.name}`,
      signal: stopping.signal,
    };
    void follow(this.#deps, resource, options, {
      onState: (items) => change(items.find((one) => one.metadata.name === target.name)),
      onEvent: (type, object) => change(type === 'DELETED' ? undefined : object),
    });
    return watched;
  }

  async #servicesOf(namespace: string): Promise<readonly Service[]> {
    if (!this.#deps.withServices) return [];
    this.#servicesSynced ??= this.#watchServices();
    await this.#inTime(this.#servicesSynced, 'services have not yet been read at least once, cannot construct envvars');
    return [...this.#services.values()].filter(
      ({ metadata }) => metadata.namespace === namespace || metadata.namespace === 'default',
    );
  }

  #watchServices(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    void follow(
      this.#deps,
      SERVICES,
      { signal: this.#servicesStop.signal },
      {
        onState: (items) => {
          this.#services.clear();
          for (const service of items) this.#services.set(objectKey(service), service);
          resolve();
        },
        onEvent: (type, service) => {
          if (type === 'DELETED') this.#services.delete(objectKey(service));
          else this.#services.set(objectKey(service), service);
        },
      },
    );
    return promise;
  }

  async #inTime(work: Promise<void>, what: string): Promise<void> {
    const controller = new AbortController();
    const late = this.#deps.executor.clock.sleep(SYNC_TIMEOUT_MS, { signal: controller.signal }).then(
      () => true,
      () => false,
    );
    const isLate = await Promise.race([work.then(() => false), late]);
    controller.abort();
    if (isLate) throw new ContainerConfigError(`${what}: timed out waiting for the condition`);
  }
}

function versionOf(object: KubeObject | undefined): string {
  return object === undefined ? '' : `${object.metadata.uid ?? ''}/${object.metadata.resourceVersion ?? ''}`;
}
