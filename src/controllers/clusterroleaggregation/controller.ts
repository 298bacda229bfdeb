import { CLUSTER_ROLES } from '#api/generated/resources.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { planAggregation } from './plan.ts';

export const clusterRoleAggregationController: ControllerDefinition = {
  name: 'clusterrole-aggregation-controller',
  aliases: ['clusterrole-aggregation'],
  serviceAccount: 'clusterrole-aggregation-controller',
  eventSource: 'clusterrole-aggregation-controller',
  run,
};

/** Fills the rules of cluster roles that aggregate others. Keys are names of cluster roles. */
async function run(context: ControllerContext): Promise<void> {
  const reconciler = new Reconciler(context);
  // Any change may matter to any aggregating role: there are few of them.
  const enqueueAll = () => {
    for (const name of roles.byIndex('aggregates', 'true')) reconciler.add(name.metadata.name ?? '');
  };
  const roles = reconciler.watch(
    CLUSTER_ROLES,
    {
      onAdd: (role) => {
        if (role.aggregationRule !== undefined) reconciler.add(role.metadata.name ?? '');
        enqueueAll();
      },
      onUpdate: enqueueAll,
      onDelete: enqueueAll,
    },
    { aggregates: (role) => [String(role.aggregationRule !== undefined)] },
  );

  async function reconcile(name: string): Promise<RequeueInMs> {
    const role = roles.get(name);
    const rules = role === undefined ? undefined : planAggregation(role, roles.list());
    if (role !== undefined && rules !== undefined) await context.client.update(CLUSTER_ROLES, { ...role, rules });
    return undefined;
  }

  await reconciler.run({ workers: 1, reconcile });
}
