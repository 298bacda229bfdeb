import { NODES, PODS } from '#api/generated/resources.ts';
import type { Node, Pod, Taint } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { disruptionPatch } from '../shared/disruption-condition.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { planTaintEviction } from './plan.ts';

export const taintEvictionController: ControllerDefinition = {
  name: 'taint-eviction-controller',
  aliases: ['taint-eviction'],
  serviceAccount: 'node-controller',
  eventSource: 'taint-eviction-controller',
  run: (context) => new TaintEvictionController(context).run(),
};

/** Deletes pods from nodes with NoExecute taints that they do not tolerate (any longer). Keys are those of pods. */
class TaintEvictionController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #nodes;
  readonly #pods;
  /** Pods for which an eviction is pending, by uid, to tell when it is called off. */
  readonly #pending = new Map<string, Pod>();
  /** When taints without a time were first seen: `node/key/value`. */
  readonly #firstSeen = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    this.#nodes = this.#reconciler.watch(NODES, {
      onAdd: (node) => this.#nodeChanged(undefined, node),
      onUpdate: (before, node) => this.#nodeChanged(before, node),
    });
    this.#pods = this.#reconciler.watch(
      PODS,
      {
        onAdd: (pod) => this.#podChanged(pod),
        onUpdate: (before, pod) => {
          const isSame =
            before.spec.nodeName === pod.spec.nodeName &&
            deepEqual(before.spec.tolerations, pod.spec.tolerations) &&
            before.metadata.deletionTimestamp === pod.metadata.deletionTimestamp;
          if (!isSame) this.#podChanged(pod);
        },
        onDelete: (pod) => this.#pending.delete(pod.metadata.uid ?? ''),
      },
      { node: (pod) => [pod.spec.nodeName ?? ''] },
    );
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 8, reconcile: (key) => this.#reconcile(key) });
  }

  #nodeChanged(before: Node | undefined, node: Node): void {
    const taints = noExecute(node);
    if (deepEqual(before === undefined ? [] : noExecute(before), taints)) return;
    const name = node.metadata.name ?? '';
    this.#noteTaints(name, taints);
    for (const pod of this.#pods.byIndex('node', name)) this.#reconciler.add(objectKey(pod));
  }

  #podChanged(pod: Pod): void {
    const node = this.#nodes.get(pod.spec.nodeName ?? '');
    const isPending = this.#pending.has(pod.metadata.uid ?? '');
    if (isPending || (node !== undefined && noExecute(node).length > 0)) this.#reconciler.add(objectKey(pod));
  }

  #noteTaints(node: string, taints: readonly Taint[]): void {
    const present = new Set(taints.map((taint) => seenKey(node, taint)));
    for (const key of this.#firstSeen.keys()) {
      if (key.startsWith(`${node}/`) && !present.has(key)) this.#firstSeen.delete(key);
    }
    const nowMs = this.#context.executor.clock.now();
    for (const key of present) if (!this.#firstSeen.has(key)) this.#firstSeen.set(key, nowMs);
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    const pod = this.#pods.get(key);
    if (pod === undefined) return undefined;
    const nodeName = pod.spec.nodeName ?? '';
    const node = this.#nodes.get(nodeName);
    const nowMs = this.#context.executor.clock.now();
    const plan = planTaintEviction({
      pod,
      taints: node === undefined ? [] : noExecute(node),
      firstSeenMs: (taint) => this.#firstSeen.get(seenKey(nodeName, taint)) ?? nowMs,
    });
    const uid = pod.metadata.uid ?? '';
    if (plan.type === 'stay') {
      if (this.#pending.delete(uid) && pod.metadata.deletionTimestamp === undefined) {
        this.#record(pod, `Cancelling deletion of Pod ${objectKey(pod)}`);
      }
      return undefined;
    }
    this.#pending.set(uid, pod);
    if (plan.atMs > nowMs) return plan.atMs - nowMs;
    this.#pending.delete(uid);
    this.#record(pod, `Marking for deletion Pod ${objectKey(pod)}`);
    await this.#evict(pod);
    return undefined;
  }

  #record(pod: Pod, message: string): void {
    this.#context.events.event(pod, { type: 'Normal', reason: 'TaintManagerEviction', message });
  }

  async #evict(pod: Pod): Promise<void> {
    const { client, executor } = this.#context;
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    const reason = 'DeletionByTaintManager';
    const message = 'Taint manager: deleting due to NoExecute taint';
    const body = disruptionPatch(pod, { reason, message, nowMs: executor.clock.now() });
    try {
      await client.patch(PODS, { name, namespace }, { type: 'strategic', body }, { subresource: 'status' });
      await client.delete(PODS, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function noExecute(node: Node): Taint[] {
  return (node.spec.taints ?? []).filter((taint) => taint.effect === 'NoExecute');
}

function seenKey(node: string, taint: Taint): string {
  return `${node}/${taint.key}/${taint.value ?? ''}`;
}
