import { API_SERVICES, CUSTOM_RESOURCE_DEFINITIONS } from '#api/generated/resources.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs, untilAborted } from '../shared/reconciler.ts';
import { GarbageCollector } from './collector.ts';
import { ResourceMonitors } from './resource-monitors.ts';

export const garbageCollector: ControllerDefinition = {
  name: 'garbage-collector-controller',
  aliases: ['garbagecollector', 'gc'],
  serviceAccount: 'generic-garbage-collector',
  eventSource: 'garbage-collector-controller',
  run,
};

/** Keys other than `resources` are `delete/UID` and `orphan/UID`. */
const RESOURCES_KEY = 'resources';

/** Workers of upstream's `--concurrent-gc-syncs`. */
const WORKERS = 20;

/** Deletes objects whose owners are gone, and carries out foreground deletion and orphaning. */
async function run(context: ControllerContext): Promise<void> {
  const reconciler = new Reconciler(context);
  const collector = new GarbageCollector({
    client: context.client,
    clock: context.executor.clock,
    resourceOf: (object) => monitors.resourceOf(object),
    enqueue: {
      attemptDelete: (uid) => reconciler.add(`delete/${uid}`),
      attemptOrphan: (uid) => reconciler.add(`orphan/${uid}`),
    },
  });
  const monitors = new ResourceMonitors(context, {
    onChange: (object) => collector.observe(object),
    onDelete: (object) => collector.removed(object),
  });
  const servedChanged = () => reconciler.add(RESOURCES_KEY);
  const onServedChange = { onAdd: servedChanged, onUpdate: servedChanged, onDelete: servedChanged };
  reconciler.watch(CUSTOM_RESOURCE_DEFINITIONS, onServedChange);
  reconciler.watch(API_SERVICES, onServedChange);

  async function reconcile(key: string): Promise<RequeueInMs> {
    if (key === RESOURCES_KEY) return monitors.refresh();
    const [action, uid = ''] = key.split('/');
    return action === 'orphan' ? collector.orphanDependents(uid) : collector.attemptDelete(uid);
  }

  try {
    const retryInMs = await monitors.refresh();
    if (retryInMs !== undefined) reconciler.addAfter(RESOURCES_KEY, retryInMs);
    // What is not in the graph yet is read live before anything is deleted; waiting only saves these reads.
    await untilAborted(monitors.synced(), context.signal);
    await reconciler.run({ workers: WORKERS, reconcile });
  } finally {
    await monitors.stop();
  }
}
