import { podCondition } from '#api/core/v1/pod/conditions.ts';
import { PODS } from '#api/generated/resources.ts';
import type { Binding, PodCondition } from '#api/generated/types.ts';
import type { Client } from '#client/client.ts';
import type { EventRecorder } from '#client/events/event-recorder.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { PodInfo } from './core/pod-info.ts';

export interface BinderDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly schedulerName: string;
}

/** Writes what the cycles decided. Cycles never wait for it. */
export class Binder {
  readonly #deps: BinderDeps;
  readonly #pending = new Set<Promise<void>>();
  #isStopped = false;

  constructor(deps: BinderDeps) {
    this.#deps = deps;
  }

  bind(pod: PodInfo, node: string, outcome: { onBound: () => void; onFailed: (message: string) => void }): void {
    this.#own(async () => {
      try {
        await this.#createBinding(pod, node);
      } catch (error) {
        if (this.#isStopped) return;
        const message = messageOf(error);
        outcome.onFailed(message);
        // A pod that is gone needs no node.
        if (isNotFound(error)) return;
        this.#deps.log.warn('cannot bind pod', { pod: pod.key, node, error: message });
        await this.#report(pod, { message: `binding rejected: ${message}`, reason: 'SchedulerError' });
        return;
      }
      outcome.onBound();
      this.#deps.events.event(pod.pod, {
        type: 'Normal',
        reason: 'Scheduled',
        action: 'Binding',
        message: `Successfully assigned ${pod.key} to ${node}`,
      });
    });
  }

  /** Tells why a pod waits: an event, and the condition `PodScheduled`. */
  reportUnschedulable(pod: PodInfo, verdict: { message: string; nominatedNode?: string }): void {
    this.#own(() => this.#report(pod, { ...verdict, reason: 'Unschedulable' }));
  }

  /** Deletes the victims; the pod takes its place when they are gone. */
  preempt(pod: PodInfo, plan: { node: string; victims: readonly PodInfo[] }): void {
    for (const victim of plan.victims) this.#own(() => this.#evict(victim, pod, plan.node));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async #createBinding(pod: PodInfo, node: string): Promise<void> {
    const { name = '', uid = '' } = pod.pod.metadata;
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace: pod.namespace, uid },
      target: { kind: 'Node', name: node },
    };
    await this.#deps.client.createSubresource(PODS, { name, namespace: pod.namespace }, 'binding', binding);
  }

  async #report(pod: PodInfo, verdict: { message: string; reason: string; nominatedNode?: string }): Promise<void> {
    const { client, events, executor } = this.#deps;
    const { message, reason, nominatedNode } = verdict;
    events.event(pod.pod, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', message });
    const current = podCondition(pod.pod.status, 'PodScheduled');
    const isSame = current?.status === 'False' && current.reason === reason && current.message === message;
    if (isSame && nominatedNode === undefined) return;
    const now = formatTime(executor.clock.now());
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastTransitionTime: current?.status === 'False' ? (current.lastTransitionTime ?? now) : now,
      observedGeneration: pod.pod.metadata.generation ?? 0,
    };
    const status = {
      conditions: [condition],
      ...(nominatedNode === undefined ? {} : { nominatedNodeName: nominatedNode }),
    };
    const { name = '', uid } = pod.pod.metadata;
    try {
      await client.patch(
        PODS,
        { name, namespace: pod.namespace },
        { type: 'strategic', body: { metadata: { uid }, status } },
        { subresource: 'status' },
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #evict(victim: PodInfo, pod: PodInfo, node: string): Promise<void> {
    const { client, events, executor, schedulerName } = this.#deps;
    const { name = '', uid = '' } = victim.pod.metadata;
    const key = { name, namespace: victim.namespace };
    const condition: PodCondition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(executor.clock.now()),
      observedGeneration: victim.pod.metadata.generation ?? 0,
    };
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    try {
      await client.patch(PODS, key, { type: 'strategic', body }, { subresource: 'status' });
      await client.delete(PODS, key, { preconditions: { uid } });
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    events.event(victim.pod, {
      type: 'Normal',
      reason: 'Preempted',
      action: 'Preempting',
      message: `Preempted by pod ${pod.uid} on node ${node}`,
    });
  }

  /** Runs in the background, awaited by `stop`. A failure is logged: the next cycle says it again. */
  #own(work: () => Promise<void>): void {
    if (this.#isStopped) return;
    const running = this.#deps.executor
      .run('scheduler', work)
      .catch((error: unknown) => {
        if (!this.#isStopped) this.#deps.log.warn('cannot write a scheduling outcome', { error: messageOf(error) });
      })
      .finally(() => this.#pending.delete(running));
    this.#pending.add(running);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
