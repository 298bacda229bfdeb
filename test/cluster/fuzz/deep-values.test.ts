import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeCbor } from '#machinery/codec/cbor.ts';
import { keepKnownObjects } from './support/known-objects.ts';
import { FuzzTarget, type Outcome } from './support/target.ts';

// Nesting as deep as it is taken, and deeper: nothing that walks an object runs out of stack.

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const THINGS = '/apis/deep.example/v1/namespaces/default/things';

let target: FuzzTarget;

beforeAll(async () => {
  target = await FuzzTarget.start({ CBORServingAndStorage: true });
  await keepKnownObjects(target);
  const made = await send('POST', CRDS, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.deep.example' },
    spec: {
      group: 'deep.example',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing', listKind: 'ThingList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  });
  if (made.status !== 201) throw new Error(made.body.toString());
  // Names are accepted a moment later.
  for (
    let round = 0;
    round < 500 && (await target.send({ method: 'GET', target: THINGS })).status !== 200;
    round += 1
  ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
});

beforeEach(() => {
  target.failures.length = 0;
});

afterAll(() => target.close());

type Shape = 'lists' | 'maps';

function nested(depth: number, shape: Shape): string {
  return shape === 'lists'
    ? `${'['.repeat(depth)}${']'.repeat(depth)}`
    : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

function thing(name: string, depth: number, shape: Shape): string {
  const metadata = JSON.stringify({ name });
  return `{"apiVersion":"deep.example/v1","kind":"Thing","metadata":${metadata},"spec":${nested(depth, shape)}}`;
}

function send(method: string, path: string, body: unknown, contentType = 'application/json'): Promise<Outcome> {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return target.send({ method, target: path, headers: { 'content-type': contentType }, body: bytes });
}

describe.each<Shape>(['lists', 'maps'])('nested %s', (shape) => {
  test.each([100, 990])('%i deep are stored, read, changed and applied', async (depth) => {
    const name = `x-${shape}-${depth}`;
    const path = `${THINGS}/${name}`;
    const statuses: number[] = [];
    const take = ({ status }: Outcome): number => statuses.push(status);
    take(await send('POST', THINGS, thing(name, depth, shape)));
    for (const accept of [
      'application/json',
      // The indentation alone makes YAML a megabyte of what is so deep.
      ...(depth > 100 ? [] : ['application/yaml']),
      'application/cbor',
      'application/json;as=Table;v=v1;g=meta.k8s.io',
    ]) {
      take(await target.send({ method: 'GET', target: path, headers: { accept } }));
    }
    take(await send('PATCH', path, `{"other":${nested(depth, shape)}}`, 'application/merge-patch+json'));
    take(await send('PATCH', `${path}?fieldManager=a`, thing(name, depth, shape), 'application/apply-patch+yaml'));
    const operations = `[{"op":"add","path":"/third","value":${nested(depth - 2, shape)}}]`;
    take(await send('PATCH', path, operations, 'application/json-patch+json'));
    take(await target.send({ method: 'GET', target: `${THINGS}?watch=1` }));
    take(await send('DELETE', path, ''));
    expect(target.failures).toEqual([]);
    expect(statuses).not.toContain(500);
    expect(statuses.slice(0, 2)).toEqual([201, 200]);
  });

  test.each([1_001, 5_000, 20_000, 200_000])('%i deep are refused', async (depth) => {
    const text = thing('deeper', depth, shape);
    const types = ['application/json', 'application/yaml'];
    for (const type of types) expect((await send('POST', THINGS, text, type)).status).toBe(400);
    const patches = ['application/merge-patch+json', 'application/json-patch+json', 'application/apply-patch+yaml'];
    for (const type of patches) {
      const { status } = await send('PATCH', `${THINGS}/deeper?fieldManager=a`, text, type);
      expect(status).toBe(400);
    }
    const core = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":${nested(depth, shape)}}`;
    expect((await send('POST', '/api/v1/namespaces/default/pods', core)).status).toBe(400);
    expect(
      (await send('PATCH', '/api/v1/namespaces/default/pods/x', core, 'application/strategic-merge-patch+json')).status,
    ).toBe(400);
    expect(target.failures).toEqual([]);
  });
});

test('schemas of any depth are taken or refused', async () => {
  for (const depth of [50, 200, 330, 490]) {
    let schema: unknown = { type: 'string' };
    for (let level = 0; level < depth; level += 1) schema = { type: 'object', properties: { a: schema } };
    const { status } = await send('POST', `${CRDS}?dryRun=All`, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'others.deep.example' },
      spec: {
        group: 'deep.example',
        scope: 'Namespaced',
        names: { plural: 'others', kind: 'Other' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    });
    expect([201, 400, 422]).toContain(status);
  }
  expect(target.failures).toEqual([]);
});

test('patches that nest what is there into itself are refused in time', async () => {
  const made = await send('POST', THINGS, thing('grows', 2, 'maps'));
  expect(made.status).toBe(201);
  const copies = Array.from({ length: 1_200 }, () => ({ op: 'copy', from: '/spec', path: '/spec/a' }));
  const moved = Array.from({ length: 3_000 }, () => [
    { op: 'add', path: '/outer', value: {} },
    { op: 'move', from: '/spec', path: '/outer/spec' },
    { op: 'move', from: '/outer', path: '/spec' },
  ]).flat();
  for (const operations of [copies, moved]) {
    const { status, heldMs } = await send('PATCH', `${THINGS}/grows`, operations, 'application/json-patch+json');
    expect([400, 413, 422]).toContain(status);
    expect(heldMs).toBeLessThan(30_000);
  }
  expect(target.failures).toEqual([]);
});

test('a body in CBOR nests no deeper than its profile allows', async () => {
  let value: unknown = 1;
  for (let level = 0; level < 200; level += 1) value = { a: value };
  const body = encodeCbor({ apiVersion: 'deep.example/v1', kind: 'Thing', metadata: { name: 'c' }, spec: value });
  expect((await send('POST', THINGS, body, 'application/cbor')).status).toBe(400);
});
