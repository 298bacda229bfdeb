import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { type JsonObject, kindOf, type Scale } from '../support/kinds.ts';
import { PAUSE_IMAGE, waitForPods } from '../support/workloads.ts';

const STATEFUL_SETS = kindOf<JsonObject>('apps/v1', 'StatefulSet', 'statefulsets');
const LABELS = { app: 'stateful' };

async function createSet(api: Api, namespace: string, name: string, replicas = 1): Promise<JsonObject> {
  const containers = [{ name: 'pause', image: PAUSE_IMAGE }];
  const template = { metadata: { labels: LABELS }, spec: { terminationGracePeriodSeconds: 0, containers } };
  const spec = { replicas, serviceName: 'test', selector: { matchLabels: LABELS }, template };
  const made = await api.of(STATEFUL_SETS, namespace).create({ metadata: { name, labels: LABELS }, spec });
  await waitForPods(api, namespace, 'app=stateful', replicas);
  return made;
}

interface Conditions {
  readonly conditions?: { type: string }[];
}

conformanceTest(
  '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource [Conformance]',
  async ({ api, namespace }) => {
    await createSet(api, namespace, 'ss');
    const sets = api.of(STATEFUL_SETS, namespace);
    const path = sets.path('ss', 'scale');
    const scale = await api.call<Scale>('GET', path);
    expect(scale.spec?.replicas).toBe(1);
    const { resourceVersion: _, ...metadata } = scale.metadata ?? {};
    const updated = await api.call<Scale>('PUT', path, { body: { ...scale, metadata, spec: { replicas: 2 } } });
    expect(updated.spec?.replicas).toBe(2);
    const body = { spec: { replicas: 4 } };
    const patched = await api.call<Scale>('PATCH', path, { body, contentType: 'application/merge-patch+json' });
    expect(patched.spec?.replicas).toBe(4);
    expect((await sets.get('ss'))['spec']).toMatchObject({ replicas: 4 });
    const pods = await waitForPods(api, namespace, 'app=stateful', 4);
    expect(pods.map((pod) => pod.metadata?.name).toSorted()).toEqual(['ss-0', 'ss-1', 'ss-2', 'ss-3']);
  },
);

conformanceTest(
  '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets [Conformance]',
  async ({ api, namespace }) => {
    await createSet(api, namespace, 'test-ss');
    const sets = api.of(STATEFUL_SETS, namespace);
    const body = {
      metadata: { labels: { 'test-ss': 'patched' } },
      spec: { replicas: 2, template: { spec: { containers: [{ name: 'pause', image: `${PAUSE_IMAGE}-patched` }] } } },
    };
    const patched = await sets.patch('test-ss', body, { type: 'strategic' });
    expect(patched.metadata?.labels?.['test-ss']).toBe('patched');
    const pods = await waitForPods(api, namespace, 'app=stateful', 2);
    expect(pods).toHaveLength(2);
    await eventually(
      'the update is carried out',
      () => sets.get('test-ss'),
      ({ status }) => (status as { updatedReplicas?: number }).updatedReplicas === 2,
    );
    const listed = await api.of(STATEFUL_SETS).list({ labelSelector: 'test-ss=patched' });
    expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual(['test-ss']);
    await sets.deleteAll({ labelSelector: 'test-ss=patched' });
    await eventually(
      'no StatefulSet',
      () => sets.list({ labelSelector: 'test-ss=patched' }),
      ({ items }) => items.length === 0,
    );
  },
);

conformanceTest(
  '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints [Conformance]',
  async ({ api, namespace }) => {
    await createSet(api, namespace, 'ss');
    const sets = api.of(STATEFUL_SETS, namespace);
    expect((await sets.get('ss', 'status')).metadata?.name).toBe('ss');
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };
    const updated = await sets.change(
      'ss',
      (set) => {
        const status = set['status'] as { conditions?: object[] };
        set['status'] = { ...status, conditions: [...(status.conditions ?? []), condition] };
      },
      'status',
    );
    expect((updated['status'] as Conditions).conditions).toEqual([expect.objectContaining(condition)]);
    const patched = await sets.patch(
      'ss',
      { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } },
      { subresource: 'status' },
    );
    expect((patched['status'] as Conditions).conditions?.map(({ type }) => type)).toEqual(['StatusPatched']);
  },
);
