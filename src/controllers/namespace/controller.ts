import { NAMESPACES, PODS } from '#api/generated/resources.ts';
import type { Namespace } from '#api/generated/types.ts';
import { isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { emptyNamespace } from './content.ts';
import { planNamespaceConditions } from './plan.ts';

export const namespaceController: ControllerDefinition = {
  name: 'namespace-controller',
  aliases: ['namespace'],
  serviceAccount: 'namespace-controller',
  eventSource: 'namespace-controller',
  run,
};

const FINALIZER = 'kubernetes';
/** What is left for other reasons than pods (finalizers of others) is looked at again after this time. */
const RECHECK_MS = 2_000;

/** Empties namespaces that are being deleted and then lets them go. Keys are names of namespaces. */
async function run(context: ControllerContext): Promise<void> {
  const { client, signal } = context;
  const reconciler = new Reconciler(context);
  const changed = (namespace: Namespace) => {
    if (namespace.metadata.deletionTimestamp !== undefined) reconciler.add(namespace.metadata.name ?? '');
  };
  const namespaces = reconciler.watch(NAMESPACES, { onAdd: changed, onUpdate: (_, namespace) => changed(namespace) });
  reconciler.watch(PODS, {
    onDelete: (pod) => {
      const namespace = namespaces.get(pod.metadata.namespace ?? '');
      if (namespace !== undefined) changed(namespace);
    },
  });

  async function reconcile(name: string): Promise<RequeueInMs> {
    if (namespaces.get(name)?.metadata.deletionTimestamp === undefined) return undefined;
    const namespace = await readLive(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
    const terminating = await markTerminating(namespace);
    if (!(terminating.spec.finalizers ?? []).includes(FINALIZER)) return undefined;
    const report = await emptyNamespace(client, name, signal);
    const conditions = planNamespaceConditions(terminating, report, context.executor.clock.now());
    const isEmpty = report.remaining.size === 0 && report.deletionFailures.length === 0;
    const noted = await writeConditions(terminating, conditions);
    if (!isEmpty) return RECHECK_MS;
    // An aggregated group that does not answer may hold content, but must not hold the namespace for ever.
    if (report.discoveryFailures.length > 0) return RECHECK_MS;
    const finalizers = (noted.spec.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
    try {
      await client.update(NAMESPACES, { ...noted, spec: { ...noted.spec, finalizers } }, { subresource: 'finalize' });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  }

  async function readLive(name: string): Promise<Namespace | undefined> {
    try {
      return await client.get(NAMESPACES, { name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function markTerminating(namespace: Namespace): Promise<Namespace> {
    if (namespace.status?.phase === 'Terminating') return namespace;
    const status = { ...namespace.status, phase: 'Terminating' };
    return client.update(NAMESPACES, { ...namespace, status }, { subresource: 'status' });
  }

  async function writeConditions(
    namespace: Namespace,
    conditions: NonNullable<Namespace['status']>['conditions'],
  ): Promise<Namespace> {
    if (deepEqual(conditions ?? [], namespace.status?.conditions ?? [])) return namespace;
    const status = { ...namespace.status, conditions: conditions ?? [] };
    try {
      return await client.update(NAMESPACES, { ...namespace, status }, { subresource: 'status' });
    } catch (error) {
      // The conditions only tell of progress, and they are written again with the next pass.
      if (isConflict(error)) return namespace;
      throw error;
    }
  }

  await reconciler.run({ workers: 10, reconcile });
}
