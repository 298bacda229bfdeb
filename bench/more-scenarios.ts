import {
  cpuSeconds,
  load,
  type Row,
  row,
  rssMegabytes,
  type Server,
  sleep,
  startServer,
  withDataDirectory,
  withServer,
} from './bench-server.ts';
import { measureCel } from './cel.ts';
import type { WriteKind } from './writes.ts';

const CLIENTS = 32;
const TLS = 'HTTPS, 32 keep-alive clients in another process';

/** One object at a time: reads, and every way to write. */
export async function requests(): Promise<Row[]> {
  return withServer(async (server) => {
    const objects = 2_000;
    const pods = { clients: CLIENTS, prefix: 'pod', objects } as const;
    await load(server, { type: 'create', clients: CLIENTS, count: objects, prefix: pods.prefix, isBare: true });
    await load(server, { ...pods, type: 'get', count: 5_000 });
    const rows = [
      row('get, 32 clients', `pods of 3 KB, ${TLS}`, await load(server, { ...pods, type: 'get', count: 20_000 })),
    ];
    const kinds: readonly WriteKind[] = ['update', 'merge', 'strategic', 'json', 'apply'];
    for (const how of kinds) {
      await load(server, { ...pods, type: 'write', how, count: 1_000 });
      const result = await load(server, { ...pods, type: 'write', how, count: 6_000 });
      const name = how === 'update' ? 'updates' : how === 'apply' ? 'server-side applies' : `${how} patches`;
      rows.push(row(`${name}, 32 clients`, `pods of 3 KB, ${TLS}, durable (lmdb, flushed)`, result));
    }
    return rows;
  });
}

/** What one policy of three conditions adds to a create. */
export async function policies(): Promise<Row[]> {
  return withServer(async (server) => {
    const creates = { type: 'create', clients: CLIENTS, count: 6_000 } as const;
    for (let round = 0; round < 3; round += 1) await load(server, creates);
    const without = await load(server, creates);
    await addPolicy(server);
    await sleep(1_000);
    await expectRefusal(server);
    await load(server, creates);
    const withPolicy = await load(server, creates);
    const binding = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/bench.example.com';
    await server.ask(binding, { method: 'DELETE' });
    await sleep(1_000);
    // Before and after: the server is still getting faster while it is measured.
    const again = await load(server, creates);
    const addedMicros = withPolicy.cpuMicros - (without.cpuMicros + again.cpuMicros) / 2;
    const conditions = `pods of 3 KB, ${TLS}; added: the server's processor time with a policy of three conditions`;
    const { name, figures } = row('pod creates with a validating policy', conditions, withPolicy);
    return [{ name, conditions, figures: { ...figures, addedMicros } }];
  });
}

async function addPolicy(server: Server): Promise<void> {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const name = 'bench.example.com';
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['pods'] }];
  const policy = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: rules },
      validations: [
        { expression: "object.metadata.labels.app == 'bench'" },
        { expression: "object.spec.containers.all(c, c.image.startsWith('registry.example/'))" },
        { expression: '!has(object.spec.hostNetwork) || !object.spec.hostNetwork' },
      ],
    },
  };
  const binding = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  };
  const path = `/apis/${apiVersion}/validatingadmissionpolic`;
  await server.ask(`${path}ies`, { method: 'POST', body: JSON.stringify(policy) });
  await server.ask(`${path}ybindings`, { method: 'POST', body: JSON.stringify(binding) });
}

/** A policy that is not in force would cost nothing. */
async function expectRefusal(server: Server): Promise<void> {
  const body = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'refused', labels: { app: 'other' } },
    spec: { containers: [{ name: 'main', image: 'registry.example/app:1.0' }] },
  });
  const isCreated = await server.ask('/api/v1/namespaces/default/pods?dryRun=All', { method: 'POST', body }).then(
    () => true,
    (error: unknown) => !String(error).includes('bench.example.com'),
  );
  if (isCreated) throw new Error('the policy is not in force');
}

/** CEL alone, without a server. */
export function celRules(): Promise<Row[]> {
  const rows = measureCel(() => performance.now()).map(({ rule, evaluationsPerSecond, microsecondsEach }) => ({
    name: `CEL: ${rule}`,
    conditions: 'in this process, one compiled program, the object at hand',
    figures: { perSecond: evaluationsPerSecond, micros: microsecondsEach },
  }));
  return Promise.resolve(rows);
}

/** From a write to the last of its watchers. */
export async function fanOut(): Promise<Row[]> {
  return withServer(async (server) => {
    const rows: Row[] = [];
    for (const clients of [1, 100, 1_000]) {
      const result = await load(server, { type: 'watch', clients, rounds: 50 });
      const conditions = 'a connection each, TLS; from the start of the PUT of a small ConfigMap to the last event';
      rows.push(row(`fan-out to ${clients.toLocaleString('en')} watchers`, conditions, result));
    }
    return rows;
  });
}

