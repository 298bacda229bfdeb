import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { CONFIG_MAPS, LEASES, NODES, POD_TEMPLATES, SECRETS } from '../support/kinds.ts';

conformanceTest(
  '[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]',
  async ({ api, namespace }) => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'empty' }, data: { '': 'value-1' } };
    const answer = await api.raw('POST', api.of(CONFIG_MAPS, namespace).path(), { body });
    expect(answer.code).toBe(422);
  },
);

conformanceTest(
  '[sig-node] ConfigMap should update ConfigMap successfully [Conformance] [NodeConformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    await maps.create({ metadata: { name: 'update' }, data: { data: 'value' } });
    await maps.change('update', (map) => {
      map.data = { data: 'value-2' };
    });
    expect((await maps.get('update')).data).toEqual({ data: 'value-2' });
  },
);

conformanceTest(
  '[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]',
  async ({ api, namespace, unique }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    const value = unique('static');
    const labelSelector = `test-configmap-static=${value}`;
    const watch = await maps.watch({ labelSelector });
    await maps.create({
      metadata: { name: 'test', labels: { 'test-configmap-static': value } },
      data: { valueName: 'value' },
    });
    await watch.until(({ type }) => type === 'ADDED');
    await maps.patch(
      'test',
      { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } },
      { type: 'strategic' },
    );
    await watch.until(({ type }) => type === 'MODIFIED');
    const patched = await maps.get('test');
    expect(patched.data?.['valueName']).toBe('value1');
    expect(patched.metadata?.labels?.['test-configmap']).toBe('patched');
    expect((await api.of(CONFIG_MAPS).list({ labelSelector })).items).toHaveLength(1);
    await maps.deleteAll({ labelSelector });
    await watch.until(({ type }) => type === 'DELETED');
    expect((await maps.list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-node] Secrets should fail to create secret due to empty secret key [Conformance]',
  async ({ api, namespace }) => {
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'empty' }, data: { '': 'dmFsdWU=' } };
    const answer = await api.raw('POST', api.of(SECRETS, namespace).path(), { body });
    expect(answer.code).toBe(422);
  },
);

conformanceTest('[sig-node] Secrets should patch a secret [Conformance]', async ({ api, namespace, unique }) => {
  const secrets = api.of(SECRETS, namespace);
  const value = unique('static');
  await secrets.create({
    metadata: { name: 'test-secret', labels: { testsecret: value } },
    data: { key: 'dmFsdWU=' },
    type: 'Opaque',
  });
  const before = await api.of(SECRETS).list({ labelSelector: `testsecret=${value}` });
  expect(before.items.map(({ metadata }) => metadata?.name)).toEqual(['test-secret']);
  await secrets.patch(
    'test-secret',
    { metadata: { labels: { patched: 'true' } }, data: { key: 'dmFsdWUx' } },
    { type: 'strategic' },
  );
  const patched = await secrets.get('test-secret');
  expect(patched.data).toEqual({ key: 'dmFsdWUx' });
  expect(patched.metadata?.labels?.['patched']).toBe('true');
  await secrets.deleteAll({ labelSelector: `testsecret=${value}` });
  expect((await api.of(SECRETS).list({ labelSelector: `testsecret=${value}` })).items).toEqual([]);
});

conformanceTest('[sig-node] Lease lease API should be available [Conformance]', async ({ api, namespace }) => {
  const leases = api.of(LEASES, namespace);
  const spec = {
    holderIdentity: 'holder',
    leaseDurationSeconds: 30,
    acquireTime: '2026-01-02T03:04:05.000006Z',
    renewTime: '2026-01-02T03:04:10.000007Z',
    leaseTransitions: 0,
  };
  await leases.create({ metadata: { name: 'lease' }, spec });
  expect((await leases.get('lease'))['spec']).toEqual(spec);
  const changed = { ...spec, holderIdentity: 'holder2', leaseTransitions: 1, renewTime: '2026-01-02T03:05:10.000007Z' };
  await leases.change('lease', (lease) => {
    lease['spec'] = changed;
  });
  expect((await leases.get('lease'))['spec']).toEqual(changed);
  const patch = { spec: { holderIdentity: 'holder3', leaseDurationSeconds: 60, acquireTime: null } };
  await leases.patch('lease', patch, { type: 'strategic' });
  const { acquireTime: _, ...rest } = changed;
  expect((await leases.get('lease'))['spec']).toEqual({ ...rest, holderIdentity: 'holder3', leaseDurationSeconds: 60 });
  await leases.create({ metadata: { name: 'lease2', labels: { deletecollection: 'true' } }, spec });
  expect((await leases.list()).items).toHaveLength(2);
  await leases.deleteAll({ labelSelector: 'deletecollection=true' });
  expect((await leases.list()).items).toHaveLength(1);
  await leases.delete('lease');
  expect(await leases.find('lease')).toBeUndefined();
});

