import { ENDPOINT_SLICES } from '#api/generated/resources.ts';
import type { EndpointSlice, Service } from '#api/generated/types.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { isSelectorless, ServicePods } from '../endpoints/service-pods.ts';
import { TriggerTimes } from '../endpoints/trigger-times.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { type EndpointSlicePlan, MANAGED_BY_LABEL, MANAGER, planEndpointSlices, SERVICE_NAME_LABEL } from './plan.ts';

export const endpointSliceController: ControllerDefinition = {
  name: 'endpointslice-controller',
  aliases: ['endpointslice'],
  serviceAccount: 'endpointslice-controller',
  eventSource: 'endpoint-slice-controller',
  run,
};

/** Keeps the EndpointSlices of services with a selector. */
async function run(context: ControllerContext): Promise<void> {
  const { client, events } = context;
  const reconciler = new Reconciler(context);
  const source = new ServicePods(reconciler);
  const nodes = source.watchNodes();
  const triggerTimes = new TriggerTimes();
  const changed = (slice: EndpointSlice) => {
    const key = serviceKeyOf(slice);
    if (key === undefined) return;
    own.observed(key, slice);
    reconciler.add(key);
  };
  const slices = reconciler.watch(
    ENDPOINT_SLICES,
    { onAdd: changed, onUpdate: (_, slice) => changed(slice), onDelete: changed },
    { service: (slice) => [serviceKeyOf(slice) ?? ''] },
  );
  const own = new OwnWrites<EndpointSlice>({ clock: context.executor.clock, cached: (key) => slices.get(key) });

  async function reconcile(key: string): Promise<RequeueInMs> {
    await context.executor.pause('background');
    const service = source.services.get(key);
    if (service === undefined) {
      triggerTimes.forget(key);
      own.forget(key);
      for (const slice of slices.byIndex('service', key)) await remove(key, slice);
      return undefined;
    }
    if (isSelectorless(service) || service.metadata.deletionTimestamp !== undefined) return undefined;
    const pods = source.podsOf(service);
    const plan = planEndpointSlices({
      service,
      pods,
      slices: own.apply(key, slices.byIndex('service', key)),
      nodeOf: (name) => nodes.get(name),
      triggerTime: triggerTimes.next(key, service, pods),
    });
    try {
      await carryOut(key, plan);
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      warn(service, error);
      throw error;
    }
    return own.forgottenInMs(key);
  }

  async function carryOut(key: string, plan: EndpointSlicePlan): Promise<void> {
    for (const slice of plan.create) own.created(key, await client.create(ENDPOINT_SLICES, slice));
    for (const { stored, next } of plan.update) {
      own.updated(key, stored, await client.update(ENDPOINT_SLICES, next));
    }
    for (const slice of plan.delete) await remove(key, slice);
  }

  async function remove(key: string, slice: EndpointSlice): Promise<void> {
    const { name = '', namespace = '', uid = '' } = slice.metadata;
    try {
      await client.delete(ENDPOINT_SLICES, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    own.deleted(key, slice);
  }

  function warn(service: Service, error: unknown): void {
    const name = `${service.metadata.namespace}/${service.metadata.name}`;
    const message = `Error updating Endpoint Slices for Service ${name}: ${errorMessage(error)}`;
    events.event(service, { type: 'Warning', reason: 'FailedToUpdateEndpointSlices', message });
  }

  await reconciler.run({ workers: 5, reconcile });
}

/** The service that a slice of this controller belongs to; slices of others are none of its business. */
function serviceKeyOf(slice: EndpointSlice): string | undefined {
  const labels = slice.metadata.labels ?? {};
  const service = labels[SERVICE_NAME_LABEL];
  if (labels[MANAGED_BY_LABEL] !== MANAGER || service === undefined) return undefined;
  return `${slice.metadata.namespace ?? ''}/${service}`;
}
