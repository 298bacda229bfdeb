import type { Pod } from '#api/generated/types.ts';
import { PODS } from '#api/generated/resources.ts';
import type { ResourceType } from '#client/client.ts';
import type { Informer } from '#client/informer/informer.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, type KubeObject, objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext } from '../controller.ts';
import { claimObjects } from '../shared/claim.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { controllerIndex, orphanIndexValue } from '../shared/ownership.ts';
import { podFromTemplate } from '../shared/pods.ts';
import { namespaceIndex, Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { slowStart } from '../shared/slow-start.ts';
import { nextAvailableInMs, planReplicas, type ReplicaFailure, type ReplicaPlan, replicaStatus } from './plan.ts';
import type { ReplicaWorkload } from './workload.ts';

/** From this many pods on, a pass waits its turn behind other work, so that a burst of pod events costs few passes. */
const LARGE_SET_PODS = 20;

/** How one of the two kinds of replica workloads is read and written. */
export interface ReplicaKind<T extends KubeObject> {
  readonly resource: ResourceType<T>;
  readonly workloadOf: (object: T) => ReplicaWorkload;
  readonly countsTerminating: boolean;
}

/** Keeps as many pods of a template as a ReplicaSet or ReplicationController asks for. */
export class ReplicaController<T extends KubeObject> {
  readonly #context: ControllerContext;
  readonly #kind: ReplicaKind<T>;
  readonly #reconciler: Reconciler;
  readonly #sets: Informer<T>;
  readonly #pods: Informer<Pod>;
  readonly #ownSets: OwnWrites<T>;
  readonly #ownPods: OwnWrites<Pod>;

  constructor(context: ControllerContext, kind: ReplicaKind<T>) {
    this.#context = context;
    this.#kind = kind;
    this.#reconciler = new Reconciler(context);
    this.#sets = this.#reconciler.watch(
      kind.resource,
      {
        onAdd: (set) => this.#reconciler.add(objectKey(set)),
        onUpdate: (_, set) => this.#reconciler.add(objectKey(set)),
        onDelete: (set) => this.#reconciler.add(objectKey(set)),
      },
      { namespace: namespaceIndex, controller: controllerIndex },
    );
    this.#pods = this.#reconciler.watch(
      PODS,
      {
        onAdd: (pod) => this.#podChanged(pod),
        onUpdate: (before, pod) => {
          if (controllerOf(before)?.uid !== controllerOf(pod)?.uid) this.#podChanged(before);
          this.#podChanged(pod);
        },
        onDelete: (pod) => this.#podChanged(pod),
      },
      { controller: controllerIndex },
    );
    const { clock } = context.executor;
    this.#ownSets = new OwnWrites({ clock, cached: (key) => this.#sets.get(key) });
    this.#ownPods = new OwnWrites({ clock, cached: (key) => this.#pods.get(key) });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 5, reconcile: (key) => this.#reconcile(key) });
  }

  #podChanged(pod: Pod): void {
    const namespace = pod.metadata.namespace ?? '';
    const controller = controllerOf(pod);
    if (controller !== undefined) {
      if (controller.kind !== this.#kind.resource.kind) return;
      const key = `${namespace}/${controller.name}`;
      this.#ownPods.observed(key, pod);
      this.#reconciler.add(key);
      return;
    }
    for (const set of this.#sets.byIndex('namespace', namespace)) {
      if (this.#kind.workloadOf(set).selector.matches(pod.metadata.labels)) this.#reconciler.add(objectKey(set));
    }
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    const { executor } = this.#context;
    const first = this.#sets.get(key);
    if (first !== undefined && this.#pods.byIndex('controller', first.metadata.uid ?? '').length >= LARGE_SET_PODS) {
      await executor.pause('background');
    }
    const cached = this.#sets.get(key);
    if (cached === undefined) {
      this.#ownSets.forget(key);
      this.#ownPods.forget(key);
      return undefined;
    }
    const [set = cached] = this.#ownSets.apply(key, [cached]);
    const workload = this.#kind.workloadOf(set);
    const claimed = await this.#claimPods(set, workload);
    const nowMs = executor.clock.now();
    const pods = this.#ownPods.apply(key, claimed);
    const plan = planReplicas({ workload, pods, relatedPods: () => this.#relatedPods(set, pods), nowMs });
    const outcome = await this.#carryOut({ key, set, workload, plan });
    const input = { workload, pods: this.#ownPods.apply(key, claimed), nowMs: executor.clock.now() };
    await this.#writeStatus(key, set, replicaStatus(input, outcome.failure, this.#kind));
    if (outcome.error !== undefined && !isNamespaceTerminating(outcome.error)) throw outcome.error;
    if (planReplicas({ ...input, relatedPods: () => [] }).create > 0 && outcome.error === undefined) return 0;
    return nextAvailableInMs(input) ?? this.#ownPods.forgottenInMs(key);
  }

  #claimPods(set: T, workload: ReplicaWorkload): Promise<Pod[]> {
    const uid = set.metadata.uid ?? '';
    const orphans = this.#pods.byIndex('controller', orphanIndexValue(set.metadata.namespace ?? ''));
    return claimObjects({
      client: this.#context.client,
      ownerResource: this.#kind.resource,
      owner: set,
      resource: PODS,
      candidates: [...this.#pods.byIndex('controller', uid), ...orphans],
      matches: (pod) => workload.selector.matches(pod.metadata.labels),
    });
  }

  /** Pods of all sets with the same controller: a rollout then shrinks evenly over the nodes. */
  #relatedPods(set: T, own: readonly Pod[]): readonly Pod[] {
    const owner = controllerOf(set);
    if (owner === undefined) return own;
    return this.#sets
      .byIndex('controller', owner.uid)
      .flatMap((sibling) => this.#pods.byIndex('controller', sibling.metadata.uid ?? ''));
  }

  async #carryOut(work: {
    key: string;
    set: T;
    workload: ReplicaWorkload;
    plan: ReplicaPlan;
  }): Promise<{ failure?: ReplicaFailure; error?: unknown }> {
    const { plan, key, set } = work;
    if (plan.create > 0) {
      const pod = podFromTemplate(work.workload.template, set);
      const { error } = await slowStart(plan.create, () => this.#createPod(key, set, pod));
      return error === undefined ? {} : { error, failure: { reason: 'FailedCreate', message: errorMessage(error) } };
    }
    const outcomes = await Promise.allSettled(plan.delete.map((pod) => this.#deletePod(key, set, pod)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return {};
    return { error: failed.reason, failure: { reason: 'FailedDelete', message: errorMessage(failed.reason) } };
  }

  async #createPod(key: string, set: T, pod: Pod): Promise<void> {
    const { client, events } = this.#context;
    try {
      const created = await client.create(PODS, pod);
      this.#ownPods.created(key, created);
      const message = `Created pod: ${created.metadata.name}`;
      events.event(set, { type: 'Normal', reason: 'SuccessfulCreate', message });
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        const message = `Error creating: ${errorMessage(error)}`;
        events.event(set, { type: 'Warning', reason: 'FailedCreate', message });
      }
      throw error;
    }
  }

  async #deletePod(key: string, set: T, pod: Pod): Promise<void> {
    const { client, events } = this.#context;
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    try {
      await client.delete(PODS, { name, namespace }, { preconditions: { uid } });
      events.event(set, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}` });
    } catch (error) {
      if (!isNotFound(error)) {
        const message = `Error deleting: ${errorMessage(error)}`;
        events.event(set, { type: 'Warning', reason: 'FailedDelete', message });
        throw error;
      }
    }
    this.#ownPods.deleted(key, pod);
  }

  async #writeStatus(key: string, set: T, status: object): Promise<void> {
    const before = this.#kind.workloadOf(set).status;
    if (deepEqual(withoutZeros(before), withoutZeros(status))) return;
    const updated = await this.#context.client.update(
      this.#kind.resource,
      { ...set, status },
      { subresource: 'status' },
    );
    this.#ownSets.updated(key, set, updated);
  }
}

// The wire leaves zeros out of most counts.
function withoutZeros(status: object): object {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0));
}
