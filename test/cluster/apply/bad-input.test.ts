import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '#apiserver/testing/test-server.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { send } from './raw-request.ts';

// Whatever clients send is answered with a Status of theirs: nothing fails inside the server.

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
});
afterAll(() => server.close());

const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/fuzz';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

const base = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'fuzz', labels: { a: 'b' } },
  spec: {
    selector: { matchLabels: { app: 'fuzz' } },
    template: { metadata: { labels: { app: 'fuzz' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
};

const FIELDS = ['metadata', 'labels', 'managedFields', 'spec', 'template', 'containers', 'name', 'env', 'ports'];
const DIRECTIVES = ['$patch', '$retainKeys', '$setElementOrder/containers', '$deleteFromPrimitiveList/finalizers'];
const OTHERS = ['op', 'path', 'value', 'from', 'apiVersion', 'kind', 'replicas', 'finalizers', '', '__proto__', '.'];
const key = fc.constantFrom(...FIELDS, ...DIRECTIVES, ...OTHERS);
const scalar = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  '',
  'x',
  'delete',
  'replace',
  'merge',
  '/spec/-',
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));
const body = fc.oneof(
  value,
  value.map((spec) => ({ ...base, spec })),
  value.map((metadata) => ({ ...base, metadata })),
);
const operation = fc.record({
  op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
  path: fc.constantFrom(
    '',
    '/',
    '/spec',
    '/spec/template/spec/containers/-',
    '/spec/template/spec/containers/0',
    '/a/~2',
  ),
  from: fc.constantFrom('', '/spec', '/metadata/labels'),
  value,
});

async function answers(path: string, contentType: string, sent: unknown, query: Record<string, string> = {}) {
  await send(server, 'POST', DEPLOYMENT.replace('/fuzz', ''), { body: base });
  const { status, json } = await send(server, 'PATCH', path, { body: sent ?? 'null', contentType, query });
  expect([status, status >= 400 ? json.kind : undefined]).toSatisfy(
    ([code, kind]) => code < 300 || (code < 500 && kind === 'Status'),
  );
}

describe('any body', () => {
  test.each([
    ['application/apply-patch+yaml', { fieldManager: 'm', force: 'true' }],
    ['application/merge-patch+json', {}],
    ['application/strategic-merge-patch+json', {}],
    ['application/json-patch+json', {}],
  ])('of %s is refused or applied', async (contentType, query) => {
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom('', '/status', '/scale'), async (sent, subresource) => {
        await answers(`${DEPLOYMENT}${subresource}`, contentType, sent, query);
      }),
      { numRuns: 150 },
    );
  });

  test('of operations is refused or applied', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 4 }), async (operations) => {
        await answers(DEPLOYMENT, 'application/json-patch+json', operations);
      }),
      { numRuns: 150 },
    );
  });

  test('that is nested too deeply is refused', async () => {
    const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
    for (const type of ['apply-patch+yaml', 'merge-patch+json', 'strategic-merge-patch+json', 'json-patch+json']) {
      const query: Record<string, string> = type === 'apply-patch+yaml' ? { fieldManager: 'm' } : {};
      const answer = await send(server, 'PATCH', DEPLOYMENT, { body: deep, contentType: `application/${type}`, query });
      expect(answer.status).toBe(400);
    }
  });
});

describe('a schema that contains itself', () => {
  const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/deeps.example.com';

  test.each([100, 1000, 4900, 9900])('may be nested %i deep, or is refused', async (depth) => {
    const schema = `${'{"not":'.repeat(depth)}{}${'}'.repeat(depth)}`;
    const body = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
      "metadata":{"name":"deeps.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
      "names":{"plural":"deeps","kind":"Deep"},"versions":[{"name":"v1","served":true,"storage":true,
      "schema":{"openAPIV3Schema":${schema}}}]}}`;
    const collection = CRD.slice(0, CRD.lastIndexOf('/'));
    const created = await send(server, 'POST', collection, { body });
    expect(created.status).toBeLessThan(500);
    for (const type of ['apply-patch+yaml', 'merge-patch+json', 'strategic-merge-patch+json']) {
      const query: Record<string, string> = type === 'apply-patch+yaml' ? { fieldManager: 'm' } : {};
      const answer = await send(server, 'PATCH', CRD, { body, contentType: `application/${type}`, query });
      expect([type, answer.status]).toSatisfy(([, status]) => status < 500);
    }
    const value = JSON.parse(schema);
    const path = '/spec/versions/0/schema/openAPIV3Schema';
    const answer = await send(server, 'PATCH', CRD, {
      body: [{ op: 'add', path, value }],
      contentType: 'application/json-patch+json',
    });
    expect(answer.status).toBeLessThan(500);
  });

  test('of free form may be nested as deep', async () => {
    const deep = `${'{"a":'.repeat(9900)}1${'}'.repeat(9900)}`;
    for (const type of ['merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml']) {
      const query: Record<string, string> = type === 'apply-patch+yaml' ? { fieldManager: 'm' } : {};
      const answer = await send(server, 'PATCH', DEPLOYMENT, { body: deep, contentType: `application/${type}`, query });
      expect([type, answer.status]).toSatisfy(([, status]) => status < 500);
    }
  });
});

describe('any query', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '0',
      '-1',
      '1',
      '99999999999999999999',
      'true',
      'false',
      'Exact',
      'NotOlderThan',
      'a=b',
      'a in (b',
      '!',
    ),
  );
  const names = ['resourceVersion', 'resourceVersionMatch', 'limit', 'continue', 'labelSelector', 'fieldSelector'];

  test('of a list is refused or answered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), text), async (query) => {
        // A version that is yet to come would be waited for.
        const bounded = Number(query['resourceVersion'] ?? 0) > 1 ? { ...query, resourceVersion: '1' } : query;
        const { status } = await send(server, 'GET', CONFIG_MAPS, { query: bounded });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });

  test('with any continue token is refused or answered', async () => {
    const token = fc.record({ v: fc.constantFrom('meta.k8s.io/v1', 'x', 1), rv: fc.jsonValue(), start: text });
    await fc.assert(
      fc.asyncProperty(token, async (parts) => {
        const rv = typeof parts.rv === 'number' ? -1 : JSON.stringify(parts.rv);
        const text = Buffer.from(JSON.stringify({ ...parts, rv })).toString('base64url');
        const { status } = await send(server, 'GET', CONFIG_MAPS, { query: { continue: text } });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 200 },
    );
  });
});