conformanceTest(
  '[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]',
  async ({ api, namespace, unique }) => {
    const templates = api.of(POD_TEMPLATES, namespace);
    const value = unique('static');
    const labelSelector = `podtemplate-static=${value}`;
    await templates.create({
      metadata: { name: 'nginx', labels: { 'podtemplate-static': value } },
      template: { spec: { containers: [{ name: 'nginx', image: 'nginx' }] } },
    });
    expect((await api.of(POD_TEMPLATES).list({ labelSelector })).items).toHaveLength(1);
    await templates.patch('nginx', { metadata: { labels: { podtemplate: 'patched' } } }, { type: 'strategic' });
    expect((await templates.get('nginx')).metadata?.labels?.['podtemplate']).toBe('patched');
    await templates.delete('nginx');
    expect((await api.of(POD_TEMPLATES).list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-node] PodTemplates should delete a collection of pod templates [Conformance]',
  async ({ api, namespace }) => {
    const templates = api.of(POD_TEMPLATES, namespace);
    for (const name of ['test-1', 'test-2', 'test-3']) {
      const template = { spec: { containers: [{ name: 'token-test', image: 'agnhost' }] } };
      await templates.create({ metadata: { name, labels: { 'podtemplate-set': 'true' } }, template });
    }
    expect((await templates.list({ labelSelector: 'podtemplate-set=true' })).items).toHaveLength(3);
    await templates.deleteAll({ labelSelector: 'podtemplate-set=true' });
    expect((await templates.list({ labelSelector: 'podtemplate-set=true' })).items).toEqual([]);
  },
);

conformanceTest('[sig-node] PodTemplates should replace a pod template [Conformance]', async ({ api, namespace }) => {
  const templates = api.of(POD_TEMPLATES, namespace);
  const template = { spec: { containers: [{ name: 'replaced', image: 'agnhost' }] } };
  await templates.create({ metadata: { name: 'nginx' }, template });
  const replaced = await templates.change('nginx', (found) => {
    found.metadata!.annotations = { updated: 'true' };
  });
  expect(replaced.metadata?.annotations?.['updated']).toBe('true');
});

conformanceTest(
  '[sig-node] Node Lifecycle should run through the lifecycle of a node [Conformance]',
  async ({ api, unique, after }) => {
    const nodes = api.of(NODES);
    const name = unique('e2e-fake-node');
    after(() => nodes.delete(name));
    await nodes.create({
      metadata: { name, labels: { 'e2e-fake-node': 'true' } },
      spec: { unschedulable: true },
      status: { phase: 'Running', allocatable: { cpu: '1' } },
    });
    expect((await nodes.get(name)).metadata?.name).toBe(name);
    const patched = await nodes.patch(name, { metadata: { labels: { [name]: 'patched' } } }, { type: 'strategic' });
    expect(patched.metadata?.labels?.[name]).toBe('patched');
    const listed = await nodes.list({ labelSelector: `${name}=patched` });
    expect(listed.items).toHaveLength(1);
    const updated = await nodes.change(name, (node) => {
      node.metadata!.labels![name] = 'updated';
    });
    expect(updated.metadata?.labels?.[name]).toBe('updated');
    const status = await nodes.patch(
      name,
      { metadata: { annotations: { updatedstatus: 'true' } }, status: { capacity: { memory: '1Gi' } } },
      { subresource: 'status' },
    );
    expect(status.metadata?.annotations?.['updatedstatus']).toBe('true');
    expect(status.status?.capacity?.['memory']).toBe('1Gi');
    await nodes.delete(name);
    expect(await nodes.find(name)).toBeUndefined();
  },
);
