import { DAEMON_SETS, NODES, PODS } from '#api/generated/resources.ts';
import type { DaemonSet, Node, Pod } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { claimObjects } from '../shared/claim.ts';
import { REVISION_HASH_LABEL } from '../shared/controller-revisions.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { controllerIndex, orphanIndexValue } from '../shared/ownership.ts';
import { namespaceIndex, Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { RevisionHistory } from '../shared/revision-history.ts';
import { slowStart } from '../shared/slow-start.ts';
import { daemonPod } from './placement.ts';
import { type DaemonPlan, daemonStatus, nextAvailableMs, planDaemonSet } from './plan.ts';

export const daemonSetController: ControllerDefinition = {
  name: 'daemonset-controller',
  aliases: ['daemonset'],
  serviceAccount: 'daemon-set-controller',
  eventSource: 'daemonset-controller',
  run: (context) => new DaemonSetController(context).run(),
};

/** Upstream's waits before a failed daemon is replaced on the same node again. */
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_LONGEST_MS = 15 * 60_000;

/** Keeps a pod on every node that is meant to have one. Keys are those of sets. */
class DaemonSetController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #sets: Informer<DaemonSet>;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #history: RevisionHistory<DaemonSet>;
  readonly #ownSets: OwnWrites<DaemonSet>;
  readonly #ownPods: OwnWrites<Pod>;
  /** By set and node: until when to wait, and for how long the next time. */
  readonly #backoff = new Map<string, { readonly untilMs: number; readonly nextMs: number }>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (set: DaemonSet) => this.#reconciler.add(objectKey(set));
    this.#sets = this.#reconciler.watch(
      DAEMON_SETS,
      { onAdd: enqueue, onUpdate: (_, set) => enqueue(set), onDelete: enqueue },
      { namespace: namespaceIndex },
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
    const allSets = () => {
      for (const set of this.#sets.values()) this.#reconciler.add(objectKey(set));
    };
    this.#nodes = this.#reconciler.watch(NODES, {
      onAdd: allSets,
      onUpdate: (before, node) => {
        const { labels } = node.metadata;
        // Heartbeats are many and change neither.
        if (!deepEqual(before.metadata.labels, labels) || !deepEqual(before.spec, node.spec)) allSets();
      },
      onDelete: allSets,
    });
    this.#history = new RevisionHistory(context, this.#reconciler, DAEMON_SETS);
    const { clock } = context.executor;
    this.#ownSets = new OwnWrites({ clock, cached: (key) => this.#sets.get(key) });
    this.#ownPods = new OwnWrites({ clock, cached: (key) => this.#pods.get(key) });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 2, reconcile: (key) => this.#reconcile(key) });
  }

  #podChanged(pod: Pod): void {
    const namespace = pod.metadata.namespace ?? '';
    const controller = controllerOf(pod);
    if (controller !== undefined) {
      if (controller.kind !== 'DaemonSet') return;
      const key = `${namespace}/${controller.name}`;
      this.#ownPods.observed(key, pod);
      this.#reconciler.add(key);
      return;
    }
    for (const set of this.#sets.byIndex('namespace', namespace)) {
      if (compileLabelSelector(set.spec.selector).matches(pod.metadata.labels)) this.#reconciler.add(objectKey(set));
    }
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    // A pass costs as much as there are nodes: many events share one.
    await this.#context.executor.pause('background');
    const cached = this.#sets.get(key);
    if (cached === undefined) {
      this.#ownSets.forget(key);
      this.#ownPods.forget(key);
      this.#history.forget(key);
      return undefined;
    }
    const [set = cached] = this.#ownSets.apply(key, [cached]);
    const selector = compileLabelSelector(set.spec.selector);
    const claimed = await claimObjects({
      client: this.#context.client,
      ownerResource: DAEMON_SETS,
      owner: set,
      resource: PODS,
      candidates: [
        ...this.#pods.byIndex('controller', set.metadata.uid ?? ''),
        ...this.#pods.byIndex('controller', orphanIndexValue(set.metadata.namespace ?? '')),
      ],
      matches: (pod) => selector.matches(pod.metadata.labels),
    });
    const collisionCount = set.status?.collisionCount ?? 0;
    const { template, selector: labels, revisionHistoryLimit = 10 } = set.spec;
    const history = await this.#history.current({ key, owner: set, template, selector: labels, collisionCount });
    const hash = history.current.metadata.labels?.[REVISION_HASH_LABEL] ?? '';
    const nowMs = this.#context.executor.clock.now();
    const input = {
      set,
      pods: this.#ownPods.apply(key, claimed),
      nodes: this.#nodes.list().toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)),
      hash,
      nowMs,
      backoffMs: (node: string) => Math.max(0, (this.#backoff.get(`${key}/${node}`)?.untilMs ?? 0) - nowMs),
    };
    const plan = planDaemonSet(input);
    const error = await this.#carryOut({ key, set, plan, hash });
    const after = { ...input, pods: this.#ownPods.apply(key, claimed), collisionCount };
    await this.#writeStatus(key, set, daemonStatus(after));
    const used = new Set(after.pods.map((pod) => pod.metadata.labels?.[REVISION_HASH_LABEL] ?? ''));
    const inUse = history.all.filter(({ metadata }) => used.has(metadata.labels?.[REVISION_HASH_LABEL] ?? ''));
    const names = new Set([...inUse, history.current].map(({ metadata }) => metadata.name ?? ''));
    await this.#history.truncate(key, { all: history.all, inUse: names, limit: revisionHistoryLimit });
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    return plan.recheckInMs ?? nextAvailableMs(after) ?? this.#ownPods.forgottenInMs(key);
  }

  async #carryOut(work: { key: string; set: DaemonSet; plan: DaemonPlan; hash: string }): Promise<unknown> {
    const { key, set, plan } = work;
    const nowMs = this.#context.executor.clock.now();
    for (const event of plan.events) this.#context.events.event(set, event);
    for (const node of plan.failedOn) {
      const id = `${key}/${node}`;
      const waitMs = this.#backoff.get(id)?.nextMs ?? BACKOFF_FIRST_MS;
      this.#backoff.set(id, { untilMs: nowMs + waitMs, nextMs: Math.min(2 * waitMs, BACKOFF_LONGEST_MS) });
    }
    const { error } = await slowStart(plan.create.length, (index) =>
      this.#createPod({ key, set, node: plan.create[index] ?? '', hash: work.hash }),
    );
    const outcomes = await Promise.allSettled(plan.delete.map((pod) => this.#deletePod({ key, set, pod })));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    return error ?? failed?.reason;
  }

  async #createPod({ key, set, ...place }: { key: string; set: DaemonSet; node: string; hash: string }): Promise<void> {
    const { client, events } = this.#context;
    try {
      const created = await client.create(PODS, daemonPod(set, place));
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

  async #deletePod({ key, set, pod }: { key: string; set: DaemonSet; pod: Pod }): Promise<void> {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    try {
      await this.#context.client.delete(PODS, { name, namespace }, { preconditions: { uid } });
      const message = `Deleted pod: ${name}`;
      this.#context.events.event(set, { type: 'Normal', reason: 'SuccessfulDelete', message });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // Stays in view while it terminates: its node is taken until it is gone.
    const deletionTimestamp = pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp ?? '';
    this.#ownPods.updated(key, pod, {
      ...pod,
      metadata: { ...pod.metadata, deletionTimestamp, resourceVersion: `${pod.metadata.resourceVersion}-deleted` },
    });
  }

  async #writeStatus(key: string, set: DaemonSet, status: NonNullable<DaemonSet['status']>): Promise<void> {
    if (deepEqual(set.status ?? {}, status)) return;
    const updated = await this.#context.client.update(DAEMON_SETS, { ...set, status }, { subresource: 'status' });
    this.#ownSets.updated(key, set, updated);
  }
}
