import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensurePki } from '#apiserver/pki/pki.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { openEtcdStore } from '#store/etcd/etcd-store.ts';
import { EtcdCluster, missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { runTiphys, spawnTiphys } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type Kubectl, kubectlFor } from '../support/run.ts';

const missing = missingEtcd();
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;

interface Server {
  readonly address: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  readonly kubectl: Kubectl;
}

describe.skipIf(missing !== undefined)(`two tiphys servers on one etcd, with kubectl on both${skipped}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tiphys-two-'));
  let etcd: EtcdCluster;
  // Safe: tests run after both are started; only the end must bear that they were not.
  let first = undefined as unknown as Server;
  let second = undefined as unknown as Server;

  beforeAll(async () => {
    etcd = await EtcdCluster.start();
    // What every server of a cluster has in common is made before; then both meet on the empty store.
    const pkiOf = join(folder, 'shared');
    await ensurePki(pkiOf, {}, { clock: new RealClock(), random: new SystemRandom() });
    const { endpoints } = etcd;
    [first, second] = await Promise.all([
      startServer({ folder, address: '127.0.0.1', endpoints, pkiOf }),
      startServer({ folder, address: '127.0.0.2', endpoints, pkiOf }),
    ]);
  });

  afterAll(async () => {
    const started: (Server | undefined)[] = [first, second];
    for (const server of started) if (server !== undefined) await stopped(server, 'SIGTERM');
    await etcd?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what one writes the other shows at once, under the same resourceVersion, and its watches tell', async () => {
    const { path, env } = second.kubectl;
    const watch = spawn(path, ['get', 'configmaps', '--watch', '-o', 'name'], { env });
    let seen = '';
    watch.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    for (let index = 0; index < 3; index++) {
      await first.kubectl('create', 'configmap', `cm-${index}`);
      const [one, other] = await Promise.all(
        [first, second].map(({ kubectl }) =>
          kubectl('get', 'configmap', `cm-${index}`, '-o', 'jsonpath={.metadata.resourceVersion} {.metadata.uid}'),
        ),
      );
      expect(other).toBe(one);
    }
    await eventually(
      'the watch tells all',
      async () => seen,
      (text) => text.includes('cm-2'),
    );
    watch.kill();
    expect(seen).toContain('configmap/cm-0');
  });

  test('both serve tokens of both, and are the endpoints of kubernetes.default', async () => {
    const token = await first.kubectl('create', 'token', 'default');
    const url = await second.kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}');
    const login = [
      '--kubeconfig=/dev/null',
      `--server=${url}`,
      '--insecure-skip-tls-verify',
      `--token=${token.trim()}`,
    ];
    const who = await second.kubectl(...login, 'auth', 'whoami');
    expect(who).toContain('system:serviceaccount:default:default');
    const addresses = 'jsonpath={.endpoints[*].addresses[*]}';
    await eventually(
      'both are endpoints',
      () => second.kubectl('get', 'endpointslice', 'kubernetes', '-o', addresses),
      (text) => text.split(' ').toSorted().join(' ') === '127.0.0.1 127.0.0.2',
    );
  });

  test('services made on both at once get addresses and node ports of their own', async () => {
    const manifest = (server: number) =>
      Array.from({ length: 12 }, (_, index) =>
        JSON.stringify({
          kind: 'Service',
          apiVersion: 'v1',
          metadata: { name: `svc-${server}-${index}` },
          // The same few ports are asked for on both.
          spec: { type: 'NodePort', ports: [{ port: 80, ...(index < 6 ? { nodePort: 31_000 + index } : {}) }] },
        }),
      ).join('\n---\n');
    const applied = await Promise.all(
      [first, second].map(({ kubectl }, server) => kubectl.try(['create', '-f', '-'], { input: manifest(server) })),
    );
    const refused = applied.flatMap(({ stderr }) => stderr.match(/provided port is already allocated/g) ?? []);
    expect(refused).toHaveLength(6);
    const columns = '{range .items[*]}{.spec.clusterIP} {.spec.ports[0].nodePort}{"\\n"}{end}';
    const lines = (await second.kubectl('get', 'services', '-o', `jsonpath=${columns}`)).trim().split('\n');
    const [addresses, ports] = [0, 1].map((field) => lines.flatMap((line) => line.split(' ')[field] || []));
    expect(new Set(addresses).size).toBe(addresses?.length);
    expect(new Set(ports).size).toBe(ports?.length);
    expect(ports).toHaveLength(18);
  });

  test('a quota is never exceeded, and always used up, by creations on both at once', async () => {
    await first.kubectl('create', 'namespace', 'limited');
    await second.kubectl('-n', 'limited', 'create', 'quota', 'few', '--hard=secrets=7');
    const manifest = (server: number, part: number) =>
      Array.from({ length: 4 }, (_, index) =>
        JSON.stringify({ kind: 'Secret', apiVersion: 'v1', metadata: { name: `s-${server}-${part}-${index}` } }),
      ).join('\n---\n');
    const results = await Promise.all(
      [0, 1, 2].flatMap((part) =>
        [first, second].map(({ kubectl }, server) =>
          kubectl.try(['-n', 'limited', 'create', '-f', '-'], { input: manifest(server, part) }),
        ),
      ),
    );
    const refused = results.flatMap(({ stderr }) => stderr.match(/exceeded quota: few/g) ?? []);
    const names = await first.kubectl('-n', 'limited', 'get', 'secrets', '-o', 'name');
    expect(names.trim().split('\n')).toHaveLength(7);
    expect(refused).toHaveLength(24 - 7);
  });

  test("custom resources, rights and pages of lists of one are the other's at once", async () => {
    const definition = {
      kind: 'CustomResourceDefinition',
      apiVersion: 'apiextensions.k8s.io/v1',
      metadata: { name: 'ropes.ship.example' },
      spec: {
        group: 'ship.example',
        scope: 'Namespaced',
        names: { plural: 'ropes', kind: 'Rope' },
        versions: ['v1', 'v2'].map((name) => ({
          name,
          served: true,
          storage: name === 'v1',
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        })),
      },
    };
    await first.kubectl.try(['create', '-f', '-'], { input: JSON.stringify(definition) });
    await first.kubectl('wait', '--for=condition=Established', 'crd/ropes.ship.example');
    const startedAt = performance.now();
    const path = '/apis/ship.example/v1/namespaces/default/ropes';
    await eventually(
      'the other serves it',
      () => second.kubectl('get', '--raw', path),
      () => true,
      { everyMs: 20 },
    );
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    for (const [index, server] of [first, second, first].entries()) {
      const rope = { kind: 'Rope', apiVersion: `ship.example/v${1 + (index % 2)}`, metadata: { name: `r-${index}` } };
      const made = await server.kubectl.try(['create', '-f', '-'], { input: JSON.stringify(rope) });
      expect(made.code, made.stderr).toBe(0);
    }
    const page: { metadata: { continue: string; resourceVersion: string }; items: object[] } = JSON.parse(
      await first.kubectl('get', '--raw', `${path}?limit=2`),
    );
    const rest = await second.kubectl(
      'get',
      '--raw',
      `${path}?limit=2&continue=${encodeURIComponent(page.metadata.continue)}`,
    );
    expect(rest).toContain('"name":"r-2"');
    expect(JSON.parse(rest).metadata.resourceVersion).toBe(page.metadata.resourceVersion);

    const may = (server: Server) => server.kubectl.try(['auth', 'can-i', 'get', 'ropes', '--as=nobody']);
    expect((await may(second)).stdout).toContain('no');
    await first.kubectl('create', 'clusterrole', 'roper', '--verb=get', '--resource=ropes.ship.example');
    await first.kubectl('create', 'clusterrolebinding', 'roper', '--clusterrole=roper', '--user=nobody');
    await eventually(
      'the right is known',
      () => may(second),
      ({ stdout }) => stdout.includes('yes'),
      { everyMs: 20, timeoutMs: 2_000 },
    );

    await second.kubectl('delete', 'crd', 'ropes.ship.example');
    const gone = await eventually(
      'nobody serves it any more',
      () => first.kubectl.try(['get', '--raw', path]),
      ({ code }) => code !== 0,
      { everyMs: 20, timeoutMs: 2_000 },
    );
    expect(gone.stderr).toContain('NotFound');
  });

  test('when one is killed the other carries on: controllers, and the endpoints of kubernetes.default', async () => {
    await first.kubectl('create', 'deployment', 'before', '--image=x', '--replicas=2');
    await eventually(
      'the first pods',
      () => podsOf(second, 'before'),
      (count) => count === 2,
    );
    await stopped(first, 'SIGKILL');
    await second.kubectl('create', 'deployment', 'after', '--image=x', '--replicas=2');
    await eventually(
      'pods made by the other manager',
      () => podsOf(second, 'after'),
      (count) => count === 2,
      {
        timeoutMs: 60_000,
      },
    );
    await eventually(
      'one endpoint',
      () => second.kubectl('get', 'endpointslice', 'kubernetes', '-o', 'jsonpath={.endpoints[*].addresses[*]}'),
      (text) => text === '127.0.0.2',
      { timeoutMs: 40_000 },
    );
  });

  test('after a clean stop the objects move to the data directory and back to a second etcd', async () => {
    const busy = await runTiphys('store', 'migrate', '--data-dir', second.dataDir, '--from', 'etcd', '--to', 'lmdb');
    expect(busy.stderr).toContain('API servers at 127.0.0.2 use etcd');
    await stopped(second, 'SIGTERM');
    const before = Number(await revisionOf(etcd));
    rmSync(join(second.dataDir, 'store'), { recursive: true, force: true });
    const base = ['store', 'migrate', '--data-dir', second.dataDir];
    const back = await runTiphys(...base, '--from', 'etcd', '--to', 'lmdb');
    expect(back.code, back.stderr).toBe(0);
    expect(back.stdout).toMatch(/\d+ objects copied from etcd to lmdb; both have the hash [0-9a-f]{16}/);
    const again = await runTiphys(...base, '--from', 'lmdb', '--to', 'etcd', '--etcd-servers', etcd.endpoints.join());
    expect(again.code).not.toBe(0);
    expect(again.stderr).toContain('the target is not empty');
    second = await startServer({ folder, address: '127.0.0.2', endpoints: undefined });
    const list = await second.kubectl('get', '--raw', '/apis/apps/v1/deployments?limit=1');
    expect(Number(/"resourceVersion":"(\d+)"/.exec(list)?.[1])).toBeGreaterThan(before);
    expect(await second.kubectl('get', 'deployments', '-o', 'name')).toContain('deployment.apps/before');
    await stopped(second, 'SIGTERM');
    await using other = await EtcdCluster.start();
    const forth = await runTiphys(...base, '--from', 'lmdb', '--to', 'etcd', '--etcd-servers', other.endpoints.join());
    expect(forth.code, forth.stderr).toBe(0);
    second = await startServer({ folder, address: '127.0.0.2', endpoints: undefined });
    expect(await second.kubectl('get', 'deployments', '-o', 'name')).toContain('deployment.apps/after');
    const old = await second.kubectl.try([
      'get',
      '--raw',
      `/api/v1/pods?watch=1&resourceVersion=${before}&timeoutSeconds=2`,
    ]);
    expect(`${old.stdout}${old.stderr}`).toContain('"code":410');
    await stopped(second, 'SIGTERM');
  });
});

async function startServer(options: {
  folder: string;
  address: string;
  endpoints: readonly string[] | undefined;
  pkiOf?: string;
}): Promise<Server> {
  const { folder, address, endpoints, pkiOf } = options;
  const dataDir = join(folder, address);
  if (pkiOf !== undefined) copyPki(pkiOf, dataDir);
  const child = spawnTiphys([
    'server',
    '--data-dir',
    dataDir,
    '--bind-address',
    address,
    '--port',
    '0',
    ...(endpoints === undefined ? [] : ['--etcd-servers', endpoints.join()]),
  ]);
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await eventually(
    `the server on ${address}`,
    async () => output,
    (text) => text.includes('serving https://') || child.exitCode !== null,
    { everyMs: 50 },
  );
  if (child.exitCode !== null) throw new Error(`the server on ${address} ended: ${output}`);
  return { address, dataDir, process: child, kubectl: await kubectlFor(join(dataDir, 'admin.conf')) };
}

/** What every server of a cluster has in common, as kubeadm copies it. */
function copyPki(from: string, to: string): void {
  const files = ['ca.crt', 'ca.key', 'front-proxy-ca.crt', 'front-proxy-ca.key', 'sa.key', 'sa.pub'];
  for (const file of files) cpSync(join(from, 'pki', file), join(to, 'pki', file), { recursive: true });
}

async function stopped({ process: child }: Server, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}

async function podsOf({ kubectl }: Server, app: string): Promise<number> {
  const names = await kubectl('get', 'pods', '-l', `app=${app}`, '-o', 'name');
  return names.split('\n').filter((line) => line !== '').length;
}

async function revisionOf({ endpoints }: EtcdCluster): Promise<number> {
  await using store = await openEtcdStore(
    { endpoints, prefix: '/registry' },
    { clock: new RealClock(), random: new SystemRandom() },
  );
  return await store.head();
}
