import { afterEach } from 'vitest';
import { DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS } from '#api/generated/resources.ts';
import type { Deployment, Pod, PodSpec } from '#api/generated/types.ts';
import { type Cluster, createCluster, type CreateClusterOptions } from '#cluster/create-cluster.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ResourceType } from '#client/client.ts';

const running: Cluster[] = [];

afterEach(async () => {
  for (const cluster of running.splice(0)) await cluster.stop();
});

/** A cluster whose nodes are ready; stopped after the test. */
export async function readyCluster(options: CreateClusterOptions = {}): Promise<Cluster> {
  const cluster = await createCluster({ seed: 20260101, ...options });
  running.push(cluster);
  await cluster.advance(2_000);
  return cluster;
}

export function deployment(
  name: string,
  spec: Partial<Deployment['spec']> = {},
  pod: Partial<PodSpec> = {},
): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'image:1' }], ...pod },
      },
      ...spec,
    },
  };
}

export function pod(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'image:1' }], ...spec },
  };
}

export const inDefault = (name: string) => ({ name, namespace: 'default' });

export async function untilAvailable(cluster: Cluster, name: string, replicas: number): Promise<void> {
  await cluster.waitFor(
    `deployment ${name} to be available`,
    async () => {
      const { status, metadata } = await cluster.client.get(DEPLOYMENTS, inDefault(name));
      return (
        status?.observedGeneration === metadata.generation &&
        (status?.updatedReplicas ?? 0) === replicas &&
        (status?.availableReplicas ?? 0) === replicas &&
        (status?.replicas ?? 0) === replicas
      );
    },
    { limitMs: 120_000, stepMs: 500 },
  );
}

export async function podsOf(cluster: Cluster, app: string): Promise<Pod[]> {
  const { items } = await cluster.client.list(PODS, { namespace: 'default', labelSelector: `app=${app}` });
  return items;
}

export async function replicaSetsOf(cluster: Cluster, app: string) {
  const { items } = await cluster.client.list(REPLICA_SETS, { namespace: 'default', labelSelector: `app=${app}` });
  return items;
}

/** Messages of the events with a reason, sorted. */
export async function eventMessages(cluster: Cluster, reason: string): Promise<string[]> {
  const { items } = await cluster.client.list(EVENTS);
  return items
    .filter((event) => event.reason === reason)
    .map((event) => event.message ?? '')
    .toSorted();
}

export async function exists<T extends KubeObject>(
  cluster: Cluster,
  resource: ResourceType<T>,
  name: { name: string; namespace?: string },
): Promise<boolean> {
  try {
    await cluster.client.get(resource, name);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
