import type { Api } from './api.ts';
import { eventually } from './eventually.ts';
import {
  type Deployment,
  DEPLOYMENTS,
  type Pod,
  PODS,
  type ReplicaSet,
  REPLICA_SETS,
  type ReplicationController,
} from './kinds.ts';

/** An image that every cluster has or can pull; on simulated nodes its name is all there is. */
export const PAUSE_IMAGE = 'registry.k8s.io/pause:3.10.1';

type Labels = Record<string, string>;

export function podOf(name: string, options: { labels?: Labels; spec?: Partial<NonNullable<Pod['spec']>> } = {}): Pod {
  return {
    metadata: { name, labels: options.labels ?? { name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'pause', image: PAUSE_IMAGE }],
      ...options.spec,
    },
  };
}

function templateOf(labels: Labels, image: string) {
  return {
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'pause', image }] },
  };
}

export interface WorkloadInit {
  readonly name: string;
  readonly replicas: number;
  readonly labels: Labels;
  readonly image?: string;
}

export function deploymentOf(init: WorkloadInit): Deployment {
  const { name, replicas, labels, image = PAUSE_IMAGE } = init;
  return {
    metadata: { name, labels },
    spec: { replicas, selector: { matchLabels: labels }, template: templateOf(labels, image) },
  };
}

export function replicaSetOf(init: WorkloadInit): ReplicaSet {
  const { name, replicas, labels, image = PAUSE_IMAGE } = init;
  return {
    metadata: { name, labels },
    spec: { replicas, selector: { matchLabels: labels }, template: templateOf(labels, image) },
  };
}

export function replicationControllerOf(init: WorkloadInit): ReplicationController {
  const { name, replicas, labels, image = PAUSE_IMAGE } = init;
  return { metadata: { name, labels }, spec: { replicas, selector: labels, template: templateOf(labels, image) } };
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

export function waitForRunning(api: Api, namespace: string, name: string): Promise<Pod> {
  return eventually(
    `pod ${name} runs`,
    () => api.of(PODS, namespace).get(name),
    (pod) => pod.status?.phase === 'Running' && isReady(pod),
  );
}

/** Waits until so many pods of the selector exist and are ready. */
export async function waitForPods(api: Api, namespace: string, labelSelector: string, count: number): Promise<Pod[]> {
  const { items } = await eventually(
    `${count} ready pods of ${labelSelector}`,
    () => api.of(PODS, namespace).list({ labelSelector }),
    ({ items: pods }) => pods.length === count && pods.every(isReady),
  );
  return items;
}

export function waitForPodCount(api: Api, namespace: string, labelSelector: string, count: number): Promise<unknown> {
  return eventually(
    `${count} pods of ${labelSelector}`,
    () => api.of(PODS, namespace).list({ labelSelector }),
    ({ items }) => items.length === count,
  );
}

/** The Deployment has carried out its newest specification. */
export function waitForRollout(api: Api, namespace: string, name: string): Promise<Deployment> {
  return eventually(
    `rollout of ${name}`,
    () => api.of(DEPLOYMENTS, namespace).get(name),
    ({ metadata, spec, status }) =>
      (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
      status?.updatedReplicas === spec?.replicas &&
      status?.replicas === spec?.replicas &&
      status?.availableReplicas === spec?.replicas,
  );
}

export async function replicaSetsOf(api: Api, namespace: string, labelSelector: string): Promise<ReplicaSet[]> {
  return (await api.of(REPLICA_SETS, namespace).list({ labelSelector })).items;
}

export function isOwnedBy(object: Pod | ReplicaSet, uid: string | undefined): boolean {
  return object.metadata?.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}
