import { CONFIG_MAPS, NAMESPACES } from '#api/generated/resources.ts';
import type { ConfigMap } from '#api/generated/types.ts';
import { isAlreadyExists } from '#machinery/errors/status-error.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { planRootCa, ROOT_CA_NAME } from './plan.ts';

export const rootCaController: ControllerDefinition = {
  name: 'root-ca-certificate-publisher-controller',
  aliases: ['root-ca-cert-publisher'],
  serviceAccount: 'root-ca-cert-publisher',
  eventSource: 'root-ca-cert-publisher',
  run,
};

/** Keeps `kube-root-ca.crt` in every namespace. Keys are names of namespaces. */
async function run(context: ControllerContext): Promise<void> {
  const { client, options } = context;
  const reconciler = new Reconciler(context);
  const namespaces = reconciler.watch(NAMESPACES, {
    onAdd: (namespace) => reconciler.add(namespace.metadata.name ?? ''),
    onUpdate: (_, namespace) => reconciler.add(namespace.metadata.name ?? ''),
  });
  const changed = (map: ConfigMap) => {
    if (map.metadata.name === ROOT_CA_NAME) reconciler.add(map.metadata.namespace ?? '');
  };
  const maps = reconciler.watch(CONFIG_MAPS, { onUpdate: (_, map) => changed(map), onDelete: changed });

  async function reconcile(namespace: string): Promise<RequeueInMs> {
    const stored = maps.get(`${namespace}/${ROOT_CA_NAME}`);
    const plan = planRootCa({ namespace: namespaces.get(namespace), stored, rootCa: options.rootCa });
    try {
      if (plan.type === 'create') await client.create(CONFIG_MAPS, plan.next);
      if (plan.type === 'update') await client.update(CONFIG_MAPS, plan.next);
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
    return undefined;
  }

  await reconciler.run({ workers: 2, reconcile });
}
