import { DEPLOYMENTS, PODS, REPLICA_SETS } from '#api/generated/resources.ts';
import type { Deployment, Pod, ReplicaSet } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { isAlreadyExists, isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { claimObjects } from '../shared/claim.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { controllerIndex, orphanIndexValue } from '../shared/ownership.ts';
import { namespaceIndex, Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { withCondition } from './conditions.ts';
import { type DeploymentPlan, planDeployment, type ReplicaSetWrite } from './plan.ts';
import { isRecreate } from './rolling-bounds.ts';
import { hasProgressDeadline } from './status.ts';
import { isSameTemplate } from '../shared/template-hash.ts';

export const deploymentController: ControllerDefinition = {
  name: 'deployment-controller',
  aliases: ['deployment'],
  serviceAccount: 'deployment-controller',
  eventSource: 'deployment-controller',
  run: (context) => new DeploymentController(context).run(),
};

/** Moves Deployments from one set of pods to the next. */
class DeploymentController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #deployments: Informer<Deployment>;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;
  readonly #ownDeployments: OwnWrites<Deployment>;
  readonly #ownSets: OwnWrites<ReplicaSet>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (deployment: Deployment) => this.#reconciler.add(objectKey(deployment));
    this.#deployments = this.#reconciler.watch(
      DEPLOYMENTS,
      { onAdd: enqueue, onUpdate: (_, deployment) => enqueue(deployment), onDelete: enqueue },
      { namespace: namespaceIndex },
    );
    this.#sets = this.#reconciler.watch(
      REPLICA_SETS,
      {
        onAdd: (set) => this.#setChanged(set),
        onUpdate: (before, set) => {
          if (controllerOf(before)?.uid !== controllerOf(set)?.uid) this.#setChanged(before);
          this.#setChanged(set);
        },
        onDelete: (set) => this.#setChanged(set),
      },
      { namespace: namespaceIndex, controller: controllerIndex },
    );
    this.#pods = this.#reconciler.watch(
      PODS,
      { onDelete: (pod) => this.#podDeleted(pod) },
      { controller: controllerIndex },
    );
    const { clock } = context.executor;
    this.#ownDeployments = new OwnWrites({ clock, cached: (key) => this.#deployments.get(key) });
    this.#ownSets = new OwnWrites({ clock, cached: (key) => this.#sets.get(key) });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 5, reconcile: (key) => this.#reconcile(key) });
  }

  #setChanged(set: ReplicaSet): void {
    const namespace = set.metadata.namespace ?? '';
    const controller = controllerOf(set);
    if (controller !== undefined) {
      if (controller.kind !== 'Deployment') return;
      const key = `${namespace}/${controller.name}`;
      this.#ownSets.observed(key, set);
      this.#reconciler.add(key);
      return;
    }
    for (const deployment of this.#deployments.byIndex('namespace', namespace)) {
      const matches = compileLabelSelector(deployment.spec.selector).matches(set.metadata.labels);
      if (matches) this.#reconciler.add(objectKey(deployment));
    }
  }

  /** Recreate waits for the end of the last old pod. */
  #podDeleted(pod: Pod): void {
    const controller = controllerOf(pod);
    if (controller?.kind !== 'ReplicaSet') return;
    const namespace = pod.metadata.namespace ?? '';
    const set = this.#sets.get(`${namespace}/${controller.name}`);
    const owner = set === undefined ? undefined : controllerOf(set);
    if (owner?.kind !== 'Deployment') return;
    const deployment = this.#deployments.get(`${namespace}/${owner.name}`);
    if (deployment !== undefined && isRecreate(deployment)) this.#reconciler.add(objectKey(deployment));
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    const cached = this.#deployments.get(key);
    if (cached === undefined) {
      this.#ownDeployments.forget(key);
      this.#ownSets.forget(key);
      return undefined;
    }
    const [deployment = cached] = this.#ownDeployments.apply(key, [cached]);
    const selector = compileLabelSelector(deployment.spec.selector);
    if (selector.isEverything) {
      this.#context.events.event(deployment, {
        type: 'Warning',
        reason: 'SelectingAll',
        message: 'This deployment is selecting all pods. A non-empty selector is required.',
      });
      return undefined;
    }
    const orphans = this.#sets.byIndex('controller', orphanIndexValue(deployment.metadata.namespace ?? ''));
    const claimed = await claimObjects({
      client: this.#context.client,
      ownerResource: DEPLOYMENTS,
      owner: deployment,
      resource: REPLICA_SETS,
      candidates: [...this.#sets.byIndex('controller', deployment.metadata.uid ?? ''), ...orphans],
      matches: (set) => selector.matches(set.metadata.labels),
    });
    const plan = planDeployment({
      deployment,
      replicaSets: this.#ownSets.apply(key, claimed),
      podsOf: (uid) => this.#pods.byIndex('controller', uid),
      nowMs: this.#context.executor.clock.now(),
    });
    await this.#carryOut(key, deployment, plan);
    return plan.requeueInMs;
  }

  async #carryOut(key: string, deployment: Deployment, plan: DeploymentPlan): Promise<void> {
    const { client, events } = this.#context;
    for (const write of plan.writes) {
      if (write.type === 'create') {
        if (!(await this.#createSet(key, deployment, write))) return;
      } else {
        const updated = await client.update(REPLICA_SETS, write.next);
        this.#ownSets.updated(key, write.stored, updated);
      }
      if (write.event !== undefined) {
        events.event(deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message: write.event });
      }
    }
    for (const set of plan.deletions) await this.#deleteSet(key, set);
    if (plan.next !== undefined) await this.#writeStatus(key, deployment, plan.next);
  }

  async #deleteSet(key: string, set: ReplicaSet): Promise<void> {
    const { name = '', namespace = '', uid = '' } = set.metadata;
    try {
      await this.#context.client.delete(REPLICA_SETS, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#ownSets.deleted(key, set);
  }

  async #writeStatus(key: string, deployment: Deployment, next: Deployment): Promise<void> {
    const updated = await this.#context.client.update(DEPLOYMENTS, next, { subresource: 'status' });
    this.#ownDeployments.updated(key, deployment, updated);
  }

  /** Whether the plan may go on. A name that is taken by another template is answered by a new name next time. */
  async #createSet(key: string, deployment: Deployment, { next }: ReplicaSetWrite): Promise<boolean> {
    const { client, events } = this.#context;
    try {
      this.#ownSets.created(key, await client.create(REPLICA_SETS, next));
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return this.#resolveCollision(key, deployment, next);
      if (isNamespaceTerminating(error)) return false;
      const message = `Failed to create new replica set "${next.metadata.name}": ${errorMessage(error)}`;
      events.event(deployment, { type: 'Warning', reason: 'ReplicaSetCreateError', message });
      if (hasProgressDeadline(deployment)) {
        const conditions = withCondition(
          deployment.status?.conditions ?? [],
          { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message },
          this.#context.executor.clock.now(),
        );
        const status = { ...deployment.status, conditions };
        await this.#writeStatus(key, deployment, { ...deployment, status });
      }
      throw error;
    }
  }

  async #resolveCollision(key: string, deployment: Deployment, next: ReplicaSet): Promise<boolean> {
    const { name = '', namespace = '' } = next.metadata;
    const existing = await this.#context.client.get(REPLICA_SETS, { name, namespace });
    const isOwn = controllerOf(existing)?.uid === deployment.metadata.uid;
    if (isOwn && isSameTemplate(existing.spec.template, next.spec.template)) {
      // Made by an earlier pass that the cache does not show yet.
      this.#ownSets.created(key, existing);
      this.#reconciler.add(key);
      return false;
    }
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await this.#writeStatus(key, deployment, { ...deployment, status: { ...deployment.status, collisionCount } });
    this.#reconciler.add(key);
    return false;
  }
}
