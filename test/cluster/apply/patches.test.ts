import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '#apiserver/testing/test-server.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { type RawAnswer, send } from './raw-request.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
});
afterAll(() => server.close());

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const JSON_PATCH = 'application/json-patch+json';
const MERGE = 'application/merge-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';

function patch(path: string, contentType: string, body: unknown, query: Record<string, string> = {}) {
  return send(server, 'PATCH', path, { body, contentType, query });
}

let count = 0;
async function newConfigMap(data: Record<string, string> = { a: '1' }): Promise<string> {
  const name = `patched-${(count += 1)}`;
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
  await send(server, 'POST', CONFIG_MAPS, { body });
  return `${CONFIG_MAPS}/${name}`;
}

async function newDeployment(): Promise<string> {
  const name = `patched-${(count += 1)}`;
  const labels = { app: name };
  const body = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }] },
      },
    },
  };
  const made = await send(server, 'POST', DEPLOYMENTS, { body });
  expect(made.status).toBe(201);
  return `${DEPLOYMENTS}/${name}`;
}

const facts = ({ status, json }: RawAnswer): unknown => [status, json.reason, json.message];

describe('patches', () => {
  test('of an unknown type are refused with those there are', async () => {
    const answer = await patch(await newConfigMap(), 'application/json', {});
    expect(facts(answer)).toEqual([
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: ' +
        'application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, ' +
        'application/apply-patch+yaml',
    ]);
  });

  test('that change nothing write nothing', async () => {
    const path = await newConfigMap();
    const before = await send(server, 'GET', path);
    for (const [type, body] of [
      [MERGE, { data: { a: '1' } }],
      [STRATEGIC, { data: { a: '1' } }],
      [JSON_PATCH, [{ op: 'test', path: '/data/a', value: '1' }]],
    ] as const) {
      const after = await patch(path, type, body);
      expect(after.json).toEqual(before.json);
    }
  });

  test('that name a resourceVersion conflict at once where it is another', async () => {
    const path = await newConfigMap();
    const answer = await patch(path, MERGE, { metadata: { resourceVersion: '1' }, data: { a: '2' } });
    expect(answer.status).toBe(409);
    expect(answer.json.message).toMatch(/^Operation cannot be fulfilled on configmaps "patched-\d+": the object has/);
  });

  test('that race each other all get in', async () => {
    const path = await newConfigMap();
    const names = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const answers = await Promise.all(names.map((name) => patch(path, MERGE, { data: { [name]: 'x' } })));
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
    const { json } = await send(server, 'GET', path);
    expect(Object.keys(json.data).toSorted()).toEqual(['a', ...names].toSorted());
  });

  test('of annotations raise the generation of deployments, those of labels do not', async () => {
    const path = await newDeployment();
    const annotated = await patch(path, MERGE, { metadata: { annotations: { a: 'b' } } });
    expect(annotated.json.metadata.generation).toBe(2);
    const labelled = await patch(path, MERGE, { metadata: { labels: { a: 'b' } } });
    expect(labelled.json.metadata.generation).toBe(2);
  });

  test('of what is not there are 404', async () => {
    expect((await patch(`${CONFIG_MAPS}/nowhere`, MERGE, {})).status).toBe(404);
  });
});

