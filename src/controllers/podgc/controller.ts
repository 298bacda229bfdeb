import { isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import { NODES, PODS } from '#api/generated/resources.ts';
import type { Node, Pod } from '#api/generated/types.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { disruptionPatch } from '../shared/disruption-condition.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import {
  forcedPhase,
  isUnscheduledTerminating,
  planOrphaned,
  planOutOfService,
  planTerminated,
  type PodGarbage,
} from './plan.ts';

export const podGarbageCollector: ControllerDefinition = {
  name: 'pod-garbage-collector-controller',
  aliases: ['podgc'],
  serviceAccount: 'pod-garbage-collector',
  eventSource: 'pod-garbage-collector-controller',
  run: (context) => new PodGarbageCollector(context).run(),
};

/** A node that is missing may only be late: its pods are left alone for this time. */
const QUARANTINE_MS = 40_000;
/** Ended pods beyond the threshold are counted at this interval at most. */
const TERMINATED_CHECK_MS = 20_000;

const TERMINATED_KEY = 'terminated';

/** Removes pods that no kubelet will remove. Keys: `node/NAME`, `pod/NAMESPACE/NAME`, `terminated`. */
class PodGarbageCollector {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #nodes;
  readonly #pods;
  /** When a node that pods are bound to was first found missing. */
  readonly #missingSince = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const nodeChanged = (node: Node) => this.#reconciler.add(`node/${node.metadata.name}`);
    this.#nodes = this.#reconciler.watch(NODES, {
      onAdd: (node) => this.#missingSince.delete(node.metadata.name ?? ''),
      onUpdate: (before, node) => {
        if (before.spec.taints !== node.spec.taints) nodeChanged(node);
      },
      onDelete: nodeChanged,
    });
    this.#pods = this.#reconciler.watch(
      PODS,
      { onAdd: (pod) => this.#podChanged(pod), onUpdate: (_, pod) => this.#podChanged(pod) },
      {
        node: (pod) => [pod.spec.nodeName ?? ''],
        ended: (pod) => [String(isPodTerminal(pod))],
      },
    );
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 2, reconcile: (key) => this.#reconcile(key) });
  }

  #podChanged(pod: Pod): void {
    const node = pod.spec.nodeName ?? '';
    if (isUnscheduledTerminating(pod)) this.#reconciler.add(`pod/${objectKey(pod)}`);
    const isTerminating = pod.metadata.deletionTimestamp !== undefined;
    if (node !== '' && (isTerminating || this.#nodes.get(node) === undefined)) this.#reconciler.add(`node/${node}`);
    if (isPodTerminal(pod)) this.#reconciler.addAfter(TERMINATED_KEY, TERMINATED_CHECK_MS);
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    if (key === TERMINATED_KEY) {
      const ended = this.#pods.byIndex('ended', 'true');
      for (const garbage of planTerminated(ended, this.#context.options.terminatedPodThreshold)) {
        await this.#remove(garbage);
      }
      return undefined;
    }
    if (key.startsWith('pod/')) {
      const pod = this.#pods.get(key.slice('pod/'.length));
      if (pod !== undefined && isUnscheduledTerminating(pod)) await this.#remove({ pod });
      return undefined;
    }
    return this.#reconcileNode(key.slice('node/'.length));
  }

  async #reconcileNode(name: string): Promise<RequeueInMs> {
    const node = this.#nodes.get(name);
    if (node !== undefined) {
      for (const garbage of planOutOfService(node, this.#pods.byIndex('node', name))) await this.#remove(garbage);
      return undefined;
    }
    const nowMs = this.#context.executor.clock.monotonic();
    const since = this.#missingSince.get(name) ?? nowMs;
    this.#missingSince.set(name, since);
    if (nowMs - since < QUARANTINE_MS) return since + QUARANTINE_MS - nowMs;
    // Asked only now: every pod that comes to a missing node leads here.
    const pods = this.#pods.byIndex('node', name);
    if (pods.length > 0 && (await this.#exists(name))) return undefined;
    for (const garbage of planOrphaned(pods)) await this.#remove(garbage);
    this.#missingSince.delete(name);
    return undefined;
  }

  async #exists(name: string): Promise<boolean> {
    try {
      await this.#context.client.get(NODES, { name });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #remove({ pod, disruption }: PodGarbage): Promise<void> {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    try {
      await this.#markFailed(pod, disruption);
      await this.#context.client.delete(PODS, { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** A pod must not vanish while it seems to run: Jobs count how their pods ended. */
  async #markFailed(pod: Pod, disruption: PodGarbage['disruption']): Promise<void> {
    const phase = forcedPhase(pod);
    if (phase === undefined) return;
    const { name = '', namespace = '', uid } = pod.metadata;
    const nowMs = this.#context.executor.clock.now();
    const body =
      disruption === undefined
        ? { metadata: { uid }, status: { phase } }
        : disruptionPatch(pod, { ...disruption, nowMs, phase });
    await this.#context.client.patch(PODS, { name, namespace }, { type: 'strategic', body }, { subresource: 'status' });
  }
}
