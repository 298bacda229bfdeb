import { expect, test } from 'vitest';
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from '#api/generated/resources.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '#api/generated/types.ts';
import { exists, inDefault, pod, readyCluster } from './support.ts';

function volume(name: string, size: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: 'manual',
      hostPath: { path: `/data/${name}` },
      ...spec,
    },
  };
}

function claim(name: string, size: string, spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: size } },
      storageClassName: 'manual',
      ...spec,
    },
  };
}

test('a claim gets the smallest volume that fits, and neither goes while a pod uses it', async () => {
  const cluster = await readyCluster();
  const { client } = cluster;
  await client.create(PERSISTENT_VOLUMES, volume('large', '10Gi'));
  await client.create(PERSISTENT_VOLUMES, volume('fitting', '2Gi'));
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim('data', '1Gi'));
  await cluster.advance(2_000);
  const bound = await client.get(PERSISTENT_VOLUME_CLAIMS, inDefault('data'));
  expect(bound.spec?.volumeName).toBe('fitting');
  expect(bound.status).toMatchObject({ phase: 'Bound', capacity: { storage: '2Gi' } });
  expect((await client.get(PERSISTENT_VOLUMES, { name: 'fitting' })).status?.phase).toBe('Bound');
  expect((await client.get(PERSISTENT_VOLUMES, { name: 'large' })).status?.phase).toBe('Available');

  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
  await client.create(PODS, pod('user', { volumes }));
  await cluster.advance(3_000);
  await client.delete(PERSISTENT_VOLUMES, { name: 'fitting' });
  await client.delete(PERSISTENT_VOLUME_CLAIMS, inDefault('data'));
  await cluster.advance(3_000);
  expect(await exists(cluster, PERSISTENT_VOLUME_CLAIMS, inDefault('data'))).toBe(true);
  await client.delete(PODS, inDefault('user'));
  await cluster.advance(5_000);
  expect(await exists(cluster, PERSISTENT_VOLUME_CLAIMS, inDefault('data'))).toBe(false);
  expect(await exists(cluster, PERSISTENT_VOLUMES, { name: 'fitting' })).toBe(false);
});

test('a volume nobody uses goes at once', async () => {
  const cluster = await readyCluster();
  await cluster.client.create(PERSISTENT_VOLUMES, volume('free', '1Gi'));
  await cluster.advance(2_000);
  await cluster.client.delete(PERSISTENT_VOLUMES, { name: 'free' });
  await cluster.advance(2_000);
  expect(await exists(cluster, PERSISTENT_VOLUMES, { name: 'free' })).toBe(false);
});
