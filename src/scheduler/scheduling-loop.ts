import {
  NAMESPACES,
  NODES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  SERVICES,
  STATEFUL_SETS,
} from '#api/generated/resources.ts';
import type { Node, Pod, PodDisruptionBudget } from '#api/generated/types.ts';
import type { Client } from '#client/client.ts';
import type { EventRecorder } from '#client/events/event-recorder.ts';
import type { Informer } from '#client/informer/informer.ts';
import type { InformerFactory } from '#client/informer/informer-factory.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { Binder } from './binder.ts';
import { fitMessage, NO_NODES } from './core/diagnosis.ts';
import { type PodInfo, podInfoOf } from './core/pod-info.ts';
import { type ScheduleResult, schedulePod } from './core/schedule-pod.ts';
import { SchedulerCache } from './core/scheduler-cache.ts';
import type { Snapshot } from './core/snapshot.ts';
import { type DecisionLog, REJECTIONS_MAX, type SchedulingDecision } from './decisions.ts';
import { DefaultSelectors } from './default-selector.ts';
import type { ProfileEntry } from './framework/plugin.ts';
import { planPreemption, type PreemptionPlan } from './preemption/plan.ts';
import { type QueuedPod, SchedulingQueue } from './queue/scheduling-queue.ts';
import { Nominations } from './queue/nominations.ts';

export interface SchedulingLoopDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly decisions: DecisionLog;
  readonly schedulerName: string;
  readonly profile: readonly ProfileEntry[];
}

/** Feeds the cache and the queue from watches, runs one synchronous cycle after the other, and hands on bindings. */
export class SchedulingLoop {
  readonly #deps: SchedulingLoopDeps;
  readonly #cache = new SchedulerCache();
  readonly #queue: SchedulingQueue;
  readonly #nominations = new Nominations();
  readonly #binder: Binder;
  readonly #selectors: DefaultSelectors;
  readonly #budgets: Informer<PodDisruptionBudget>;
  readonly #namespaces;
  readonly #synced: Promise<unknown>;
  #isRunning = false;
  #isPosted = false;
  #startIndex = 0;
  #scheduled = 0;
  #failed = 0;

