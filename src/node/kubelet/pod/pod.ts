import type { Container, Pod } from '#api/generated/types.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export function podName(pod: Pod): string {
  return pod.metadata.name ?? '';
}

export function podNamespace(pod: Pod): string {
  return pod.metadata.namespace ?? '';
}

export function podUid(pod: Pod): string {
  return pod.metadata.uid ?? '';
}

/** `NAME_NAMESPACE(UID)`: how messages and back-off keys name a pod. */
export function podFormat(pod: Pod): string {
  return `${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;
}

/** An init container that keeps running beside the others (`restartPolicy: Always`). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** Whether the phase is one that a pod never leaves. */
export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** All containers of the spec, in the order in which they may start. */
export function allContainers(pod: Pod): Container[] {
  const { spec } = pod;
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

/** A container of any role by name. */
export function containerSpec(pod: Pod, name: string): Container | undefined {
  return allContainers(pod).find((container) => container.name === name);
}
