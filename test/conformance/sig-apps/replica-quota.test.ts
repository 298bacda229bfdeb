import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { REPLICATION_CONTROLLERS, RESOURCE_QUOTAS } from '../support/kinds.ts';
import { replicationControllerOf, waitForPods } from '../support/workloads.ts';

conformanceTest(
  '[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota [Conformance]',
  async ({ api, namespace }) => {
    const name = 'condition-test';
    await api.of(RESOURCE_QUOTAS, namespace).create({ metadata: { name }, spec: { hard: { pods: '2' } } });
    await eventually(
      'the quota is counted',
      () => api.of(RESOURCE_QUOTAS, namespace).get(name),
      ({ status }) => (status?.hard as Record<string, string> | undefined)?.['pods'] === '2',
    );
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    await controllers.create(replicationControllerOf({ name, replicas: 3, labels: { name } }));
    const failing = await eventually(
      'a failure condition',
      () => controllers.get(name),
      ({ status }) => status?.conditions?.some(({ type }) => type === 'ReplicaFailure') ?? false,
    );
    expect(failing.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')).toMatchObject({
      status: 'True',
      reason: 'FailedCreate',
    });
    await controllers.change(name, (controller) => {
      controller.spec!.replicas = 2;
    });
    await waitForPods(api, namespace, `name=${name}`, 2);
    await eventually(
      'no failure condition',
      () => controllers.get(name),
      ({ status }) => !(status?.conditions?.some(({ type }) => type === 'ReplicaFailure') ?? false),
    );
  },
);
