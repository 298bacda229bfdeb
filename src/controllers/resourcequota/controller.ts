import * as builtin from '#api/generated/resources.ts';
import { RESOURCE_QUOTAS } from '#api/generated/resources.ts';
import type { CountedResource } from '#api/core/v1/quota/usage.ts';
import type { Pod, ResourceQuota } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import type { Informer } from '#client/informer/informer.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { discoverResources } from '../shared/discovery.ts';
import { namespaceIndex, Reconciler, type RequeueInMs, untilAborted } from '../shared/reconciler.ts';
import { countedResources, quotaStatus } from './plan.ts';

export const resourceQuotaController: ControllerDefinition = {
  name: 'resourcequota-controller',
  aliases: ['resourcequota'],
  serviceAccount: 'resourcequota-controller',
  eventSource: 'resourcequota-controller',
  run: (context) => new ResourceQuotaController(context).run(),
};

/** `--resource-quota-sync-period`: every quota is counted anew this often. */
const RESYNC_MS = 5 * 60_000;
/** A resource that nobody serves is looked for again after this time. */
const RETRY_DISCOVERY_MS = 30_000;

/** Resources whose usage an update can change. Of others only the number counts. */
const MEASURED: ReadonlySet<string> = new Set(['/pods', '/services', '/persistentvolumeclaims']);

const BUILTIN: ReadonlyMap<string, ResourceType> = new Map(
  Object.values(builtin).map((resource) => [`${resource.group}/${resource.resource}`, resource]),
);

/** Counts what namespaces use of their quotas. Keys are those of quotas. */
class ResourceQuotaController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #quotas: Informer<ResourceQuota>;
  /** Only what some quota names is watched. */
  readonly #monitors = new Map<string, Informer>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (quota: ResourceQuota) => this.#reconciler.add(objectKey(quota));
    this.#quotas = this.#reconciler.watch(
      RESOURCE_QUOTAS,
      {
        onAdd: enqueue,
        onUpdate: (before, quota) => {
          const { spec, status } = quota;
          if (!deepEqual(before.spec, spec) || !deepEqual(before.status, status)) enqueue(quota);
        },
      },
      { namespace: namespaceIndex },
    );
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 5, reconcile: (key) => this.#reconcile(key) });
  }

  #namespaceChanged(namespace: string): void {
    for (const quota of this.#quotas.byIndex('namespace', namespace)) this.#reconciler.add(objectKey(quota));
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    await this.#context.executor.pause('background');
    const first = this.#quotas.get(key);
    if (first === undefined) return undefined;
    let retryMs = RESYNC_MS;
    const monitors: { counted: CountedResource; informer: Informer }[] = [];
    for (const counted of countedResources(first)) {
      const informer = await this.#monitorOf(counted);
      if (informer === undefined) retryMs = RETRY_DISCOVERY_MS;
      else monitors.push({ counted, informer });
    }
    // Read after the last wait, so that usage and quota are of one moment.
    const quota = this.#quotas.get(key);
    if (quota === undefined || this.#context.signal.aborted) return undefined;
    const namespace = quota.metadata.namespace ?? '';
    const objects = monitors.map(({ counted, informer }) => ({ counted, objects: informer.listNamespace(namespace) }));
    const status = quotaStatus(quota, objects);
    if (!deepEqual(status, { hard: quota.status?.hard ?? {}, used: quota.status?.used ?? {} })) {
      await this.#context.client.update(RESOURCE_QUOTAS, { ...quota, status }, { subresource: 'status' });
    }
    return retryMs;
  }

  /** The synced informer of a resource; undefined where nobody serves it. */
  async #monitorOf(counted: CountedResource): Promise<Informer | undefined> {
    const key = `${counted.group}/${counted.resource}`;
    let informer = this.#monitors.get(key);
    if (informer === undefined) {
      const resource = BUILTIN.get(key) ?? (await this.#discover(counted));
      if (resource === undefined) return undefined;
      // Another worker may have been faster.
      informer = this.#monitors.get(key) ?? this.#monitor(key, resource);
    }
    await untilAborted(informer.synced, this.#context.signal);
    return informer;
  }

  async #discover({ group, resource }: CountedResource): Promise<ResourceType | undefined> {
    const { client, signal } = this.#context;
    const { resources } = await discoverResources(client, signal);
    const found = resources.find((one) => one.group === group && one.resource === resource);
    const isCountable = found?.namespaced === true && found.verbs.includes('list') && found.verbs.includes('watch');
    return isCountable ? found : undefined;
  }

  #monitor(key: string, resource: ResourceType): Informer {
    const changed = (object: KubeObject) => this.#namespaceChanged(object.metadata.namespace ?? '');
    const informer = this.#reconciler.watch(resource, {
      onAdd: changed,
      onUpdate: (before, object) => {
        if (MEASURED.has(key) && (key !== '/pods' || mayUseOther(before, object))) changed(object);
      },
      onDelete: changed,
    });
    this.#monitors.set(key, informer);
    return informer;
  }
}

/** Whether a pod's usage may have changed; most updates only tell how its containers fare. */
function mayUseOther(before: KubeObject, after: KubeObject): boolean {
  // Safe: only asked about pods.
  const [old, next] = [before as Pod, after as Pod];
  return old.status?.phase !== next.status?.phase || old.metadata.generation !== next.metadata.generation;
}