  constructor(deps: SchedulingLoopDeps) {
    this.#deps = deps;
    const { informers, executor, profile } = deps;
    this.#queue = new SchedulingQueue({
      clock: executor.clock,
      plugins: profile.map((entry) => entry.plugin),
      onReady: () => this.#post(),
    });
    this.#binder = new Binder(deps);
    const services = informers.informer(SERVICES);
    const replicaSets = informers.informer(REPLICA_SETS);
    const controllers = informers.informer(REPLICATION_CONTROLLERS);
    const statefulSets = informers.informer(STATEFUL_SETS);
    const nodes = informers.informer(NODES);
    const pods = informers.informer(PODS);
    this.#budgets = informers.informer(POD_DISRUPTION_BUDGETS);
    this.#namespaces = informers.informer(NAMESPACES);
    this.#selectors = new DefaultSelectors({
      servicesOf: (namespace) => services.listNamespace(namespace),
      replicaSet: (key) => replicaSets.get(key),
      replicationController: (key) => controllers.get(key),
      statefulSet: (key) => statefulSets.get(key),
    });
    nodes.addHandler({
      onAdd: (node) => this.#nodeAdded(node),
      onUpdate: (before, node) => this.#nodeUpdated(before, node),
      onDelete: (node) => this.#cache.removeNode(node.metadata.name ?? ''),
    });
    pods.addHandler({
      onAdd: (pod) => this.#podSet(undefined, pod),
      onUpdate: (before, pod) => this.#podSet(before, pod),
      onDelete: (pod) => this.#podDeleted(pod),
    });
    const all = [services, replicaSets, controllers, statefulSets, nodes, pods, this.#budgets, this.#namespaces];
    this.#synced = Promise.all(all.map((informer) => informer.synced));
  }

  /** Settles when the cluster is known and the first cycles may run. */
  async start(): Promise<void> {
    await this.#synced;
    this.#isRunning = true;
    this.#post();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#queue.close();
    await this.#binder.stop();
  }

  stats(): Record<string, number> {
    return { ...this.#queue.counts(), scheduled: this.#scheduled, failed: this.#failed, nodes: this.#cache.nodeCount };
  }

  #nodeAdded(node: Node): void {
    this.#cache.setNode(node);
    this.#queue.happened({ type: 'nodeAdded', node });
  }

  #nodeUpdated(before: Node, node: Node): void {
    this.#cache.setNode(node);
    // A heartbeat helps nobody.
    const isSame =
      deepEqual(before.spec, node.spec) &&
      deepEqual(before.metadata.labels, node.metadata.labels) &&
      deepEqual(before.status?.allocatable, node.status?.allocatable);
    if (!isSame) this.#queue.happened({ type: 'nodeUpdated', before, node });
  }

  #podSet(before: Pod | undefined, pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const phase = pod.status?.phase;
    if (phase === 'Succeeded' || phase === 'Failed') {
      this.#podGone(pod);
      return;
    }
    const info = podInfoOf(pod);
    if ((pod.spec.nodeName ?? '') !== '') {
      this.#queue.remove(uid);
      this.#nominations.remove(uid);
      const isNew = (before?.spec.nodeName ?? '') === '' && !this.#cache.isAssumed(uid);
      this.#cache.setPod(info);
      if (isNew) this.#queue.happened({ type: 'podBound', pod: info });
      else if (before !== undefined && !deepEqual(before.metadata.labels, pod.metadata.labels)) {
        this.#queue.happened({ type: 'podRelabelled', pod: info });
      }
      return;
    }
    const isOwn = (pod.spec.schedulerName ?? 'default-scheduler') === this.#deps.schedulerName;
    if (!isOwn || this.#cache.isAssumed(uid)) return;
    if (pod.metadata.deletionTimestamp !== undefined) {
      this.#queue.remove(uid);
      this.#nominations.remove(uid);
      return;
    }
    this.#nominations.set(info);
    const mayHelp =
      before !== undefined &&
      (!deepEqual(before.spec, pod.spec) || !deepEqual(before.metadata.labels, pod.metadata.labels));
    this.#queue.set(info, { mayHelp });
  }

  #podDeleted(pod: Pod): void {
    this.#podGone(pod);
  }

  #podGone(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    this.#queue.remove(uid);
    this.#nominations.remove(uid);
    const removed = this.#cache.removePod(uid);
    if (removed !== undefined) this.#queue.happened({ type: 'podRemoved', pod: removed });
  }

  #post(): void {
    if (this.#isPosted || !this.#isRunning) return;
    this.#isPosted = true;
    this.#deps.executor.post('scheduler', () => {
      this.#isPosted = false;
      this.#runCycles();
    });
  }

  #runCycles(): void {
    do {
      if (!this.#isRunning) return;
      const queued = this.#queue.pop();
      if (queued === undefined) return;
      this.#runCycle(queued);
    } while (!this.#deps.executor.shouldPause());
    this.#post();
  }

  #runCycle(queued: QueuedPod): void {
    const { profile, executor } = this.#deps;
    const cycle = { pod: queued.info, snapshot: this.#snapshot() };
    const pick = (limit: number) => executor.random.int(limit);
    const result = schedulePod({ cycle, profile, startIndex: this.#startIndex, pick });
    if (result.type !== 'scheduled') {
      this.#noNode(queued, result);
      return;
    }
    const nodeCount = cycle.snapshot.nodes.length;
    this.#startIndex = (this.#startIndex + result.evaluated) % Math.max(1, nodeCount);
    this.#cache.assume(queued.info, result.node);
    this.#record(queued, { outcome: 'scheduled', node: result.node }, result);
    this.#binder.bind(queued.info, result.node, {
      onBound: () => {
        this.#scheduled++;
        this.#queue.remove(queued.info.uid);
        this.#nominations.remove(queued.info.uid);
      },
      onFailed: (message) => {
        this.#cache.forget(queued.info);
        this.#queue.happened({ type: 'podRemoved', pod: queued.info });
        this.#record(queued, { outcome: 'bindingFailed', node: result.node, message }, result);
        this.#queue.failed(queued, new Set(), this.#queue.eventCount);
      },
    });
  }

  #noNode(queued: QueuedPod, result: Exclude<ScheduleResult, { type: 'scheduled' }>): void {
    this.#failed++;
    const { executor } = this.#deps;
    const seenEvents = this.#queue.eventCount;
    if (result.type === 'noNodes') {
      this.#record(queued, { outcome: 'noNodes', message: NO_NODES }, undefined);
      this.#binder.reportUnschedulable(queued.info, { message: NO_NODES });
      // Any plugin with a hint for new nodes will do.
      this.#queue.failed(queued, new Set(['NodeResourcesFit']), seenEvents);
      return;
    }
    const preemption = planPreemption({
      filters: result.filters,
      rejections: result.rejections,
      budgets: this.#budgets.list(),
      pick: (limit) => executor.random.int(limit),
    });
    const after = preemption.type === 'none' ? `preemption: ${preemption.message}` : '';
    const message = fitMessage(result.nodeCount, result.rejections.values(), after);
    this.#record(queued, { outcome: 'unschedulable', message, preemption }, result);
    const nominatedNode = preemption.type === 'preempt' ? preemption.node : undefined;
    if (preemption.type === 'preempt') {
      this.#nominations.nominate(queued.info, preemption.node);
      this.#binder.preempt(queued.info, preemption);
    }
    this.#binder.reportUnschedulable(queued.info, {
      message,
      ...(nominatedNode === undefined ? {} : { nominatedNode }),
    });
    const rejectors = new Set([...result.rejections.values()].map((rejection) => rejection.plugin));
    this.#queue.failed(queued, rejectors, seenEvents);
  }

  #snapshot(): Snapshot {
    return {
      ...this.#cache.view(),
      imageNodeCount: (image) => this.#cache.imageNodeCount(image),
      namespaceLabels: (namespace) => this.#namespaces.get(namespace)?.metadata.labels ?? {},
      defaultSelector: (pod) => this.#selectors.of(pod),
      nominated: (node) => this.#nominations.on(node),
    };
  }

  #record(
    queued: QueuedPod,
    outcome: Pick<SchedulingDecision, 'outcome' | 'node' | 'message'> & { preemption?: PreemptionPlan },
    result: Exclude<ScheduleResult, { type: 'noNodes' }> | undefined,
  ): void {
    const { preemption, ...rest } = outcome;
    const rejections = result === undefined ? [] : [...result.rejections].slice(0, REJECTIONS_MAX);
    this.#deps.decisions.add({
      ...rest,
      pod: queued.info.key,
      uid: queued.info.uid,
      atMs: this.#deps.executor.clock.now(),
      nodesEvaluated: result === undefined ? 0 : result.type === 'scheduled' ? result.evaluated : result.nodeCount,
      scores: result?.type === 'scheduled' ? result.scores : [],
      rejections: rejections.map(([node, { plugin, reasons }]) => ({ node, plugin, reasons })),
      rejectionsLeftOut: (result?.rejections.size ?? 0) - rejections.length,
      ...(preemption?.type === 'preempt'
        ? { preemption: { node: preemption.node, victims: preemption.victims.map((victim: PodInfo) => victim.key) } }
        : {}),
    });
  }
}
