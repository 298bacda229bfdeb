import { expect } from 'vitest';
import { conformanceTest, type Scene } from '../support/conformance-test.ts';
import { type Definition, DEFINITIONS, newDefinition, OPEN_SCHEMA, serve } from '../support/custom-resources.ts';
import { eventually } from '../support/eventually.ts';

const PUBLISH = '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin]';

const FOO_SCHEMA = {
  description: 'Foo CRD for Testing',
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      description: 'Specification of Foo',
      properties: {
        bars: {
          description: 'List of Bars and their specs.',
          type: 'array',
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { description: 'Name of Bar.', type: 'string' },
              age: { description: 'Age of Bar.', type: 'string' },
              bazs: { description: 'List of Bazs.', type: 'array', items: { type: 'string' } },
            },
          },
        },
      },
    },
    status: {
      description: 'Status of Foo',
      type: 'object',
      properties: { bars: { type: 'array', items: { type: 'object' } } },
    },
  },
};

interface Published {
  readonly definitions: Record<string, Record<string, unknown> | undefined>;
}

function modelName({ spec }: Definition, version: string): string {
  return `${spec.group.split('.').toReversed().join('.')}.${version}.${spec.names.kind}`;
}

/** The published schema of a version, in both versions of OpenAPI. */
async function published({ api }: Scene, definition: Definition, version: string) {
  const name = modelName(definition, version);
  const v2 = (await api.call<Published>('GET', '/openapi/v2')).definitions[name];
  const { paths } = await api.call<{ paths: Record<string, { serverRelativeURL: string } | undefined> }>(
    'GET',
    '/openapi/v3',
  );
  const url = paths[`apis/${definition.spec.group}/${version}`]?.serverRelativeURL;
  if (url === undefined) return { v2, v3: undefined };
  const document = await api.call<{ components: { schemas: Record<string, Record<string, unknown> | undefined> } }>(
    'GET',
    url,
  );
  return { v2, v3: document.components.schemas[name] };
}

function eventuallyPublished(scene: Scene, definition: Definition, version = 'v1') {
  return eventually(
    `${modelName(definition, version)} to be published`,
    () => published(scene, definition, version),
    ({ v2, v3 }) => v2 !== undefined && v3 !== undefined,
  );
}

function withoutCommonFields(schema: Record<string, unknown> | undefined): unknown {
  const { properties, 'x-kubernetes-group-version-kind': _gvk, ...rest } = schema ?? {};
  // A schema's properties are an object.
  const { apiVersion: _1, kind: _2, metadata: _3, ...own } = (properties ?? {}) as Record<string, unknown>;
  return Object.keys(own).length === 0 ? rest : { ...rest, properties: own };
}

conformanceTest(`${PUBLISH} works for CRD with validation schema [Conformance]`, async (scene) => {
  const definition = await serve(scene, newDefinition({ schema: FOO_SCHEMA }));
  const { v2, v3 } = await eventuallyPublished(scene, definition);
  expect(withoutCommonFields(v2)).toEqual(FOO_SCHEMA);
  expect(withoutCommonFields(v3)).toEqual(FOO_SCHEMA);
  const { group, names } = definition.spec;
  expect(v3?.['x-kubernetes-group-version-kind']).toEqual([{ group, version: 'v1', kind: names.kind }]);
});

conformanceTest(`${PUBLISH} works for CRD without validation schema [Conformance]`, async (scene) => {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const definition = await serve(scene, newDefinition({ schema }));
  const { v2 } = await eventuallyPublished(scene, definition);
  expect(withoutCommonFields(v2)).toEqual({ type: 'object' });
});

conformanceTest(
  `${PUBLISH} works for CRD preserving unknown fields at the schema root [Conformance]`,
  async (scene) => {
    const definition = await serve(scene, newDefinition({ schema: OPEN_SCHEMA }));
    const { v2, v3 } = await eventuallyPublished(scene, definition);
    expect(withoutCommonFields(v2)).toEqual({ type: 'object' });
    expect(withoutCommonFields(v3)).toEqual(OPEN_SCHEMA);
  },
);