const MANY = 150_000;

/** Memory with many objects, and a start with them in the store. */
export async function manyObjects(): Promise<Row[]> {
  return withDataDirectory(async (dataDir) => {
    const first = await startServer(dataDir);
    await sleep(3_000);
    const idle = rssMegabytes(first.pid);
    const created = await load(first, { type: 'create', clients: CLIENTS, count: MANY, objectBytes: 3_000 });
    const afterCreates = rssMegabytes(first.pid);
    const rows = [row('150,000 pod creates', `pods of 3 KB, ${TLS}, durable (lmdb, flushed)`, created)];
    await first.stop();
    const again = await startServer(dataDir);
    const cpu = cpuSeconds(again.pid);
    await sleep(15_000);
    const worstMs = (await again.worstDelayMs()) ?? 0;
    const rss = rssMegabytes(again.pid);
    const anonymous = rssMegabytes(again.pid, 'RssAnon');
    const listed = await load(again, { type: 'list', rounds: 3 });
    rows.push({
      name: '150,000 pods in the store',
      conditions: 'pods of 5 KB with managedFields; API server, controllers and scheduler in one process; lmdb',
      figures: {
        readyMs: again.readyMs,
        cpuSecondsToReady: cpu,
        megabytes: rss,
        megabytesAnonymous: anonymous,
        megabytesAfterCreates: afterCreates,
        kilobytesEach: ((anonymous - idle) * 1_024) / MANY,
        eventLoopWorstMs: worstMs,
      },
    });
    rows.push(row('list of all 150,000', 'JSON over TLS, no gzip, client in another process', listed));
    await again.stop();
    return rows;
  });
}

const CRDS = 2_000;

/** Many custom resource definitions: memory, start, documents, and how soon one more is served. */
export async function customResources(): Promise<Row[]> {
  return withDataDirectory(async (dataDir) => {
    const first = await startServer(dataDir);
    await sleep(3_000);
    const idle = rssMegabytes(first.pid);
    const from = performance.now();
    for (let start = 0; start < CRDS; start += CLIENTS) {
      const indexes = Array.from({ length: Math.min(CLIENTS, CRDS - start) }, (_, offset) => start + offset);
      await Promise.all(indexes.map((index) => createDefinition(first, index)));
    }
    const createdMs = performance.now() - from;
    await first.stop();
    const server = await startServer(dataDir);
    await sleep(5_000);
    const startWorstMs = (await server.worstDelayMs()) ?? 0;
    const megabytes = rssMegabytes(server.pid) - idle;
    const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const discoveryMs = await timed(() => server.ask('/apis', { accept: aggregated }));
    const openApiV3IndexMs = await timed(() => server.ask('/openapi/v3'));
    const openApiV2Ms = await timed(() => server.ask('/openapi/v2'));
    const servedMs = await timed(() => createAndWait(server, CRDS));
    const worstMs = (await server.worstDelayMs()) ?? 0;
    await server.stop();
    return [
      {
        name: '2,000 CRDs',
        conditions:
          'a group each 20, schemas of 20 fields; memory beyond that of an idle server; times after a restart',
        figures: {
          createsPerSecond: (CRDS / createdMs) * 1_000,
          megabytes,
          readyMs: server.readyMs,
          discoveryMs,
          openApiV3IndexMs,
          openApiV2Ms,
          newOneServedMs: servedMs,
          eventLoopWorstAtStartMs: startWorstMs,
          eventLoopWorstMs: worstMs,
        },
      },
    ];
  });
}

function groupOf(index: number): string {
  return `g${Math.floor(index / 20)}.bench.example`;
}

async function createDefinition(server: Server, index: number): Promise<void> {
  const plural = `things${index}`;
  const group = groupOf(index);
  const fields = Array.from({ length: 20 }, (_, field) => [
    `field${field}`,
    { type: 'string', description: 'A field.' },
  ]);
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: Object.fromEntries(fields) } },
  };
  const body = JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: `thing${index}`, kind: `Thing${index}`, listKind: `Thing${index}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  });
  await server.ask('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { method: 'POST', body });
}

async function createAndWait(server: Server, index: number): Promise<void> {
  await createDefinition(server, index);
  for (;;) {
    const answer = await server.ask(`/apis/${groupOf(index)}/v1/things${index}`).catch(() => undefined);
    if (answer !== undefined) return;
    await sleep(2);
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await run();
  return performance.now() - from;
}
