import {
  DEPLOYMENTS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
} from '#api/generated/resources.ts';
import type { Pod, PodDisruptionBudget } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import { compileLabelSelector, type LabelMatcher } from '#machinery/selectors/label-selector.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { namespaceIndex, Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { planDisruption } from './plan.ts';

export const disruptionController: ControllerDefinition = {
  name: 'disruption-controller',
  aliases: ['disruption'],
  serviceAccount: 'disruption-controller',
  eventSource: 'controllermanager',
  run: (context) => new DisruptionController(context).run(),
};

/** Keeps the status of PodDisruptionBudgets, by which evictions are allowed. Keys are those of budgets. */
class DisruptionController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #budgets;
  readonly #pods;
  readonly #sets;
  readonly #deployments;
  readonly #controllers;
  readonly #statefulSets;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (budget: PodDisruptionBudget) => this.#reconciler.add(objectKey(budget));
    this.#budgets = this.#reconciler.watch(
      POD_DISRUPTION_BUDGETS,
      { onAdd: enqueue, onUpdate: (_, budget) => enqueue(budget) },
      { namespace: namespaceIndex },
    );
    this.#pods = this.#reconciler.watch(
      PODS,
      {
        onAdd: (pod) => this.#podChanged(pod),
        onUpdate: (before, pod) => {
          if (!deepEqual(before.metadata.labels, pod.metadata.labels)) this.#podChanged(before);
          this.#podChanged(pod);
        },
        onDelete: (pod) => this.#podChanged(pod),
      },
      { namespace: namespaceIndex },
    );
    const scaled = {
      onUpdate: (before: Scaled, after: Scaled) => {
        if (before.spec.replicas !== after.spec.replicas) this.#namespaceChanged(after.metadata.namespace ?? '');
      },
    };
    this.#sets = this.#reconciler.watch(REPLICA_SETS, scaled);
    this.#deployments = this.#reconciler.watch(DEPLOYMENTS, scaled);
    this.#controllers = this.#reconciler.watch(REPLICATION_CONTROLLERS, scaled);
    this.#statefulSets = this.#reconciler.watch(STATEFUL_SETS, scaled);
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 2, reconcile: (key) => this.#reconcile(key) });
  }

  #podChanged(pod: Pod): void {
    for (const budget of this.#budgets.byIndex('namespace', pod.metadata.namespace ?? '')) {
      if (selectorOf(budget).matches(pod.metadata.labels)) this.#reconciler.add(objectKey(budget));
    }
  }

  #namespaceChanged(namespace: string): void {
    for (const budget of this.#budgets.byIndex('namespace', namespace)) this.#reconciler.add(objectKey(budget));
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    await this.#context.executor.pause('background');
    const budget = this.#budgets.get(key);
    if (budget === undefined) return undefined;
    const selector = selectorOf(budget);
    const pods = this.#pods
      .byIndex('namespace', budget.metadata.namespace ?? '')
      .filter((pod) => selector.matches(pod.metadata.labels));
    if (pods.length === 0) {
      this.#context.events.event(budget, { type: 'Normal', reason: 'NoPods', message: 'No matching pods found' });
    }
    const plan = planDisruption({
      budget,
      pods,
      expectedScale: () => this.#expectedScale(pods),
      nowMs: this.#context.executor.clock.now(),
    });
    if (!deepEqual(plan.status, budget.status)) {
      const next = { ...budget, status: plan.status };
      await this.#context.client.update(POD_DISRUPTION_BUDGETS, next, { subresource: 'status' });
    }
    return plan.recheckInMs;
  }

  /** What the pods' controllers want in sum; each counts once. A pod without a controller counts as one. */
  #expectedScale(pods: readonly Pod[]): number {
    const scales = new Map<string, number>();
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (owner === undefined) {
        scales.set(pod.metadata.uid ?? '', 1);
        continue;
      }
      const [uid, replicas] = this.#scaleOf(owner, pod.metadata.namespace ?? '');
      scales.set(uid, replicas ?? Math.max(1, (scales.get(uid) ?? 0) + 1));
    }
    return [...scales.values()].reduce((sum, scale) => sum + scale, 0);
  }

  #scaleOf(owner: { kind: string; name: string; uid: string }, namespace: string): [string, number | undefined] {
    const key = `${namespace}/${owner.name}`;
    if (owner.kind === 'ReplicaSet') {
      const set = this.#sets.get(key);
      const parent = set === undefined ? undefined : controllerOf(set);
      if (parent?.kind !== 'Deployment') return [owner.uid, set?.spec.replicas];
      return [parent.uid, this.#deployments.get(`${namespace}/${parent.name}`)?.spec.replicas];
    }
    if (owner.kind === 'ReplicationController') return [owner.uid, this.#controllers.get(key)?.spec.replicas];
    if (owner.kind === 'StatefulSet') return [owner.uid, this.#statefulSets.get(key)?.spec.replicas];
    return [owner.uid, undefined];
  }
}

interface Scaled {
  metadata: { namespace?: string };
  spec: { replicas?: number };
}

/** An empty selector selects every pod of the namespace, none selects nothing (policy/v1). */
function selectorOf(budget: PodDisruptionBudget): LabelMatcher {
  return compileLabelSelector(budget.spec.selector);
}
