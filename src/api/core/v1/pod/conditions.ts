import { parseTime } from '#machinery/clock/clock.ts';
import type { ContainerStatus, Pod, PodCondition, PodStatus } from '../../../generated/types.ts';

/** The condition of a type, if the status has it. */
export function podCondition(status: PodStatus | undefined, type: string): PodCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod.status, 'Ready')?.status === 'True';
}

/** Whether the pod has been ready for `minReadySeconds` at `nowMs`. */
export function isPodAvailable(pod: Pod, options: { minReadySeconds: number; nowMs: number }): boolean {
  const ready = podCondition(pod.status, 'Ready');
  if (ready?.status !== 'True') return false;
  if (options.minReadySeconds === 0) return true;
  const sinceMs = ready.lastTransitionTime === undefined ? undefined : parseTime(ready.lastTransitionTime);
  return sinceMs !== undefined && sinceMs + options.minReadySeconds * 1000 <= options.nowMs;
}

/** Whether all containers are done for good. */
export function isPodTerminal(pod: Pod): boolean {
  return isTerminalPhase(pod.status?.phase);
}

export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Neither finished nor on its way out: what the workload controllers count. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function isPodScheduled(pod: Pod): boolean {
  return (pod.spec.nodeName ?? '') !== '';
}

export function isPodTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** The status of a container, of an init container or of an ephemeral container by its name. */
export function containerStatus(status: PodStatus | undefined, name: string): ContainerStatus | undefined {
  const byName = (entry: ContainerStatus): boolean => entry.name === name;
  return (
    status?.containerStatuses?.find(byName) ??
    status?.initContainerStatuses?.find(byName) ??
    status?.ephemeralContainerStatuses?.find(byName)
  );
}

/** An init container that keeps running beside the others (a sidecar). */
export function isRestartableInitContainer(container: { restartPolicy?: string } | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

/**
 * The conditions with this one set: replaced where its type is there, else appended. The transition time stays where
 * the condition's status does. The input is not changed; the same array means that nothing changed.
 */
export function withPodCondition(conditions: readonly PodCondition[], next: PodCondition): readonly PodCondition[] {
  const current = conditions.find((condition) => condition.type === next.type);
  if (current === undefined) return [...conditions, next];
  const kept =
    current.status === next.status && current.lastTransitionTime !== undefined
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next;
  const unchanged =
    current.status === kept.status &&
    current.reason === kept.reason &&
    current.message === kept.message &&
    current.observedGeneration === kept.observedGeneration &&
    current.lastTransitionTime === kept.lastTransitionTime &&
    current.lastProbeTime === kept.lastProbeTime;
  return unchanged ? conditions : conditions.map((condition) => (condition === current ? kept : condition));
}
