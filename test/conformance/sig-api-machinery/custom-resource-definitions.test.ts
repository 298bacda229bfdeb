import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { DEFINITIONS, kindFrom, newDefinition, serve } from '../support/custom-resources.ts';
import { eventually } from '../support/eventually.ts';

const SIMPLE =
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition';

conformanceTest(`${SIMPLE} creating/deleting custom resource definition objects works [Conformance]`, async (scene) => {
  const definition = await serve(scene, newDefinition());
  const name = definition.metadata?.name ?? '';
  const established = definition.status?.conditions?.find(({ type }) => type === 'Established');
  expect(established).toMatchObject({ status: 'True', reason: 'InitialNamesAccepted' });
  await scene.api.of(DEFINITIONS).delete(name);
  await eventually('the definition to be gone', async () =>
    expect(await scene.api.of(DEFINITIONS).find(name)).toBeUndefined(),
  );
  const { group, names } = definition.spec;
  const answer = await scene.api.raw('GET', `/apis/${group}/v1/${names.plural}`);
  expect(answer.code).toBe(404);
});

conformanceTest(`${SIMPLE} listing custom resource definition objects works [Conformance]`, async (scene) => {
  const label = scene.unique('crds');
  for (let index = 0; index < 3; index++) {
    const definition = newDefinition();
    definition.metadata = { ...definition.metadata, labels: { e2e: label } };
    await serve(scene, definition);
  }
  const query = { labelSelector: `e2e=${label}` };
  expect((await scene.api.of(DEFINITIONS).list(query)).items).toHaveLength(3);
  await scene.api.of(DEFINITIONS).deleteAll(query);
  await eventually('the definitions to be gone', async () =>
    expect((await scene.api.of(DEFINITIONS).list(query)).items).toHaveLength(0),
  );
});

conformanceTest(
  `${SIMPLE} getting/updating/patching custom resource definition status sub-resource works [Conformance]`,
  async (scene) => {
    const definitions = scene.api.of(DEFINITIONS);
    const definition = await serve(scene, newDefinition());
    const name = definition.metadata?.name ?? '';
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from an e2e test' };
    expect((await definitions.get(name, 'status')).metadata?.uid).toBe(definition.metadata?.uid);
    const updated = await definitions.change(
      name,
      (current) => {
        current.status = { ...current.status, conditions: [...(current.status?.conditions ?? []), condition] };
      },
      'status',
    );
    expect(updated.status?.conditions).toContainEqual(expect.objectContaining(condition));
    const conditions = [...(updated.status?.conditions ?? []), { ...condition, type: 'StatusPatched' }];
    const patched = await definitions.patch(name, { status: { conditions } }, { type: 'merge', subresource: 'status' });
    expect(patched.status?.conditions?.map(({ type }) => type)).toContain('StatusPatched');
  },
);

conformanceTest(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource ' +
    'definition resources in discovery documents [Conformance]',
  async ({ api }) => {
    const { body } = await api.raw<{ groups: { name: string; versions: { groupVersion: string }[] }[] }>(
      'GET',
      '/apis',
    );
    const group = body.groups.find(({ name }) => name === 'apiextensions.k8s.io');
    expect(group?.versions.map(({ groupVersion }) => groupVersion)).toContain('apiextensions.k8s.io/v1');
    const own = await api.call<typeof group>('GET', '/apis/apiextensions.k8s.io');
    expect(own?.versions.map(({ groupVersion }) => groupVersion)).toContain('apiextensions.k8s.io/v1');
    const list = await api.call<{ resources: { name: string }[] }>('GET', '/apis/apiextensions.k8s.io/v1');
    expect(list.resources.map(({ name }) => name)).toContain('customresourcedefinitions');
  },
);

const WITH_DEFAULTS = (defaults: Record<string, string>) => ({
  type: 'object',
  properties: Object.fromEntries(
    ['a', 'b'].map((name) => [name, { type: 'string', ...(name in defaults ? { default: defaults[name] } : {}) }]),
  ),
});

