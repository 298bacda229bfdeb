import { LEASES, NODES, PODS } from '#api/generated/resources.ts';
import type { Lease, Node, Pod, Taint } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { firstSeenAt, heartbeatOf, isNodeReady, planNodeHealth, readyCondition } from './health.ts';
import { notReadyConditions } from './pod-readiness.ts';
import { evictionTaintKey, hasEvictionTaint, planNoExecuteTaints, planNoScheduleTaints } from './taints.ts';
import { EvictionLimiter, zoneOf, ZoneRates } from './zones.ts';

export const nodeLifecycleController: ControllerDefinition = {
  name: 'node-lifecycle-controller',
  aliases: ['nodelifecycle'],
  serviceAccount: 'node-controller',
  eventSource: 'node-controller',
  run: (context) => new NodeLifecycleController(context).run(),
};

const LEASE_NAMESPACE = 'kube-node-lease';

/** What is known of a node from watching it; rebuilt from scratch after a restart, with a fresh grace period. */
interface Watched {
  heartbeat: string;
  seenAtMs: number;
  zone: string;
  isReady: boolean;
}

/** Notices nodes that fell silent, and keeps the taints that follow from node conditions. Keys are node names. */
class NodeLifecycleController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #watched = new Map<string, Watched>();
  readonly #limiters = new Map<string, EvictionLimiter>();
  readonly #rates: ZoneRates;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#rates = new ZoneRates(context.options);
    this.#reconciler = new Reconciler(context);
    this.#nodes = this.#reconciler.watch(NODES, {
      onAdd: (node) => this.#nodeAdded(node),
      onUpdate: (_, node) => this.#nodeChanged(node),
      onDelete: (node) => this.#nodeDeleted(node),
    });
    const leaseChanged = (lease: Lease) => this.#leaseChanged(lease);
    this.#reconciler.watch(LEASES, { onAdd: leaseChanged, onUpdate: (_, lease) => leaseChanged(lease) });
    this.#pods = this.#reconciler.watch(PODS, {}, { node: (pod) => [pod.spec.nodeName ?? ''] });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 8, reconcile: (name) => this.#reconcile(name) });
  }

  #nodeAdded(node: Node): void {
    const name = node.metadata.name ?? '';
    this.#nodeChanged(node);
    const message = `Node ${name} event: Registered Node ${name} in Controller`;
    this.#context.events.event(node, { type: 'Normal', reason: 'RegisteredNode', message });
  }

  #nodeChanged(node: Node): void {
    const name = node.metadata.name ?? '';
    const nowMs = this.#context.executor.clock.now();
    const heartbeat = heartbeatOf(node);
    const zone = zoneOf(node);
    const isReady = isNodeReady(node);
    const known = this.#watched.get(name);
    if (known === undefined) {
      this.#watched.set(name, { heartbeat, seenAtMs: firstSeenAt(node, nowMs), zone, isReady });
      this.#zoneChanged(undefined, { zone, isReady });
    } else {
      // The mark that this controller itself set is no sign of life.
      const isUnknown = readyCondition(node)?.status === 'Unknown';
      if (known.heartbeat !== heartbeat && !isUnknown) known.seenAtMs = nowMs;
      const before = { zone: known.zone, isReady: known.isReady };
      Object.assign(known, { heartbeat, zone, isReady });
      if (before.zone !== zone || before.isReady !== isReady) this.#zoneChanged(before, { zone, isReady });
    }
    this.#reconciler.add(name);
  }

  #nodeDeleted(node: Node): void {
    const name = node.metadata.name ?? '';
    const known = this.#watched.get(name);
    this.#watched.delete(name);
    if (known !== undefined) this.#zoneChanged(known, undefined);
    const message = `Node ${name} event: Removing Node ${name} from Controller`;
    this.#context.events.event(node, { type: 'Normal', reason: 'RemovingNode', message });
  }

  #leaseChanged(lease: Lease): void {
    if (lease.metadata.namespace !== LEASE_NAMESPACE) return;
    const known = this.#watched.get(lease.metadata.name ?? '');
    // A renewal only moves the deadline; the pass that waits for the old one finds that out by itself.
    if (known !== undefined) known.seenAtMs = this.#context.executor.clock.now();
  }

  /** Where the rate of a zone changes, nodes that wait for their eviction taint may go sooner or later now. */
  #zoneChanged(
    before: Pick<Watched, 'zone' | 'isReady'> | undefined,
    after: Pick<Watched, 'zone' | 'isReady'> | undefined,
  ): void {
    if (!this.#rates.move(before, after)) return;
    for (const [name, { isReady }] of this.#watched) if (!isReady) this.#reconciler.add(name);
  }

  async #reconcile(name: string): Promise<RequeueInMs> {
    const node = this.#nodes.get(name);
    const known = this.#watched.get(name);
    if (node === undefined || known === undefined) return undefined;
    const { options, executor } = this.#context;
    const health = planNodeHealth({
      node,
      seenAtMs: known.seenAtMs,
      nowMs: executor.clock.now(),
      gracePeriodMs: options.nodeMonitorGracePeriodMs,
      startupGracePeriodMs: options.nodeStartupGracePeriodMs,
    });
    if (health.conditions !== undefined) {
      await this.#writeConditions(node, health.conditions);
      // The watch shows the new conditions and asks for the next look.
      return undefined;
    }
    const ready = readyCondition(node);
    if (ready !== undefined && ready.status !== 'True') await this.#markPodsNotReady(name);
    const noSchedule = planNoScheduleTaints(node, executor.clock.now());
    if (noSchedule !== undefined) {
      await this.#writeTaints(node, noSchedule);
      return undefined;
    }
    const waitMs = await this.#syncEvictionTaint(node, known);
    return earliest(health.checkInMs, waitMs);
  }

  async #writeConditions(node: Node, conditions: NonNullable<Node['status']>['conditions']): Promise<void> {
    const wasReady = isNodeReady(node);
    const status = { ...node.status, conditions: conditions ?? [] };
    await this.#context.client.update(NODES, { ...node, status }, { subresource: 'status' });
    if (!wasReady) return;
    const message = `Node ${node.metadata.name} status is now: NodeNotReady`;
    this.#context.events.event(node, { type: 'Normal', reason: 'NodeNotReady', message });
  }

  /** Taints are replaced as a whole, so the version is a precondition. */
  async #writeTaints(node: Node, taints: Taint[]): Promise<void> {
    const { name = '', resourceVersion } = node.metadata;
    const body = { metadata: { resourceVersion }, spec: { taints } };
    await this.#context.client.patch(NODES, { name }, { type: 'merge', body });
  }

  async #syncEvictionTaint(node: Node, known: Watched): Promise<RequeueInMs> {
    const { clock } = this.#context.executor;
    const key = evictionTaintKey(node);
    const taints = planNoExecuteTaints(node, key, clock.now());
    if (taints === undefined) return undefined;
    // A taint is swapped or taken away at once; a node that gets its first one waits its turn in its zone.
    if (key !== undefined && !hasEvictionTaint(node)) {
      const waitMs = this.#limiterOf(known.zone).take(this.#rates.of(known.zone), clock.now());
      if (waitMs === undefined) return undefined;
      if (waitMs > 0) return waitMs;
    }
    await this.#writeTaints(node, taints);
    return undefined;
  }

  #limiterOf(zone: string): EvictionLimiter {
    let limiter = this.#limiters.get(zone);
    if (limiter === undefined) {
      limiter = new EvictionLimiter();
      this.#limiters.set(zone, limiter);
    }
    return limiter;
  }

  /** The kubelet cannot say it any more: pods of a node that is not ready are not ready either. */
  async #markPodsNotReady(nodeName: string): Promise<void> {
    const { client, events, executor } = this.#context;
    for (const pod of this.#pods.byIndex('node', nodeName)) {
      const conditions = notReadyConditions(pod, executor.clock.now());
      if (conditions === undefined) continue;
      const status = { ...pod.status, conditions };
      try {
        await client.update(PODS, { ...pod, status }, { subresource: 'status' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        continue;
      }
      events.event(pod, { type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready' });
    }
  }
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
