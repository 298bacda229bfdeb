import { expect, test } from 'vitest';
import { startTestServer, type TestServer, underVirtualTime } from '#apiserver/testing/test-server.ts';
import { send } from '../apply/raw-request.ts';

/** `npm run test:long` makes 2,000. */
const COUNT = Number(process.env['TIPHYS_DEFINITIONS'] ?? '200');
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** One request may hold the process no longer than this, however many definitions there are. Busy machines included. */
const REQUEST_MS_MAX = 1_000;

function definition(index: number): object {
  const plural = `kinds${index}`;
  const group = `group${index % 20}.example.com`;
  const fields = Object.fromEntries(
    Array.from({ length: 40 }, (_, field) => [`field${field}`, { type: 'string', description: `field ${field}` }]),
  );
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Cluster',
      names: { plural, singular: `kind${index}`, kind: `Kind${index}` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: fields } } },
          },
        },
      ],
    },
  };
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  const tookMs = performance.now() - startedMs;
  expect(tookMs, what).toBeLessThan(REQUEST_MS_MAX);
  return result;
}

async function createAll(server: TestServer): Promise<void> {
  for (let index = 0; index < COUNT; index++) {
    const made = await timed('create', () => send(server, 'POST', CRDS, { body: definition(index) }));
    expect(made.status).toBe(201);
  }
}

test(`${COUNT} definitions leave the server responsive`, () =>
  underVirtualTime('many definitions', async (executor) => {
    await using server = await startTestServer(executor);
    await createAll(server);
    // Published in discovery and OpenAPI within a second.
    await executor.clock.sleep(1_000);
    const last = COUNT - 1;
    const group = `group${last % 20}.example.com`;
    const discovery = await timed('discovery', () =>
      send(server, 'GET', '/apis', {
        headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
      }),
    );
    // Safe: the answer's own shape; a wrong one fails the assertions.
    const groups = discovery.json.items as { metadata: { name: string }; versions: { resources: unknown[] }[] }[];
    const own = groups.filter(({ metadata }) => metadata.name.endsWith('.example.com'));
    expect(own.flatMap(({ versions }) => versions.flatMap(({ resources }) => resources))).toHaveLength(COUNT);
    const document = await timed('OpenAPI v3', () => send(server, 'GET', `/openapi/v3/apis/${group}/v1`));
    expect(Object.keys(document.json.components.schemas as object)).toContain(
      `com.example.group${last % 20}.v1.Kind${last}`,
    );

    const path = `/apis/${group}/v1/kinds${last}`;
    const body = { apiVersion: `${group}/v1`, kind: `Kind${last}`, metadata: { name: 'one' }, spec: { field1: 'x' } };
    const made = await timed('custom resource', () => send(server, 'POST', path, { body }));
    expect(made.status).toBe(201);
    const more = await timed('one more definition', () => send(server, 'POST', CRDS, { body: definition(COUNT) }));
    expect(more.status).toBe(201);
    await executor.clock.sleep(1_000);
    const listed = await timed('list', () =>
      send(server, 'GET', `/apis/group${COUNT % 20}.example.com/v1/kinds${COUNT}`),
    );
    expect(listed.json.items).toEqual([]);
  }));
