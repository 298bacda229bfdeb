import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { POD_DISRUPTION_BUDGETS, PODS } from '../support/kinds.ts';
import { podOf, waitForRunning } from '../support/workloads.ts';

const LABELS = { foo: 'bar' };

const budgetOf = (name: string, minAvailable: number | string) => ({
  metadata: { name, labels: LABELS },
  spec: { selector: { matchLabels: LABELS }, minAvailable },
});

function waitUntilProcessed(api: Api, namespace: string, name: string) {
  return eventually(
    'the budget is processed',
    () => api.of(POD_DISRUPTION_BUDGETS, namespace).get(name),
    ({ metadata, status }) => (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1),
  );
}

conformanceTest(
  '[sig-apps] DisruptionController should create a PodDisruptionBudget [Conformance]',
  async ({ api, namespace }) => {
    const budgets = api.of(POD_DISRUPTION_BUDGETS, namespace);
    await budgets.create(budgetOf('foo', 1));
    await waitUntilProcessed(api, namespace, 'foo');
    const updated = await budgets.change('foo', (budget) => {
      budget.spec!.minAvailable = '2%';
    });
    expect(updated.spec?.minAvailable).toBe('2%');
    const patched = await budgets.patch('foo', { spec: { minAvailable: '3%' } }, { type: 'strategic' });
    expect(patched.spec?.minAvailable).toBe('3%');
    await waitUntilProcessed(api, namespace, 'foo');
    await budgets.delete('foo');
    expect(await budgets.find('foo')).toBeUndefined();
  },
);

conformanceTest(
  '[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets [Conformance]',
  async ({ api, namespace, unique }) => {
    const label = unique('collection');
    const budgets = api.of(POD_DISRUPTION_BUDGETS, namespace);
    for (const name of ['foo', 'foo2']) {
      const budget = budgetOf(name, 1);
      await budgets.create({ ...budget, metadata: { name, labels: { collection: label } } });
      await waitUntilProcessed(api, namespace, name);
    }
    const labelSelector = `collection=${label}`;
    expect((await api.of(POD_DISRUPTION_BUDGETS).list({ labelSelector })).items).toHaveLength(2);
    await budgets.deleteAll({ labelSelector });
    expect((await api.of(POD_DISRUPTION_BUDGETS).list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-apps] DisruptionController should observe PodDisruptionBudget status updated [Conformance]',
  async ({ api, namespace }) => {
    await api.of(POD_DISRUPTION_BUDGETS, namespace).create(budgetOf('foo', 1));
    await waitUntilProcessed(api, namespace, 'foo');
    for (const name of ['pod-0', 'pod-1', 'pod-2']) {
      await api.of(PODS, namespace).create(podOf(name, { labels: LABELS }));
      await waitForRunning(api, namespace, name);
    }
    const observed = await eventually(
      'the budget counts the pods',
      () => api.of(POD_DISRUPTION_BUDGETS, namespace).get('foo'),
      ({ status }) => status?.currentHealthy === 3,
    );
    expect(observed.status).toMatchObject({ expectedPods: 3, desiredHealthy: 1, disruptionsAllowed: 2 });
  },
);

conformanceTest(
  '[sig-apps] DisruptionController should update/patch PodDisruptionBudget status [Conformance]',
  async ({ api, namespace }) => {
    const budgets = api.of(POD_DISRUPTION_BUDGETS, namespace);
    await budgets.create(budgetOf('foo', 1));
    await waitUntilProcessed(api, namespace, 'foo');
    const updated = await budgets.change(
      'foo',
      (budget) => {
        budget.status!.observedGeneration = -1;
      },
      'status',
    );
    expect(updated.status?.observedGeneration).toBe(-1);
    await waitUntilProcessed(api, namespace, 'foo');
    const patched = await budgets.patch('foo', { status: { observedGeneration: -1 } }, { subresource: 'status' });
    expect(patched.status?.observedGeneration).toBe(-1);
    await waitUntilProcessed(api, namespace, 'foo');
  },
);

conformanceTest(
  '[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it [Conformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    for (const name of ['rs-0', 'rs-1', 'rs-2']) {
      await pods.create(podOf(name, { labels: LABELS }));
      await waitForRunning(api, namespace, name);
    }
    const budgets = api.of(POD_DISRUPTION_BUDGETS, namespace);
    await budgets.create(budgetOf('foo', 3));
    await eventually(
      'all pods are counted',
      () => budgets.get('foo'),
      ({ status }) => status?.currentHealthy === 3,
    );
    const evict = () =>
      api.raw('POST', pods.path('rs-0', 'eviction'), {
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'rs-0', namespace } },
      });
    const refused = await evict();
    expect(refused.code).toBe(429);
    expect(refused.body).toMatchObject({
      reason: 'TooManyRequests',
      details: { causes: [{ reason: 'DisruptionBudget' }] },
    });
    await budgets.patch('foo', { spec: { minAvailable: 2 } });
    await eventually('the eviction is allowed', evict, ({ code }) => code === 201);
  },
);
