import * as builtin from '#api/generated/resources.ts';
import { Informer } from '#client/informer/informer.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import type { ControllerContext } from '../controller.ts';
import { type DiscoveredResource, discoverResources, kindKey } from '../shared/discovery.ts';

/** A group that did not answer discovery is asked again after this time. */
const RETRY_DISCOVERY_MS = 10_000;

/** Events are many, short-lived, and own nothing. */
const IGNORED: ReadonlySet<string> = new Set(['/events', 'events.k8s.io/events']);

const BUILTIN: ReadonlySet<string> = new Set(
  Object.values(builtin).map((resource) => `${resource.group}/${resource.resource}`),
);

interface Monitor {
  readonly resource: DiscoveredResource;
  readonly synced: Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Watches every resource that can be deleted, built-in and custom, as they come and go. */
export class ResourceMonitors {
  readonly #context: ControllerContext;
  readonly #handlers: { onChange: (object: KubeObject) => void; onDelete: (object: KubeObject) => void };
  readonly #monitors = new Map<string, Monitor>();
  #kinds = new Map<string, DiscoveredResource>();

  constructor(
    context: ControllerContext,
    handlers: { onChange: (object: KubeObject) => void; onDelete: (object: KubeObject) => void },
  ) {
    this.#context = context;
    this.#handlers = handlers;
  }

  /** Under which resource an object of this kind is served. */
  resourceOf(object: Pick<KubeObject, 'apiVersion' | 'kind'>): DiscoveredResource | undefined {
    return this.#kinds.get(kindKey(object));
  }

  /** Starts and stops watches by what is served now; milliseconds until the next try where a group did not answer. */
  async refresh(): Promise<number | undefined> {
    const { client, signal } = this.#context;
    const { resources, failed } = await discoverResources(client, signal);
    const kinds = new Map(failed.length === 0 ? [] : this.#kinds);
    const served = new Set<string>();
    for (const resource of resources) {
      const key = `${resource.group}/${resource.resource}`;
      kinds.set(kindKey({ apiVersion: apiVersionOf(resource), kind: resource.kind }), resource);
      served.add(key);
      const isDeletable = ['delete', 'list', 'watch'].every((verb) => resource.verbs.includes(verb));
      if (!isDeletable || IGNORED.has(key)) continue;
      if (this.#monitors.get(key)?.resource.version === resource.version) continue;
      await this.#monitors.get(key)?.stop();
      this.#monitors.set(key, this.#start(resource, BUILTIN.has(key)));
    }
    this.#kinds = kinds;
    if (failed.length > 0) return RETRY_DISCOVERY_MS;
    for (const [key, monitor] of this.#monitors) {
      if (served.has(key)) continue;
      this.#monitors.delete(key);
      await monitor.stop();
    }
    return undefined;
  }

  async synced(): Promise<void> {
    await Promise.all([...this.#monitors.values()].map((monitor) => monitor.synced));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#monitors.values()].map((monitor) => monitor.stop()));
    this.#monitors.clear();
  }

  /** Built-in resources are watched once for all controllers; a custom one may vanish, so its watch is our own. */
  #start(resource: DiscoveredResource, isBuiltin: boolean): Monitor {
    const { client, executor, log, informers } = this.#context;
    const informer = isBuiltin ? informers.informer(resource) : new Informer({ client, executor, log }, resource);
    const remove = informer.addHandler({
      onAdd: this.#handlers.onChange,
      onUpdate: (_, object) => this.#handlers.onChange(object),
      onDelete: this.#handlers.onDelete,
    });
    informer.start();
    return {
      resource,
      synced: informer.synced,
      stop: async () => {
        remove();
        if (isBuiltin) return;
        await informer.stop();
        // What a vanished resource held is gone with it.
        for (const object of informer.list()) this.#handlers.onDelete(object);
      },
    };
  }
}
