/**
 * The load generator: a process of its own, so that its work is not counted as the server's. Reads a job as JSON from
 * its first argument, writes its result as JSON to standard output.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';
import { Connection } from './connection.ts';
import { podTemplate } from './pods.ts';
import { type WriteKind, writeRequest } from './writes.ts';

export interface LoadJob {
  readonly kubeconfig: string;
  readonly type: 'create' | 'list' | 'page' | 'get' | 'write' | 'watch' | 'deployment';
  readonly clients?: number;
  readonly count?: number;
  readonly namespace?: string;
  readonly objectBytes?: number;
  readonly rounds?: number;
  /** Of `list`; default: JSON. */
  readonly accept?: string;
  /** Of `write`: how. */
  readonly how?: WriteKind;
  /** Of `get` and `write`: pods that `create` made with this prefix. Default: `bench-PID`. */
  readonly prefix?: string;
  /** Of `create`, for `update`: pods without a token of their service account, which can be sent as they were. */
  readonly isBare?: boolean;
  /** Of `get` and `write`: how many such pods there are. */
  readonly objects?: number;
}

export interface LoadResult {
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly bytes: number;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

// Safe: bench/run.ts made it.
const job = JSON.parse(process.argv[2] ?? '{}') as LoadJob;
const target = readTarget(job.kubeconfig);
const agent = new Agent({ ...target, keepAlive: true, maxSockets: job.clients ?? 1, ALPNProtocols: ['http/1.1'] });
const results = { create, list, page, get, write, watch, deployment };
process.stdout.write(JSON.stringify(await results[job.type]()));
agent.destroy();

async function create(): Promise<LoadResult> {
  const path = `/api/v1/namespaces/${job.namespace ?? 'default'}/pods`;
  const body = podTemplate(job.objectBytes ?? 3_000, { isBare: job.isBare ?? false });
  const prefix = job.prefix ?? `bench-${process.pid}`;
  return await each(job.count ?? 1_000, body.length, async (connection, index) => {
    const answer = await connection.send('POST', path, { body: body.replace('"NAME"', `"${prefix}-${index}"`) });
    if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${answer.start}`);
  });
}

async function get(): Promise<LoadResult> {
  const path = `/api/v1/namespaces/${job.namespace ?? 'default'}/pods/${job.prefix}`;
  return await each(job.count ?? 1_000, 0, async (connection, index) => {
    const answer = await connection.send('GET', `${path}-${index % (job.objects ?? 1)}`, { accept: job.accept ?? '' });
    if (answer.status !== 200) throw new Error(`get answered ${answer.status}: ${answer.start}`);
  });
}

async function write(): Promise<LoadResult> {
  const path = `/api/v1/namespaces/${job.namespace ?? 'default'}/pods`;
  const request = writeRequest(job.how ?? 'merge', podTemplate(job.objectBytes ?? 3_000, { isBare: true }));
  return await each(job.count ?? 1_000, 0, async (connection, index) => {
    const name = `${job.prefix}-${index % (job.objects ?? 1)}`;
    const { method, query, type, body } = request(name, index);
    const answer = await connection.send(method, `${path}/${name}${query}`, { body, type });
    if (answer.status !== 200) throw new Error(`${job.how} answered ${answer.status}: ${answer.start}`);
  });
}

/** Does something so many times, by all clients at once, each waiting for its answer. */
async function each(
  count: number,
  bytes: number,
  once: (connection: Connection, index: number) => Promise<void>,
): Promise<LoadResult> {
  let next = 0;
  const timings: number[] = [];
  const connections = await openConnections(job.clients ?? 1);
  const loop = async (connection: Connection) => {
    while (next < count) {
      const index = next;
      next += 1;
      const from = performance.now();
      await once(connection, index);
      timings.push(performance.now() - from);
    }
  };
  const started = performance.now();
  await Promise.all(connections.map(loop));
  const result = summarize(timings, performance.now() - started, bytes);
  for (const connection of connections) connection.close();
  return result;
}

/** All pods in pages of 500; a timing is one page. */
async function page(): Promise<LoadResult> {
  const timings: number[] = [];
  let bytes = 0;
  const started = performance.now();
  for (let round = 0; round < (job.rounds ?? 1); round += 1) {
    let token: string | undefined = '';
    while (token !== undefined) {
      const from = performance.now();
      const more = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
      const answer = await call('GET', `/api/v1/namespaces/${job.namespace ?? 'default'}/pods?limit=500${more}`);
      timings.push(performance.now() - from);
      bytes += answer.body.length;
      // The list's own metadata comes first.
      const head = answer.body.subarray(0, 1_000).toString('latin1');
      token = /"continue":"([^"]+)"/.exec(head)?.[1];
    }
  }
  return summarize(timings, performance.now() - started, bytes);
}

async function list(): Promise<LoadResult> {
  const timings: number[] = [];
  let bytes = 0;
  const [connection] = await openConnections(1);
  if (connection === undefined) throw new Error('no connection');
  const started = performance.now();
  for (let round = 0; round < (job.rounds ?? 10); round += 1) {
    const from = performance.now();
    const answer = await connection.send('GET', `/api/v1/namespaces/${job.namespace ?? 'default'}/pods`, {
      accept: job.accept ?? '',
    });
    if (answer.status !== 200) throw new Error(`list answered ${answer.status}`);
    bytes = answer.bodyBytes;
    timings.push(performance.now() - from);
  }
  const result = summarize(timings, performance.now() - started, bytes);
  connection.close();
  return result;
}

/** Time from the start of one update until the last of all watchers has its event. */
async function watch(): Promise<LoadResult> {
  const watchers = job.clients ?? 100;
  const namespace = job.namespace ?? 'default';
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const name = `bench-watch-${process.pid}`;
  const map = (value: number) =>
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value: `round-${value}-` } });
  const made = await call('POST', path, map(0));
  const version = (JSON.parse(made.body.toString()) as { metadata: { resourceVersion: string } }).metadata
    .resourceVersion;
  let seen = 0;
  let round = 0;
  let onAll = () => undefined as void;
  const watchAgent = new Agent({ ...target, keepAlive: false, maxSockets: watchers, ALPNProtocols: ['http/1.1'] });
  const opened: Promise<void>[] = [];
  for (let index = 0; index < watchers; index += 1) {
    opened.push(
      openWatch(`${path}?watch=1&resourceVersion=${version}`, watchAgent, (text) => {
        if (!text.includes(`round-${round}-`)) return;
        seen += 1;
        if (seen === watchers) onAll();
      }),
    );
  }
  await Promise.all(opened);
  const timings: number[] = [];
  const started = performance.now();
  for (round = 1; round <= (job.rounds ?? 10); round += 1) {
    seen = 0;
    const all = new Promise<void>((resolve) => {
      onAll = resolve;
    });
    const from = performance.now();
    await call('PUT', `${path}/${name}`, map(round));
    await all;
    timings.push(performance.now() - from);
  }
  const result = summarize(timings, performance.now() - started, 0);
  watchAgent.destroy();
  return result;
}

/** Time until a new Deployment reports all replicas ready. */
async function deployment(): Promise<LoadResult> {
  const replicas = job.count ?? 1_000;
  const path = `/apis/apps/v1/namespaces/${job.namespace ?? 'default'}/deployments`;
  const labels = { app: 'bench' };
  const container = { name: 'main', image: 'localhost/busybox:1', command: ['sleep', '3600'] };
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'bench' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
  const started = performance.now();
  const made = await call('POST', path, JSON.stringify(object));
  if (made.status !== 201) throw new Error(`create answered ${made.status}: ${made.body.toString()}`);
  for (;;) {
    const answer = await call('GET', `${path}/bench`);
    const status = (JSON.parse(answer.body.toString()) as { status?: { readyReplicas?: number } }).status;
    if (status?.readyReplicas === replicas) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const ms = performance.now() - started;
  return summarize([ms], ms, replicas);
}

function openConnections(count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(target)));
}

function call(method: string, path: string, body?: string): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request({ ...target, agent, method, path, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }));
      incoming.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function openWatch(path: string, watchAgent: Agent, onText: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...target, agent: watchAgent, path }, (incoming) => {
      incoming.on('data', (chunk: Buffer) => onText(chunk.toString()));
      incoming.on('error', () => undefined);
      resolve();
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function summarize(timings: number[], totalMs: number, bytes: number): LoadResult {
  const sorted = [...timings].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    count: timings.length,
    seconds: totalMs / 1_000,
    perSecond: (timings.length / totalMs) * 1_000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: sorted.at(-1) ?? 0,
    bytes,
  };
}

function readTarget(path: string): Target {
  // Safe: tiphys wrote this file with everything embedded.
  const config = parse(readFileSync(path, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
  };
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${path} is no kubeconfig of tiphys`);
  const url = new URL(cluster.server);
  const decode = (text: string) => Buffer.from(text, 'base64').toString();
  return {
    host: url.hostname,
    port: Number(url.port),
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  };
}
