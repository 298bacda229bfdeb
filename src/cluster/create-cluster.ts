import { createHash } from 'node:crypto';
import { ensureBootstrapObjects, ensureSystemNamespaces } from '#apiserver/allocation/bootstrap-objects.ts';
import { seededSigningKey } from '#apiserver/authentication/jwt.ts';
import { ensureBootstrapPolicy } from '#apiserver/authorization/bootstrap/bootstrap-policy.ts';
import { LocalClient } from '#apiserver/local-client.ts';
import type { UserInfo } from '#apiserver/pipeline/types.ts';
import type { Client } from '#client/client.ts';
import { startControllers } from '#controllers/manager.ts';
import { trapGlobals } from '#machinery/executor/trap-globals.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { type Logger, silentLogger } from '#machinery/log/logger.ts';
import { startScheduler } from '#scheduler/scheduler.ts';
import { MemoryStore } from '#store/memory/memory-store.ts';
import { ensureAddons } from './addons.ts';
import { type AssembledServer, assembleApiServer } from './api-server-assembly.ts';
import { componentUser } from './control-plane.ts';
import { drivenClient } from './driven-client.ts';
import { addressAt } from './settings.ts';
import { SimulatedNodes, type SimulatedNodeOptions } from './simulated-nodes.ts';

export interface CreateClusterOptions {
  /** The same seed gives the same run, to the last byte. Default: 1. */
  readonly seed?: string | number;
  /** How many simulated nodes, or which. Default: one. */
  readonly nodes?: number | readonly SimulatedNodeOptions[];
  /** Which controllers, as `--controllers`: `['*', '-nodelifecycle']`. Default: all. */
  readonly controllers?: readonly string[];
  /** Default: true. */
  readonly scheduler?: boolean;
  readonly log?: Logger;
}

/** A whole cluster in this process, under virtual time: nothing happens but in the calls below. */
export interface Cluster extends AsyncDisposable {
  /** Acts as `system:masters`. A call runs the cluster as far as it needs to be answered. */
  readonly client: Client;
  /** A client that acts as somebody else, with that user's rights. */
  clientFor(user: UserInfo): Client;
  /** Virtual milliseconds since the epoch. */
  now(): number;
  /** Runs everything that can run now, without moving time. */
  settle(): Promise<void>;
  /** Moves time forward, running what becomes due. */
  advance(durationMs: number): Promise<void>;
  /** Moves time until `probe` answers true; asks whenever the cluster is at rest. Throws after `limitMs`. */
  waitFor(what: string, probe: () => Promise<boolean>, options?: { limitMs?: number; stepMs?: number }): Promise<void>;
  addNode(options: SimulatedNodeOptions): Promise<void>;
  /** The node falls silent at once, as when its power goes. */
  killNode(name: string): Promise<void>;
  /** Digest over every write so far: revision, user, key and bytes. */
  hash(): string;
  stop(): Promise<void>;
}

const MASTERS: UserInfo = { username: 'system:admin', groups: ['system:masters', 'system:authenticated'] };
const SERVICE_CIDR = '10.96.0.0/16';
const WAIT_LIMIT_MS = 600_000;
const WAIT_STEP_MS = 1_000;

