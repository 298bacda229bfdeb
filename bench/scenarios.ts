import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdCluster, missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { BIN, load, loadFrom, type Row, row, rssMegabytes, startServer, withServer } from './bench-server.ts';
import { celRules, customResources, fanOut, manyObjects, policies, requests } from './more-scenarios.ts';

const START_TRIES = 5;

/** Each measures one thing and answers with its rows. */
export const scenarios: Readonly<Record<string, () => Promise<Row[]>>> = {
  startup,
  creates,
  list,
  forms: () => forms(10_000),
  requests,
  policies,
  cel: celRules,
  watch,
  fanout: fanOut,
  deployment,
  node,
  etcd,
};

/** Minutes long and gigabytes wide: measured when they are named, or with `--all`. */
export const largeScenarios: Readonly<Record<string, () => Promise<Row[]>>> = {
  forms100k: () => forms(100_000),
  objects150k: manyObjects,
  crds2000: customResources,
};

/** From the start of the built program to `/readyz` ok, with an existing PKI and store. */
async function startup(): Promise<Row[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tiphys-bench-'));
  try {
    const first = await startServer(dataDir);
    const firstMs = first.readyMs;
    await first.stop();
    const timings: number[] = [];
    let rss = 0;
    for (let round = 0; round < START_TRIES; round += 1) {
      const server = await startServer(dataDir);
      timings.push(server.readyMs);
      if (round === START_TRIES - 1) {
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        rss = rssMegabytes(server.pid);
      }
      await server.stop();
    }
    timings.sort((a, b) => a - b);
    const conditions = 'tiphys server: API server, controllers, scheduler; lmdb store, TLS';
    const p50Ms = timings[Math.floor(timings.length / 2)] ?? 0;
    return [
      { name: 'readyz', conditions, figures: { p50Ms, maxMs: timings.at(-1) ?? 0, firstStartMs: firstMs } },
      { name: 'idle server rss', conditions: `${conditions}; 5 s after the start`, figures: { megabytes: rss } },
    ];
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function creates(): Promise<Row[]> {
  return withServer(async (server) => {
    await load(server, { type: 'create', clients: 32, count: 2_000 });
    const result = await load(server, { type: 'create', clients: 32, count: 15_000 });
    const conditions =
      'pods of 3 KB, HTTPS, 32 keep-alive clients in another process, durable (lmdb, flushed), RBAC and admission on';
    return [row('pod creates, 32 clients', conditions, result)];
  });
}

async function list(): Promise<Row[]> {
  return withServer(async (server) => {
    await load(server, { type: 'create', clients: 32, count: 10_000, objectBytes: 2_400 });
    await load(server, { type: 'list', rounds: 3 });
    const result = await load(server, { type: 'list', rounds: 15 });
    const each = (result.bytes / 10_000 / 1_024).toFixed(1);
    const conditions = `each ${each} KB with managedFields, JSON over TLS, no gzip, client in another process`;
    return [row('list 10,000 pods of 5 KB', conditions, result)];
  });
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const AS_METADATA = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** Lists in every form, and by pages. */
async function forms(count: number): Promise<Row[]> {
  return withServer(async (server) => {
    await load(server, { type: 'create', clients: 32, count, objectBytes: 2_400 });
    const rows: Row[] = [];
    const many = count.toLocaleString('en');
    const cases = [
      ['stored JSON', 'application/json', 10],
      ['protobuf, cold', PROTOBUF, 1],
      ['protobuf, warm', PROTOBUF, 10],
      ['metadata as protobuf, cold', `${PROTOBUF};${AS_METADATA}`, 1],
      ['metadata as JSON', `application/json;${AS_METADATA}`, 10],
      ['table', 'application/json;as=Table;g=meta.k8s.io;v=v1', 10],
    ] as const;
    for (const [name, accept, rounds] of cases) {
      const result = await load(server, { type: 'list', rounds, accept });
      const conditions = `${many} pods, ${(result.bytes / 1_048_576).toFixed(1)} MB; TLS, client in another process`;
      rows.push(row(`list ${many} as ${name}`, conditions, result));
    }
    const paged = await load(server, { type: 'page', rounds: 3 });
    rows.push(row(`list ${many} by pages of 500`, 'JSON; a figure is one page; TLS, client in another process', paged));
    return rows;
  });
}

async function watch(): Promise<Row[]> {
  return withServer(async (server) => {
    const result = await load(server, { type: 'watch', clients: 1_000, rounds: 20 });
    const conditions = '1,000 watches on 1,000 TLS connections; from the start of the PUT to the last event';
    return [row('update seen by 1,000 watchers', conditions, result)];
  });
}

async function deployment(): Promise<Row[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tiphys-bench-'));
  const up = [
    'up',
    '--data-dir',
    dataDir,
    '--port',
    '0',
    '--no-kubeconfig',
    '--runtime',
    'simulated',
    '--nodes',
    '100',
  ];
  try {
    const started = spawnSync(process.execPath, [BIN, ...up, '--detach'], { encoding: 'utf8' });
    if (started.status !== 0) throw new Error(started.stderr);
    const { perSecond, p50Ms } = await loadFrom(join(dataDir, 'admin.conf'), { type: 'deployment', count: 1_000 });
    const conditions = '100 simulated nodes in the server process; from POST to status.readyReplicas; polled by GET';
    return [{ name: 'deployment of 1,000 replicas ready', conditions, figures: { perSecond, p50Ms } }];
  } finally {
    spawnSync(process.execPath, [BIN, 'delete', '--data-dir', dataDir]);
  }
}

/** Creates, lists and watches as above, with one member of etcd on this machine's disk instead of lmdb. */
async function etcd(): Promise<Row[]> {
  const missing = missingEtcd();
  if (missing !== undefined) {
    process.stderr.write(`  not measured: ${missing}\n`);
    return [];
  }
  await using cluster = await EtcdCluster.start({ isDurable: true });
  const where = `etcd ${cluster.version()}, one member on the same machine, flushed`;
  return await withServer(
    async (server) => {
      await load(server, { type: 'create', clients: 32, count: 1_000 });
      const created = await load(server, { type: 'create', clients: 32, count: 5_000 });
      const rows = [row('etcd: pod creates, 32 clients', `pods of 3 KB, ${where}`, created)];
      await load(server, { type: 'list', rounds: 3 });
      const listed = await load(server, { type: 'list', rounds: 15 });
      rows.push(row('etcd: list 6,000 pods of 3 KB', `consistent reads, ${where}`, listed));
      const seen = await load(server, { type: 'watch', clients: 1_000, rounds: 20 });
      rows.push(row('etcd: update seen by 1,000 watchers', where, seen));
      return rows;
    },
    ['--etcd-servers', cluster.endpoints.join()],
  );
}

/** With containerd, where this machine can: from the start of `up` to the first pod Running, and the agent's memory. */
async function node(): Promise<Row[]> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/containerd')) return [];
  const dataDir = mkdtempSync(join(tmpdir(), 'tiphys-bench-'));
  const up = ['up', '--data-dir', dataDir, '--port', '0', '--no-kubeconfig', '--runtime', 'containerd', '--detach'];
  const kubectl = (...args: string[]) =>
    spawnSync(process.execPath, [BIN, 'kubectl', '--data-dir', dataDir, ...args], { encoding: 'utf8' });
  try {
    const timings: number[] = [];
    let agentRss = 0;
    let serverRss = 0;
    for (let round = 0; round < 3; round += 1) {
      const from = performance.now();
      const started = spawnSync(process.execPath, [BIN, ...up], { encoding: 'utf8' });
      if (started.status !== 0) throw new Error(started.stderr);
      const readyMs = performance.now() - from;
      kubectl('run', `first-${round}`, '--image=localhost/busybox:1', '--', 'sleep', '3600');
      const waited = kubectl('wait', '--for=jsonpath={.status.phase}=Running', `pod/first-${round}`, '--timeout=60s');
      if (waited.status !== 0) throw new Error(waited.stderr);
      timings.push(performance.now() - from);
      process.stderr.write(`  cluster ready after ${readyMs.toFixed(0)} ms\n`);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      const state: { server: { pid: number }; nodes: { agent: { pid: number } }[] } = JSON.parse(
        readFileSync(join(dataDir, 'cluster.json'), 'utf8'),
      );
      serverRss = rssMegabytes(state.server.pid);
      agentRss = rssMegabytes(state.nodes[0]?.agent.pid ?? 0);
      kubectl('delete', 'pod', `first-${round}`, '--now');
      spawnSync(process.execPath, [BIN, 'down', '--data-dir', dataDir]);
    }
    timings.sort((a, b) => a - b);
    const conditions =
      'tiphys up --detach, kubectl run, kubectl wait; containerd, image loaded, first start included in max';
    return [
      { name: 'first pod running', conditions, figures: { p50Ms: timings[1] ?? 0, maxMs: timings.at(-1) ?? 0 } },
      {
        name: 'idle agent rss',
        conditions: 'kubelet, proxy and DNS with one pod; containerd and shims not counted',
        figures: { megabytes: agentRss, serverMegabytes: serverRss, sumMegabytes: agentRss + serverRss },
      },
    ];
  } finally {
    spawnSync(process.execPath, [BIN, 'delete', '--data-dir', dataDir]);
  }
}
