import { expect } from 'vitest';
import type { Answer, StatusBody } from '../support/api.ts';
import { conformanceTest, type Scene } from '../support/conformance-test.ts';
import { type Definition, kindFrom, newDefinition, OPEN_SCHEMA, serve } from '../support/custom-resources.ts';

const VALIDATION = '[sig-api-machinery] FieldValidation should';

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        cronSpec: { type: 'string', pattern: String.raw`^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$` },
        foo: { type: 'string' },
        ports: {
          type: 'array',
          'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
          'x-kubernetes-list-type': 'map',
          items: {
            type: 'object',
            required: ['containerPort', 'protocol'],
            properties: {
              containerPort: { type: 'integer' },
              hostPort: { type: 'integer' },
              protocol: { type: 'string' },
            },
          },
        },
        embeddedObj: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          properties: { metadata: { type: 'object' } },
        },
      },
    },
  },
};

interface Request {
  readonly definition: Definition;
  /** What follows apiVersion, kind and metadata.name in the body, as text: keys may stand twice. */
  readonly metadata?: string;
  readonly spec: string;
}

function bodyOf({ definition, metadata = '', spec }: Request, name: string): string {
  const { groupVersion, kind } = kindFrom(definition);
  return `{"apiVersion": "${groupVersion}", "kind": "${kind}", "metadata": {"name": "${name}"${metadata}}, "spec": {${spec}}}`;
}

function apply(scene: Scene, request: Request, name = 'my-cr'): Promise<Answer<StatusBody>> {
  const path = scene.api.of(kindFrom(request.definition), scene.namespace).path(name);
  return scene.api.raw<StatusBody>('PATCH', path, {
    body: bodyOf(request, name),
    contentType: 'application/apply-patch+yaml',
    query: { fieldManager: 'e2e', fieldValidation: 'Strict' },
  });
}

function post(scene: Scene, request: Request, fieldValidation = 'Strict'): Promise<Answer<StatusBody>> {
  const path = scene.api.of(kindFrom(request.definition), scene.namespace).path();
  return scene.api.raw<StatusBody>('POST', path, {
    body: bodyOf(request, 'posted'),
    contentType: 'application/json',
    query: { fieldValidation },
  });
}

const SPEC =
  '"foo": "foo1", "cronSpec": "* * * * */5", "ports": [{"containerPort": 80, "hostPort": 8081, "protocol": "TCP"}]';

conformanceTest(
  `${VALIDATION} create/apply a CR with unknown fields for CRD with no validation schema [Conformance]`,
  async (scene) => {
    const definition = await serve(scene, newDefinition({ schema: OPEN_SCHEMA }));
    const answer = await apply(scene, { definition, spec: `"unknownField": "val", ${SPEC}` });
    expect(answer.code).toBe(201);
    expect(answer.body).toMatchObject({ spec: { unknownField: 'val' } });
  },
);

conformanceTest(`${VALIDATION} create/apply a valid CR for CRD with validation schema [Conformance]`, async (scene) => {
  const definition = await serve(scene, newDefinition({ schema: SCHEMA }));
  expect((await apply(scene, { definition, spec: SPEC })).code).toBe(201);
  expect((await post(scene, { definition, spec: SPEC })).code).toBe(201);
});

conformanceTest(
  `${VALIDATION} create/apply an invalid CR with extra properties for CRD with validation schema [Conformance]`,
  async (scene) => {
    const definition = await serve(scene, newDefinition({ schema: SCHEMA }));
    const request = { definition, spec: `"extraProperty": "arbitrary-value", ${SPEC}` };
    const applied = await apply(scene, request);
    expect(applied.code).toBeGreaterThanOrEqual(400);
    expect(applied.body.message).toContain('.spec.extraProperty: field not declared in schema');
    const posted = await post(scene, request);
    expect(posted.code).toBe(400);
    expect(posted.body.message).toContain('unknown field "spec.extraProperty"');
    const warned = await post(scene, request, 'Warn');
    expect(warned.code).toBe(201);
    expect(String(warned.headers['warning'])).toContain('unknown field \\"spec.extraProperty\\"');
  },
);

conformanceTest(
  `${VALIDATION} detect duplicates in a CR when preserving unknown fields [Conformance]`,
  async (scene) => {
    const definition = await serve(scene, newDefinition({ schema: OPEN_SCHEMA }));
    const spec = `"unknown": "uk1", ${SPEC}, "foo": "foo2"`;
    const applied = await apply(scene, { definition, spec });
    expect(applied.code).toBe(400);
    expect(applied.body.message).toMatch(/key "foo" already set in map|duplicate field "spec.foo"/);
    const posted = await post(scene, { definition, spec });
    expect(posted.code).toBe(400);
    expect(posted.body.message).toContain('duplicate field "spec.foo"');
  },
);

conformanceTest(
  `${VALIDATION} detect unknown metadata fields in both the root and embedded object of a CR [Conformance]`,
  async (scene) => {
    const definition = await serve(scene, newDefinition({ schema: SCHEMA }));
    const embedded =
      '"embeddedObj": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e", "unknownSubMeta": 1}}';
    const request = { definition, metadata: ', "unknownMeta": "unknown-meta"', spec: `${SPEC}, ${embedded}` };
    const posted = await post(scene, request);
    expect(posted.code).toBe(400);
    expect(posted.body.message).toContain('unknown field "metadata.unknownMeta"');
    expect(posted.body.message).toContain('unknown field "spec.embeddedObj.metadata.unknownSubMeta"');
    const applied = await apply(scene, request);
    expect(applied.code).toBeGreaterThanOrEqual(400);
    expect(applied.body.message).toContain('field not declared in schema');
  },
);
