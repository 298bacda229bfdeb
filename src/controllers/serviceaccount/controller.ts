import { NAMESPACES, SERVICE_ACCOUNTS } from '#api/generated/resources.ts';
import { isAlreadyExists } from '#machinery/errors/status-error.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';

export const serviceAccountController: ControllerDefinition = {
  name: 'serviceaccount-controller',
  aliases: ['serviceaccount'],
  serviceAccount: 'service-account-controller',
  eventSource: 'serviceaccount-controller',
  run,
};

const DEFAULT_ACCOUNT = 'default';

/** Gives every namespace its service account `default`. Keys are names of namespaces. */
async function run(context: ControllerContext): Promise<void> {
  const reconciler = new Reconciler(context);
  const namespaces = reconciler.watch(NAMESPACES, {
    onAdd: (namespace) => reconciler.add(namespace.metadata.name ?? ''),
    onUpdate: (_, namespace) => reconciler.add(namespace.metadata.name ?? ''),
  });
  const accounts = reconciler.watch(SERVICE_ACCOUNTS, {
    onDelete: (account) => {
      if (account.metadata.name === DEFAULT_ACCOUNT) reconciler.add(account.metadata.namespace ?? '');
    },
  });

  async function reconcile(name: string): Promise<RequeueInMs> {
    const namespace = namespaces.get(name);
    const isActive = namespace !== undefined && namespace.status?.phase !== 'Terminating';
    if (!isActive || namespace.metadata.deletionTimestamp !== undefined) return undefined;
    if (accounts.get(`${name}/${DEFAULT_ACCOUNT}`) !== undefined) return undefined;
    try {
      await context.client.create(SERVICE_ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: DEFAULT_ACCOUNT, namespace: name },
      });
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
    return undefined;
  }

  await reconciler.run({ workers: 2, reconcile });
}