/** Starts a cluster on the `memory` store and simulated nodes. The same code as a real one, only without sockets. */
export async function createCluster(options: CreateClusterOptions = {}): Promise<Cluster> {
  const seed = options.seed ?? 1;
  const log = options.log ?? silentLogger;
  const executor = new SimulatedExecutor({
    seed,
    onError: (error) => log.error('a task failed', { error }),
  });
  const traps = trapGlobals();
  const store = new MemoryStore({ clock: executor.clock });
  const digest = createHash('sha256');
  let server: AssembledServer | undefined;
  await store.subscribe({
    prefix: '/',
    afterRevision: 0,
    onBatch: ({ events }) => {
      for (const { type, kv } of events) {
        digest.update(`${kv.modRevision} ${type} ${kv.key} `).update(kv.value);
      }
    },
    onEnd: (error) => log.error('the store ended', { error }),
  });
  const drive = <T>(promise: Promise<T>): Promise<T> => driveUntilSettled(executor, promise);
  const assembled = await drive(
    assembleApiServer(
      {
        signingKey: seededSigningKey(executor.random.bytes(32)),
        serviceCidr: SERVICE_CIDR,
        advertisedAddress: '10.0.0.1:6443',
      },
      { store, executor, log },
    ),
  );
  server = assembled;
  const admin = new LocalClient(assembled.api, MASTERS);
  await drive(bootstrap(admin));
  const components = await drive(startComponents(assembled, { options, executor, log }));
  const nodes = new SimulatedNodes({
    clientFor: (user) => new LocalClient(assembled.api, user),
    executor,
    log,
    clusterDns: addressAt(SERVICE_CIDR, 10),
  });
  for (const node of nodeList(options.nodes)) await drive(nodes.add(node));
  await executor.settle();
  const cluster: Cluster = {
    client: drivenClient(admin, drive),
    clientFor: (user) => drivenClient(new LocalClient(assembled.api, user), drive),
    now: () => executor.clock.now(),
    settle: () => executor.settle(),
    advance: (durationMs) => executor.advance(durationMs),
    waitFor: async (what, probe, { limitMs = WAIT_LIMIT_MS, stepMs = WAIT_STEP_MS } = {}) => {
      const deadline = executor.clock.now() + limitMs;
      for (;;) {
        await executor.settle();
        if (await probe()) return;
        if (executor.clock.now() >= deadline) throw new Error(`${what}: not so after ${limitMs} ms of virtual time`);
        await executor.advance(stepMs);
      }
    },
    addNode: (node) => drive(nodes.add(node)),
    killNode: (name) => drive(nodes.kill(name)),
    hash: () => digest.copy().digest('hex'),
    stop: async () => {
      try {
        await drive(nodes.stop());
        await drive(components.stop());
        await drive(server?.close() ?? Promise.resolve());
        await drive(store.close());
      } finally {
        traps[Symbol.dispose]();
      }
    },
    [Symbol.asyncDispose]: () => cluster.stop(),
  };
  return cluster;
}

async function bootstrap(admin: Client): Promise<void> {
  await ensureSystemNamespaces(admin);
  await ensureBootstrapPolicy(admin);
  await ensureBootstrapObjects(admin, { advertiseAddress: '10.0.0.1', port: 6443, serviceCidrs: [SERVICE_CIDR] });
  await ensureAddons(admin, { clusterDns: addressAt(SERVICE_CIDR, 10) });
}

async function startComponents(
  server: AssembledServer,
  context: { options: CreateClusterOptions; executor: SimulatedExecutor; log: Logger },
): Promise<{ stop(): Promise<void> }> {
  const { options, executor, log } = context;
  const clientFor = (username: string) => new LocalClient(server.api, componentUser(username));
  const controllers = await startControllers({
    clientFor: (name) =>
      clientFor(name === 'kube-controller-manager' ? `system:${name}` : `system:serviceaccount:kube-system:${name}`),
    executor,
    log,
    ...(options.controllers === undefined ? {} : { controllers: options.controllers }),
  });
  const scheduler =
    options.scheduler === false
      ? undefined
      : await startScheduler({ client: clientFor('system:kube-scheduler'), executor, log });
  return {
    stop: async () => {
      await scheduler?.stop();
      await controllers.stop();
    },
  };
}

function nodeList(nodes: number | readonly SimulatedNodeOptions[] = 1): readonly SimulatedNodeOptions[] {
  if (typeof nodes !== 'number') return nodes;
  return Array.from({ length: nodes }, (_, index) => ({ name: `node-${index + 1}` }));
}

/** Runs the cluster until a promise is settled; time moves only where nothing else can bring that about. */
async function driveUntilSettled<T>(executor: SimulatedExecutor, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = () => {
    isSettled = true;
  };
  promise.then(settled, settled);
  await executor.runUntil(() => isSettled, { limitMs: WAIT_LIMIT_MS, what: 'a call to the cluster' });
  return promise;
}