describe('JSON patches', () => {
  test('whose operation fails say no more than that', async () => {
    const path = await newConfigMap();
    for (const operation of [
      { op: 'test', path: '/data/a', value: '2' },
      { op: 'remove', path: '/data/z' },
      { op: 'mend', path: '/data/a' },
      { op: 'add', path: '/nowhere/a', value: '' },
    ]) {
      const answer = await patch(path, JSON_PATCH, [operation]);
      expect(facts(answer)).toEqual([422, 'Invalid', 'the server rejected our request due to an error in our request']);
    }
  });

  test('have limits', async () => {
    const path = await newConfigMap({ big: 'x'.repeat(600_000) });
    const operations = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/a', value: '1' }));
    const answer = await patch(path, JSON_PATCH, operations);
    expect(facts(answer)).toEqual([
      413,
      'RequestEntityTooLarge',
      'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
    ]);
    const copies = Array.from({ length: 6 }, (_, n) => ({ op: 'copy', from: '/data/big', path: `/data/c${n}` }));
    expect((await patch(path, JSON_PATCH, copies)).status).toBe(422);
  });

  test.each<[unknown, string]>([
    [{}, 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
    [['x'], 'error decoding patch: json: cannot unmarshal string into Go value of type handlers.jsonPatchOp'],
    [
      [{ op: 1 }],
      'error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string',
    ],
  ])('must be lists of operations: %j', async (body, message) => {
    const answer = await patch(await newConfigMap(), JSON_PATCH, body);
    expect(facts(answer)).toEqual([400, 'BadRequest', message]);
  });

  test('are validated with what they make', async () => {
    const body = [{ op: 'add', path: '/datta', value: {}, foo: 1 }];
    const strict = await patch(await newConfigMap(), JSON_PATCH, body, { fieldValidation: 'Strict' });
    expect(strict.status).toBe(422);
    expect(strict.json.message).toContain(
      'strict decoding error: json patch unknown field "[0].foo", unknown field "datta"',
    );
    const warned = await patch(await newConfigMap(), JSON_PATCH, body);
    expect(warned.status).toBe(200);
    expect(warned.headers['warning']).toContain('json patch unknown field');
  });
});

describe('merge patches', () => {
  test('that are no object are refused', async () => {
    const answer = await patch(await newConfigMap(), MERGE, []);
    expect(facts(answer)).toEqual([
      400,
      'BadRequest',
      'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    ]);
  });

  test('whose result cannot be read show it', async () => {
    const answer = await patch(await newConfigMap(), MERGE, { data: { a: 1 } });
    expect(answer.status).toBe(422);
    expect(answer.json.message).toMatch(/^ "" is invalid: patch: Invalid value: "\{/);
    expect(answer.json.message).toContain('cannot unmarshal number into Go');
  });
});

describe('strategic merge patches', () => {
  const container = (fields: object) => ({ spec: { template: { spec: { containers: [{ name: 'c', ...fields }] } } } });

  test('merge lists by key, down to lists in lists', async () => {
    const path = await newDeployment();
    const body = container({ ports: [{ containerPort: 81 }, { $patch: 'delete', containerPort: 80 }] });
    const { json } = await patch(path, STRATEGIC, body);
    expect(json.spec.template.spec.containers[0]).toMatchObject({
      image: 'i',
      ports: [{ containerPort: 81, protocol: 'TCP' }],
    });
  });

  test('drop what is not retained', async () => {
    const path = await newDeployment();
    const body = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    const { json } = await patch(path, STRATEGIC, body);
    expect(json.spec.strategy).toEqual({ type: 'Recreate' });
  });

  test.each<[string, unknown, string]>([
    ['maps', { spec: { strategy: { $patch: 'x' } } }, 'unknown patch type: x in map: map[$patch:x]'],
    ['items', container({ $patch: 'x' }), 'unknown patch type: x in map: map[$patch:x name:c]'],
    [
      'items without a key',
      { spec: { template: { spec: { containers: [{ image: 'x' }] } } } },
      'map: map[image:x] does not contain declared merge key: name',
    ],
    [
      'retained keys',
      { spec: { strategy: { $retainKeys: ['a'], type: 'Recreate' } } },
      'invalid patch format of retainKeys',
    ],
  ])('say what is wrong with %s', async (_name, body, message) => {
    const answer = await patch(await newDeployment(), STRATEGIC, body);
    expect(facts(answer)).toEqual([400, 'BadRequest', message]);
  });
});

describe('options of writes', () => {
  test.each<[string, string, Record<string, string>, string]>([
    [
      'DELETE',
      '{"propagationPolicy":"x"}',
      {},
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "x": ' +
        'supported values: "Foreground", "Background", "Orphan", "nil"',
    ],
    [
      'DELETE',
      '{"propagationPolicy":"Orphan","orphanDependents":true}',
      {},
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": ' +
        'orphanDependents and deletionPropagation cannot be both set',
    ],
    [
      'PATCH',
      '{}',
      { dryRun: 'x' },
      'PatchOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"',
    ],
    [
      'PATCH',
      '{}',
      { fieldValidation: 'x' },
      'PatchOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "x": ' +
        'supported values: "", "Ignore", "Strict", "Warn"',
    ],
  ])('of a %s with %s and %j are refused', async (method, body, query, message) => {
    const contentType = method === 'PATCH' ? MERGE : 'application/json';
    const answer = await send(server, method, await newConfigMap(), { body, contentType, query });
    expect(facts(answer)).toEqual([422, 'Invalid', message]);
  });
});
