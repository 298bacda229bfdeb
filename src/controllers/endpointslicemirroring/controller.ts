import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '#api/generated/resources.ts';
import type { EndpointSlice } from '#api/generated/types.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { MANAGED_BY_LABEL, SERVICE_NAME_LABEL } from '../endpointslice/plan.ts';
import { isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { MIRRORING_MANAGER, planMirror } from './plan.ts';

export const endpointSliceMirroringController: ControllerDefinition = {
  name: 'endpointslice-mirroring-controller',
  aliases: ['endpointslicemirroring'],
  serviceAccount: 'endpointslicemirroring-controller',
  eventSource: 'endpoint-slice-mirroring-controller',
  run,
};

/** Mirrors Endpoints written by hand into EndpointSlices, which is what proxies read. Keys are those of services. */
async function run(context: ControllerContext): Promise<void> {
  const { client } = context;
  const reconciler = new Reconciler(context);
  const enqueue = (object: KubeObject) => reconciler.add(objectKey(object));
  const onChange = {
    onAdd: enqueue,
    onUpdate: (_: KubeObject, object: KubeObject) => enqueue(object),
    onDelete: enqueue,
  };
  const services = reconciler.watch(SERVICES, onChange);
  const endpoints = reconciler.watch(ENDPOINTS, onChange);
  const sliceChanged = (slice: EndpointSlice) => {
    const key = mirroredKeyOf(slice);
    if (key === undefined) return;
    own.observed(key, slice);
    reconciler.add(key);
  };
  const slices = reconciler.watch(
    ENDPOINT_SLICES,
    { onAdd: sliceChanged, onUpdate: (_, slice) => sliceChanged(slice), onDelete: sliceChanged },
    { mirrored: (slice) => [mirroredKeyOf(slice) ?? ''] },
  );
  const own = new OwnWrites<EndpointSlice>({ clock: context.executor.clock, cached: (key) => slices.get(key) });

  async function reconcile(key: string): Promise<RequeueInMs> {
    const plan = planMirror({
      endpoints: endpoints.get(key),
      service: services.get(key),
      slices: own.apply(key, slices.byIndex('mirrored', key)),
    });
    try {
      for (const slice of plan.create) own.created(key, await client.create(ENDPOINT_SLICES, slice));
      for (const { stored, next } of plan.update) {
        own.updated(key, stored, await client.update(ENDPOINT_SLICES, next));
      }
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      throw error;
    }
    for (const slice of plan.delete) await remove(key, slice);
    return own.forgottenInMs(key);
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

  await reconciler.run({ workers: 5, reconcile });
}

/** The service whose Endpoints a slice mirrors; other slices are none of this controller's business. */
function mirroredKeyOf(slice: EndpointSlice): string | undefined {
  const labels = slice.metadata.labels ?? {};
  const service = labels[SERVICE_NAME_LABEL];
  if (labels[MANAGED_BY_LABEL] !== MIRRORING_MANAGER || service === undefined) return undefined;
  return `${slice.metadata.namespace ?? ''}/${service}`;
}
