import { ENDPOINTS } from '#api/generated/resources.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { objectKey, splitObjectKey } from '#machinery/meta/types.ts';
import type { Endpoints } from '#api/generated/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { planEndpoints } from './plan.ts';
import { isSelectorless, ServicePods } from './service-pods.ts';
import { TriggerTimes } from './trigger-times.ts';

export const endpointsController: ControllerDefinition = {
  name: 'endpoints-controller',
  aliases: ['endpoint'],
  serviceAccount: 'endpoint-controller',
  eventSource: 'endpoint-controller',
  run,
};

/** Keeps one Endpoints object for each service with a selector. */
async function run(context: ControllerContext): Promise<void> {
  const { client } = context;
  const reconciler = new Reconciler(context);
  const source = new ServicePods(reconciler);
  const triggerTimes = new TriggerTimes();
  const stored = reconciler.watch(ENDPOINTS, {
    onAdd: (endpoints) => own.observed(objectKey(endpoints), endpoints),
    onDelete: (endpoints) => {
      if (source.services.get(objectKey(endpoints)) !== undefined) reconciler.add(objectKey(endpoints));
    },
  });

  const own = new OwnWrites<Endpoints>({ clock: context.executor.clock, cached: (key) => stored.get(key) });

  async function reconcile(key: string): Promise<RequeueInMs> {
    await context.executor.pause('background');
    const service = source.services.get(key);
    if (service === undefined) {
      triggerTimes.forget(key);
      own.forget(key);
      const endpoints = stored.get(key);
      // Endpoints without the mark were made by somebody else, for a service of the same name to come.
      const isOwn = endpoints?.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller';
      if (endpoints !== undefined && isOwn) await remove(key, endpoints.metadata.uid ?? '');
      return undefined;
    }
    if (isSelectorless(service) || service.metadata.deletionTimestamp !== undefined) return undefined;
    const pods = source.podsOf(service);
    const triggerTime = triggerTimes.next(key, service, pods);
    const cached = stored.get(key);
    const [current] = own.apply(key, cached === undefined ? [] : [cached]);
    const plan = planEndpoints({ service, pods, stored: current, triggerTime });
    try {
      if (plan.type === 'create') own.created(key, await client.create(ENDPOINTS, plan.next));
      if (plan.type === 'update' && current !== undefined) {
        own.updated(key, current, await client.update(ENDPOINTS, plan.next));
      }
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
    return undefined;
  }

  async function remove(key: string, uid: string): Promise<void> {
    try {
      await client.delete(ENDPOINTS, splitObjectKey(key), { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  await reconciler.run({ workers: 5, reconcile });
}
