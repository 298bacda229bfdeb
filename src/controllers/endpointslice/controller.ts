import type { Service } from '#api/generated/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { isSelectorless, ServicePods } from '../endpoints/service-pods.ts';
import { TriggerTimes } from '../endpoints/trigger-times.ts';
import { ManagedSlices } from '../shared/managed-slices.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { MANAGER, planEndpointSlices } from './plan.ts';

export const endpointSliceController: ControllerDefinition = {
  name: 'endpointslice-controller',
  aliases: ['endpointslice'],
  serviceAccount: 'endpointslice-controller',
  eventSource: 'endpoint-slice-controller',
  run,
};

/** Keeps the EndpointSlices of services with a selector. */
async function run(context: ControllerContext): Promise<void> {
  const { events } = context;
  const reconciler = new Reconciler(context);
  const source = new ServicePods(reconciler);
  const nodes = source.watchNodes();
  const triggerTimes = new TriggerTimes();
  const slices = new ManagedSlices(MANAGER, { context, reconciler });

  async function reconcile(key: string): Promise<RequeueInMs> {
    await context.executor.pause('background');
    const service = source.services.get(key);
    if (service === undefined) {
      triggerTimes.forget(key);
      await slices.removeAll(key);
      return undefined;
    }
    if (isSelectorless(service) || service.metadata.deletionTimestamp !== undefined) return undefined;
    const pods = source.podsOf(service);
    const plan = planEndpointSlices({
      service,
      pods,
      slices: slices.of(key),
      nodeOf: (name) => nodes.get(name),
      triggerTime: triggerTimes.next(key, service, pods),
    });
    try {
      await slices.carryOut(key, plan);
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      warn(service, error);
      throw error;
    }
    return slices.forgottenInMs(key);
  }

  function warn(service: Service, error: unknown): void {
    const name = `${service.metadata.namespace}/${service.metadata.name}`;
    const message = `Error updating Endpoint Slices for Service ${name}: ${errorMessage(error)}`;
    events.event(service, { type: 'Warning', reason: 'FailedToUpdateEndpointSlices', message });
  }

  await reconciler.run({ workers: 5, reconcile });
}
