import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { RESOURCE_QUOTAS } from '../support/kinds.ts';

conformanceTest(
  '[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota. [Conformance]',
  async ({ api, namespace }) => {
    const quotas = api.of(RESOURCE_QUOTAS, namespace);
    const created = await quotas.create({
      metadata: { name: 'test-quota' },
      spec: { hard: { cpu: '1', memory: '500Mi' } },
    });
    expect(created.spec?.hard).toEqual({ cpu: '1', memory: '500Mi' });
    expect((await quotas.get('test-quota')).spec?.hard).toEqual({ cpu: '1', memory: '500Mi' });
    const updated = await quotas.change('test-quota', (quota) => {
      quota.spec = { ...quota.spec, hard: { cpu: '2', memory: '1Gi' } };
    });
    expect(updated.spec?.hard).toEqual({ cpu: '2', memory: '1Gi' });
    expect((await quotas.get('test-quota')).spec?.hard).toEqual({ cpu: '2', memory: '1Gi' });
    await quotas.delete('test-quota');
    await eventually(
      'the quota is gone',
      () => quotas.find('test-quota'),
      (found) => found === undefined,
    );
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota [Conformance]',
  async ({ api, namespace, unique }) => {
    const quotas = api.of(RESOURCE_QUOTAS, namespace);
    const name = unique('e2e-quota');
    await quotas.create({ metadata: { name, labels: { [name]: 'created' } }, spec: { hard: { services: '10' } } });
    expect((await quotas.get(name)).spec?.hard).toEqual({ services: '10' });
    const listed = await api.of(RESOURCE_QUOTAS).list({ labelSelector: name });
    expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual([name]);
    const patched = await quotas.patch(
      name,
      { metadata: { labels: { [name]: 'patched' } }, spec: { hard: { memory: '750Mi' } } },
      { type: 'strategic' },
    );
    expect(patched.metadata?.labels?.[name]).toBe('patched');
    expect(patched.spec?.hard).toEqual({ services: '10', memory: '750Mi' });
    await quotas.deleteAll({ labelSelector: `${name}=patched` });
    expect((await api.of(RESOURCE_QUOTAS).list({ labelSelector: name })).items).toEqual([]);
  },
);
