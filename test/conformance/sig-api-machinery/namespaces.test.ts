import { expect } from 'vitest';
import { conformanceTest, createNamespace } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, SERVICES } from '../support/kinds.ts';
import { podOf, waitForRunning } from '../support/workloads.ts';

conformanceTest(
  '[sig-api-machinery] Namespaces should ensure that all pods are removed when a namespace is deleted [Conformance] [Serial]',
  async ({ api, unique }) => {
    const name = await createNamespace(api, unique('nsdeletetest'));
    await api.of(PODS, name).create(podOf('test-pod'));
    await waitForRunning(api, name, 'test-pod');
    await api.of(NAMESPACES).delete(name);
    await eventually(
      'the namespace is gone',
      () => api.of(NAMESPACES).find(name),
      (found) => found === undefined,
    );
    await createNamespace(api, name);
    expect(await api.of(PODS, name).find('test-pod')).toBeUndefined();
    await api.of(NAMESPACES).delete(name);
  },
);

conformanceTest(
  '[sig-api-machinery] Namespaces should ensure that all services are removed when a namespace is deleted [Conformance] [Serial]',
  async ({ api, unique }) => {
    const name = await createNamespace(api, unique('nsdeletetest'));
    await api.of(SERVICES, name).create({
      metadata: { name: 'test-service' },
      spec: { selector: { foo: 'bar' }, ports: [{ port: 80, targetPort: 80 }] },
    });
    await api.of(NAMESPACES).delete(name);
    await eventually(
      'the namespace is gone',
      () => api.of(NAMESPACES).find(name),
      (found) => found === undefined,
    );
    await createNamespace(api, name);
    expect(await api.of(SERVICES, name).find('test-service')).toBeUndefined();
    await api.of(NAMESPACES).delete(name);
  },
);

conformanceTest(
  '[sig-api-machinery] Namespaces should patch a Namespace [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const patch = { metadata: { labels: { testLabel: 'testValue' } } };
    await api.of(NAMESPACES).patch(namespace, patch, { type: 'strategic' });
    const found = await api.of(NAMESPACES).get(namespace);
    expect(found.metadata?.labels).toMatchObject({ testLabel: 'testValue' });
  },
);

conformanceTest(
  '[sig-api-machinery] Namespaces should apply an update to a Namespace [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const updated = await api.of(NAMESPACES).change(namespace, (found) => {
      found.metadata = { ...found.metadata, labels: { ...found.metadata?.labels, [namespace]: 'updated' } };
    });
    expect(updated.metadata?.labels?.[namespace]).toBe('updated');
  },
);

conformanceTest(
  '[sig-api-machinery] Namespaces should apply changes to a namespace status [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const namespaces = api.of(NAMESPACES);
    const read = await namespaces.get(namespace, 'status');
    expect(read.status?.phase).toBe('Active');
    const condition = { type: 'StatusPatch', status: 'True', reason: 'E2E', message: 'Patched by an e2e test' };
    const patched = await namespaces.patch(
      namespace,
      { metadata: { annotations: { e2ePatched: 'true' } }, status: { conditions: [condition] } },
      { subresource: 'status' },
    );
    expect(patched.metadata?.annotations?.['e2ePatched']).toBe('true');
    expect(patched.status?.conditions).toEqual(expect.arrayContaining([expect.objectContaining(condition)]));
    const update = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Updated by an e2e test' };
    const updated = await namespaces.change(
      namespace,
      (found) => {
        found.status = { ...found.status, conditions: [...(found.status?.conditions ?? []), update] };
      },
      'status',
    );
    expect(updated.status?.conditions?.map(({ type }) => type)).toEqual(expect.arrayContaining(['StatusUpdate']));
    expect(updated.status?.phase).toBe('Active');
  },
);

conformanceTest(
  '[sig-api-machinery] Namespaces should apply a finalizer to a Namespace [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const fake = 'e2e.example.com/fakeFinalizer';
    const namespaces = api.of(NAMESPACES);
    const finalizersAfter = async (change: (names: string[]) => string[]) => {
      const updated = await namespaces.change(
        namespace,
        (found) => {
          found.spec = { ...found.spec, finalizers: change(found.spec?.finalizers ?? []) };
        },
        'finalize',
      );
      return updated.spec?.finalizers;
    };
    expect(await finalizersAfter((names) => [...names, fake])).toEqual(['kubernetes', fake]);
    expect(await finalizersAfter((names) => names.filter((name) => name !== fake))).toEqual(['kubernetes']);
  },
);

conformanceTest(
  '[sig-api-machinery] OrderedNamespaceDeletion namespace deletion should delete pod first [Conformance]',
  async ({ api, unique }) => {
    const name = await createNamespace(api, unique('nsdeletetest'));
    const finalizer = 'e2e.example.com/finalizer';
    const pod = podOf('testpod');
    await api.of(PODS, name).create({ ...pod, metadata: { ...pod.metadata, finalizers: [finalizer] } });
    await waitForRunning(api, name, 'testpod');
    await api.of(CONFIG_MAPS, name).create({ metadata: { name: 'testcm', finalizers: [finalizer] } });
    await api.of(NAMESPACES).delete(name);
    await eventually(
      'the namespace waits for its pods',
      () => api.of(NAMESPACES).get(name),
      ({ status }) =>
        status?.phase === 'Terminating' &&
        (status.conditions?.some(
          (condition) =>
            condition.type === 'NamespaceDeletionContentFailure' || condition.type === 'NamespaceContentRemaining',
        ) ??
          false),
    );
    const waiting = await api.of(PODS, name).get('testpod');
    expect(waiting.metadata?.deletionTimestamp).toBeDefined();
    const map = await api.of(CONFIG_MAPS, name).get('testcm');
    expect(map.metadata?.deletionTimestamp).toBeUndefined();

    await api.of(PODS, name).patch('testpod', { metadata: { finalizers: null } });
    await eventually(
      'the pod is gone',
      () => api.of(PODS, name).find('testpod'),
      (found) => found === undefined,
    );
    await eventually(
      'then the ConfigMap is deleted',
      () => api.of(CONFIG_MAPS, name).get('testcm'),
      (found) => found.metadata?.deletionTimestamp !== undefined,
    );
    await api.of(CONFIG_MAPS, name).patch('testcm', { metadata: { finalizers: null } });
    await eventually(
      'the namespace is gone',
      () => api.of(NAMESPACES).find(name),
      (found) => found === undefined,
    );
  },
);
