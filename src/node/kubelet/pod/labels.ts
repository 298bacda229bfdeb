import type { Container as RuntimeContainer } from '../../runtime/contract.ts';
import type { Container, Pod } from '#api/generated/types.ts';
import { podName, podNamespace, podUid } from './pod.ts';

/** Labels and annotations by which a restarted kubelet finds its pods again in the runtime; upstream's names. */
export const POD_NAME_LABEL = 'io.kubernetes.pod.name';
export const POD_NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';
export const POD_UID_LABEL = 'io.kubernetes.pod.uid';
export const CONTAINER_NAME_LABEL = 'io.kubernetes.container.name';

const HASH = 'io.kubernetes.container.hash';
const RESTART_COUNT = 'io.kubernetes.container.restartCount';
const MESSAGE_PATH = 'io.kubernetes.container.terminationMessagePath';
const MESSAGE_POLICY = 'io.kubernetes.container.terminationMessagePolicy';
const PRE_STOP = 'io.kubernetes.container.preStopHandler';
const POD_GRACE = 'io.kubernetes.pod.terminationGracePeriod';
const POD_DELETION_GRACE = 'io.kubernetes.pod.deletionGracePeriod';

export function sandboxLabels(pod: Pod): Record<string, string> {
  return { ...pod.metadata.labels, ...identity(pod) };
}

export function containerLabels(pod: Pod, container: Container): Record<string, string> {
  return { ...identity(pod), [CONTAINER_NAME_LABEL]: container.name };
}

export function containerAnnotations(
  pod: Pod,
  container: Container,
  options: { restartCount: number; hash: string },
): Record<string, string> {
  const grace = pod.spec.terminationGracePeriodSeconds;
  const deletionGrace = pod.metadata.deletionGracePeriodSeconds;
  return {
    [HASH]: options.hash,
    [RESTART_COUNT]: String(options.restartCount),
    [MESSAGE_PATH]: container.terminationMessagePath ?? '/dev/termination-log',
    [MESSAGE_POLICY]: container.terminationMessagePolicy ?? 'File',
    ...(container.lifecycle?.preStop === undefined ? {} : { [PRE_STOP]: JSON.stringify(container.lifecycle.preStop) }),
    ...(grace === undefined ? {} : { [POD_GRACE]: String(grace) }),
    ...(deletionGrace === undefined ? {} : { [POD_DELETION_GRACE]: String(deletionGrace) }),
  };
}

export interface ContainerFacts {
  name: string;
  hash: string;
  restartCount: number;
  terminationMessagePath: string;
  terminationMessagePolicy: string;
}

/** What the kubelet wrote on a container when it made it. */
export function containerFacts(
  container: Pick<RuntimeContainer, 'labels' | 'annotations' | 'metadata'>,
): ContainerFacts {
  const { labels, annotations } = container;
  const count = Number(annotations[RESTART_COUNT] ?? container.metadata.attempt);
  return {
    name: labels[CONTAINER_NAME_LABEL] ?? container.metadata.name,
    hash: annotations[HASH] ?? '',
    restartCount: Number.isSafeInteger(count) ? count : 0,
    terminationMessagePath: annotations[MESSAGE_PATH] ?? '',
    terminationMessagePolicy: annotations[MESSAGE_POLICY] ?? 'File',
  };
}

function identity(pod: Pod): Record<string, string> {
  return {
    [POD_NAME_LABEL]: podName(pod),
    [POD_NAMESPACE_LABEL]: podNamespace(pod),
    [POD_UID_LABEL]: podUid(pod),
  };
}

/**
 * A container whose hash differs from its spec is restarted. As upstream since 1.33, only name and image count: the only
 * other mutable part of a container, its resources, changes in place.
 */
export function containerHash(container: Container): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${container.name}\n${container.image ?? ''}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}