conformanceTest(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for ' +
    'requests and from storage works [Conformance]',
  async (scene) => {
    const definition = await serve(
      scene,
      newDefinition({ scope: 'Cluster', schema: WITH_DEFAULTS({}), versions: [{ name: 'v1' }] }),
    );
    const name = definition.metadata?.name ?? '';
    const objects = scene.api.of(kindFrom(definition));
    await objects.create({ metadata: { name: 'one' } });
    expect(await objects.get('one')).not.toHaveProperty('a');
    const setDefaults = (defaults: Record<string, string>) =>
      scene.api.of(DEFINITIONS).change(name, (current) => {
        for (const version of current.spec.versions) version.schema = { openAPIV3Schema: WITH_DEFAULTS(defaults) };
      });
    await setDefaults({ a: 'A' });
    await eventually('the default of what is stored', async () =>
      expect(await objects.get('one')).toMatchObject({ a: 'A' }),
    );
    const created = await objects.create({ metadata: { name: 'two' } });
    expect(created).toMatchObject({ a: 'A' });
    expect(created).not.toHaveProperty('b');
    await setDefaults({ a: 'A', b: 'B' });
    await eventually('both defaults', async () => expect(await objects.get('two')).toMatchObject({ a: 'A', b: 'B' }));
    await setDefaults({});
    await eventually('no default', async () => expect(await objects.get('one')).not.toHaveProperty('b'));
    expect(await objects.get('two')).toMatchObject({ a: 'A' });
  },
);

conformanceTest(
  '[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch ' +
    'on custom resource definition objects [Conformance]',
  async (scene) => {
    const definition = await serve(scene, newDefinition({ scope: 'Cluster' }));
    const objects = scene.api.of(kindFrom(definition));
    const watchOf = async (name: string) => objects.watch({ fieldSelector: `metadata.name=${name}` });
    const [first, second] = [await watchOf('name1'), await watchOf('name2')];
    await objects.create({ metadata: { name: 'name1' }, content: { key: 'value' } });
    expect((await first.next()).type).toBe('ADDED');
    await objects.create({ metadata: { name: 'name2' } });
    expect((await second.next()).type).toBe('ADDED');
    await objects.patch('name1', { dummy: 'test' }, { type: 'merge' });
    const modified = await first.next();
    expect([modified.type, modified.object]).toEqual(['MODIFIED', expect.objectContaining({ dummy: 'test' })]);
    await objects.delete('name1');
    expect((await first.next()).type).toBe('DELETED');
    await objects.delete('name2');
    expect((await second.next()).type).toBe('DELETED');
  },
);

conformanceTest(
  '[sig-api-machinery] CustomResourceFieldSelectors [Privileged:ClusterAdmin] CustomResourceFieldSelectors MUST list ' +
    'and watch custom resources matching the field selector [Conformance]',
  async (scene) => {
    const schema = {
      type: 'object',
      properties: { host: { type: 'string' }, port: { type: 'string' }, hostname: { type: 'string' } },
    };
    const definition = await serve(
      scene,
      newDefinition({
        schema,
        versions: [
          { selectableFields: [{ jsonPath: '.host' }, { jsonPath: '.port' }] },
          { selectableFields: [{ jsonPath: '.host' }] },
        ],
      }),
    );
    const objects = scene.api.of(kindFrom(definition), scene.namespace);
    const watch = await objects.watch({ fieldSelector: 'host=host1' });
    await objects.create({ metadata: { name: 'a' }, host: 'host1', port: '80' });
    await objects.create({ metadata: { name: 'b' }, host: 'host1', port: '8080' });
    await objects.create({ metadata: { name: 'c' }, host: 'host2', port: '80' });
    const namesOf = async (fieldSelector: string) =>
      (await objects.list({ fieldSelector })).items.map(({ metadata }) => metadata?.name);
    expect(await namesOf('host=host1')).toEqual(['a', 'b']);
    expect(await namesOf('host=host1,port=80')).toEqual(['a']);
    expect(await namesOf('host!=host1')).toEqual(['c']);
    expect([(await watch.next()).object.metadata?.name, (await watch.next()).object.metadata?.name]).toEqual([
      'a',
      'b',
    ]);
    await objects.patch('a', { host: 'host2' }, { type: 'merge' });
    const left = await watch.next();
    expect([left.type, left.object.metadata?.name]).toEqual(['DELETED', 'a']);
    await expect(
      scene.api.of(kindFrom(definition, 'v2'), scene.namespace).list({ fieldSelector: 'port=80' }),
    ).rejects.toThrow('field label not supported: port');
    await objects.deleteAll({ fieldSelector: 'host=host2' });
    expect(await namesOf('host=host2')).toEqual([]);
  },
);
