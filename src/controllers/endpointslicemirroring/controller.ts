import { ENDPOINTS, SERVICES } from '#api/generated/resources.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { ManagedSlices } from '../shared/managed-slices.ts';
import { isNamespaceTerminating } from '../shared/namespace-terminating.ts';
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
  const reconciler = new Reconciler(context);
  const enqueue = (object: KubeObject) => reconciler.add(objectKey(object));
  const onChange = {
    onAdd: enqueue,
    onUpdate: (_: KubeObject, object: KubeObject) => enqueue(object),
    onDelete: enqueue,
  };
  const services = reconciler.watch(SERVICES, onChange);
  const endpoints = reconciler.watch(ENDPOINTS, onChange);
  const slices = new ManagedSlices(MIRRORING_MANAGER, { context, reconciler });

  async function reconcile(key: string): Promise<RequeueInMs> {
    const plan = planMirror({ endpoints: endpoints.get(key), service: services.get(key), slices: slices.of(key) });
    try {
      await slices.carryOut(key, plan);
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      throw error;
    }
    return slices.forgottenInMs(key);
  }

  await reconciler.run({ workers: 5, reconcile });
}