conformanceTest(
  `${PUBLISH} works for CRD preserving unknown fields in an embedded object [Conformance]`,
  async (scene) => {
    const schema = {
      description: 'preserve-unknown-properties in nested field for Testing',
      type: 'object',
      properties: {
        spec: { description: 'Specification of Waldo', type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        status: { description: 'Status of Waldo', type: 'object', properties: { bars: { type: 'string' } } },
      },
    };
    const definition = await serve(scene, newDefinition({ schema }));
    const { v2 } = await eventuallyPublished(scene, definition);
    const properties = v2?.['properties'];
    expect(properties).toMatchObject({
      spec: { description: 'Specification of Waldo', 'x-kubernetes-preserve-unknown-fields': true },
      status: { type: 'object' },
    });
    expect(properties).not.toHaveProperty(['spec', 'type']);
  },
);

conformanceTest(`${PUBLISH} works for multiple CRDs of different groups [Conformance]`, async (scene) => {
  const definitions = [
    await serve(scene, newDefinition({ schema: FOO_SCHEMA })),
    await serve(scene, newDefinition({ schema: OPEN_SCHEMA })),
  ];
  for (const definition of definitions) await eventuallyPublished(scene, definition);
  expect(definitions[0]?.spec.group).not.toBe(definitions[1]?.spec.group);
});

conformanceTest(
  `${PUBLISH} works for multiple CRDs of same group but different versions [Conformance]`,
  async (scene) => {
    const both = await serve(scene, newDefinition({ schema: FOO_SCHEMA, versions: [{ name: 'v2' }, { name: 'v3' }] }));
    await eventuallyPublished(scene, both, 'v2');
    await eventuallyPublished(scene, both, 'v3');
    const group = `${scene.unique('publish')}.example.com`;
    const one = await serve(scene, newDefinition({ schema: FOO_SCHEMA, group, versions: [{ name: 'v4' }] }));
    const other = await serve(scene, newDefinition({ schema: OPEN_SCHEMA, group, versions: [{ name: 'v5' }] }));
    await eventuallyPublished(scene, one, 'v4');
    await eventuallyPublished(scene, other, 'v5');
  },
);

conformanceTest(
  `${PUBLISH} works for multiple CRDs of same group and version but different kinds [Conformance]`,
  async (scene) => {
    const group = `${scene.unique('publish')}.example.com`;
    const one = await serve(scene, newDefinition({ schema: FOO_SCHEMA, group }));
    const other = await serve(scene, newDefinition({ schema: OPEN_SCHEMA, group }));
    await eventuallyPublished(scene, one);
    await eventuallyPublished(scene, other);
  },
);

conformanceTest(`${PUBLISH} updates the published spec when one version gets renamed [Conformance]`, async (scene) => {
  const definition = await serve(
    scene,
    newDefinition({ schema: FOO_SCHEMA, versions: [{ name: 'v2' }, { name: 'v3' }] }),
  );
  await eventuallyPublished(scene, definition, 'v3');
  await scene.api.of(DEFINITIONS).change(definition.metadata?.name ?? '', ({ spec }) => {
    for (const version of spec.versions) if (version.name === 'v3') version.name = 'v4';
  });
  await eventuallyPublished(scene, definition, 'v4');
  await eventually(
    'version v3 to be gone',
    () => published(scene, definition, 'v3'),
    ({ v2, v3 }) => v2 === undefined && v3 === undefined,
  );
  await eventuallyPublished(scene, definition, 'v2');
});

conformanceTest(
  `${PUBLISH} removes definition from spec when one version gets changed to not be served [Conformance]`,
  async (scene) => {
    const definition = await serve(
      scene,
      newDefinition({ schema: FOO_SCHEMA, versions: [{ name: 'v5' }, { name: 'v6alpha1' }] }),
    );
    await eventuallyPublished(scene, definition, 'v6alpha1');
    await scene.api.of(DEFINITIONS).change(definition.metadata?.name ?? '', ({ spec }) => {
      for (const version of spec.versions) version.served = version.name !== 'v6alpha1';
    });
    await eventually(
      'the version to be gone',
      () => published(scene, definition, 'v6alpha1'),
      ({ v2, v3 }) => v2 === undefined && v3 === undefined,
    );
    await eventuallyPublished(scene, definition, 'v5');
  },
);
