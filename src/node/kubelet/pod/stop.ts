import type { Container, Pod } from '#api/generated/types.ts';
import { runHook } from '../lifecycle/hooks.ts';
import type { KillReason } from './plan-types.ts';
import { containerSpec, isSidecar } from './pod.ts';
import { containerEvent } from './pod-events.ts';
import type { PodServices } from './services.ts';
import { type ContainerView, type PodView, runningContainers } from './view.ts';

// However little time a pod is given, its processes hear the stop signal before they are killed.
const GRACE_SECONDS_MIN = 2;

export interface StopOptions {
  readonly pod: Pod;
  readonly view: PodView;
  /** Instead of the pod's own grace period. */
  readonly graceSeconds?: number;
}

/** Stops everything of a pod: containers with their hooks and grace, sidecars last, then the sandboxes. */
export async function stopPod(services: PodServices, options: StopOptions): Promise<void> {
  const { pod, view } = options;
  const running = runningContainers(view);
  const turns = new Map<string, { promise: Promise<void>; done: () => void }>();
  for (const { id } of running) {
    const turn = Promise.withResolvers<void>();
    turns.set(id, { promise: turn.promise, done: turn.resolve });
  }
  await Promise.all(
    running.map(async (current) => {
      const container = containerSpec(pod, current.name) ?? { name: current.name };
      const before = running
        .filter((one) => endsBefore(pod, one, current))
        .flatMap((one) => turns.get(one.id)?.promise ?? []);
      try {
        await stopContainer(services, {
          pod,
          view,
          container,
          containerId: current.id,
          reason: 'podTermination',
          message: `Stopping container ${current.name}`,
          turn: before.length === 0 ? undefined : Promise.all(before).then(() => undefined),
          ...(options.graceSeconds === undefined ? {} : { graceSeconds: options.graceSeconds }),
        });
      } finally {
        turns.get(current.id)?.done();
      }
    }),
  );
  for (const sandbox of view.sandboxes) await services.runtime.stopPodSandbox(sandbox.id);
}

/** Sidecars outlive the regular containers and end in the opposite order of their start. */
function endsBefore(pod: Pod, one: ContainerView, other: ContainerView): boolean {
  const rank = (name: string): number => {
    const at = (pod.spec.initContainers ?? []).findIndex(
      (container) => container.name === name && isSidecar(container),
    );
    return at < 0 ? Number.MAX_SAFE_INTEGER : at;
  };
  return rank(one.name) > rank(other.name);
}

export interface StopContainerOptions {
  readonly pod: Pod;
  readonly view: PodView;
  readonly container: Container;
  readonly containerId: string;
  readonly reason: KillReason;
  /** The event's text. */
  readonly message: string;
  readonly graceSeconds?: number;
  /** Others that must end first, as long as there is time. */
  readonly turn?: Promise<void> | undefined;
}

export async function stopContainer(services: PodServices, options: StopContainerOptions): Promise<void> {
  const { pod, container, containerId } = options;
  const { clock, events, runtime } = services;
  containerEvent(events, options, { type: 'Normal', reason: 'Killing', message: options.message });
  const startedMs = clock.monotonic();
  const graceMs = (options.graceSeconds ?? graceSeconds(pod, container, options.reason)) * 1000;
  const left = () => graceMs - (clock.monotonic() - startedMs);
  const handler = container.lifecycle?.preStop;
  if (handler !== undefined && graceMs > 0) {
    const podIp = options.view.ips[0] ?? '';
    const hook = runHook(services, { pod, container, containerId, podIp, handler, timeoutMs: graceMs });
    const problem = await withTimeLimit(services, hook, graceMs);
    if (problem === 'late') services.log.info('preStop hook did not end in time', { container: container.name });
    else if (problem !== undefined) {
      containerEvent(events, options, { type: 'Warning', reason: 'FailedPreStopHook', message: 'PreStopHook failed' });
    }
  }
  if (options.turn !== undefined && left() > 0) await withTimeLimit(services, options.turn, left());
  const leastSeconds = options.graceSeconds === undefined ? GRACE_SECONDS_MIN : 1;
  const seconds = Math.max(Math.ceil(left() / 1000), leastSeconds);
  await runtime.stopContainer(containerId, { timeoutSeconds: seconds });
}

/** How long a container is given: the deletion's period, a failed probe's own, or the pod's. */
export function graceSeconds(pod: Pod, container: Container, reason: KillReason): number {
  if (pod.metadata.deletionGracePeriodSeconds !== undefined) return pod.metadata.deletionGracePeriodSeconds;
  const probe =
    reason === 'startupProbe'
      ? container.startupProbe
      : reason === 'livenessProbe'
        ? container.livenessProbe
        : undefined;
  return probe?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

async function withTimeLimit<T>(services: PodServices, work: Promise<T>, limitMs: number): Promise<T | 'late'> {
  const controller = new AbortController();
  const late = services.clock.sleep(limitMs, { signal: controller.signal }).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    controller.abort();
  }
}
