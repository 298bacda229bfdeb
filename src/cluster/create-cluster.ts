import { createHash } from 'node:crypto';
import type { UserInfo } from '#apiserver/pipeline/types.ts';
import type { Client } from '#client/client.ts';
import { trapGlobals } from '#machinery/executor/trap-globals.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { type Logger, silentLogger } from '#machinery/log/logger.ts';
import { MemoryStore } from '#store/memory/memory-store.ts';
import type { Store } from '#store/store.ts';
import { Driver, drivenClient, WAIT_LIMIT_MS } from './driven-client.ts';
import { SimulatedControlPlane, type SimulatedControlPlaneOptions } from './simulated-control-plane.ts';
import { SimulatedNodes, type SimulatedNodeOptions } from './simulated-nodes.ts';

export interface CreateClusterOptions extends SimulatedControlPlaneOptions {
  /** The same seed gives the same run, to the last byte. Default: 1. */
  readonly seed?: string | number;
  /** How many simulated nodes, or which. Default: one. */
  readonly nodes?: number | readonly SimulatedNodeOptions[];
  readonly log?: Logger;
}

/** A whole cluster in this process, under virtual time: nothing happens but in the calls below. */
export interface Cluster extends AsyncDisposable {
  /**
   * Acts as `system:masters`. A call runs the cluster as far as it needs to be answered; so does waiting for the next
   * event of a watch, which moves time only while no other call is under way.
   */
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
  /** Stops API server, controllers and scheduler and starts them again on the same store; nodes go on. */
  restart(): Promise<void>;
  /** Digest over every write so far: revision, key, bytes and, for the latest 50,000 of each start, who wrote them. */
  hash(): string;
  /** Tasks and timers that wait; 0 when the cluster has stopped. */
  readonly pending: number;
  stop(): Promise<void>;
}

const WAIT_STEP_MS = 1_000;

/** Starts a cluster on the `memory` store and simulated nodes. The same code as a real one, only without sockets. */
export async function createCluster(options: CreateClusterOptions = {}): Promise<Cluster> {
  const log = options.log ?? silentLogger;
  const executor = new SimulatedExecutor({
    seed: options.seed ?? 1,
    onError: (error) => log.error('a task failed', { error }),
  });
  const traps = trapGlobals();
  const store = new MemoryStore({ clock: executor.clock });
  const cluster = new SimulatedCluster(options, { executor, store, log, traps });
  try {
    await cluster.start(nodeList(options.nodes));
  } catch (error) {
    traps[Symbol.dispose]();
    throw error;
  }
  return cluster;
}

interface Parts {
  readonly executor: SimulatedExecutor;
  readonly store: Store;
  readonly log: Logger;
  /** Catches uses of real time and randomness while the cluster runs. */
  readonly traps: Disposable;
}

class SimulatedCluster implements Cluster {
  readonly client: Client;
  readonly #parts: Parts;
  readonly #driver: Driver;
  readonly #controlPlane: SimulatedControlPlane;
  readonly #nodes: SimulatedNodes;
  readonly #digest = createHash('sha256');
  #stopDigest: () => void = () => undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: CreateClusterOptions, parts: Parts) {
    const { executor, store, log } = parts;
    this.#parts = parts;
    this.#driver = new Driver(executor);
    this.#controlPlane = new SimulatedControlPlane(options, { store, executor, log });
    const clientFor = (user: UserInfo) => this.#controlPlane.componentClientFor(user);
    this.#nodes = new SimulatedNodes({ clientFor, executor, log });
    this.client = drivenClient(this.#controlPlane.admin, this.#driver);
  }

  async start(nodes: readonly SimulatedNodeOptions[]): Promise<void> {
    const { store, log } = this.#parts;
    const subscription = await store.subscribe({
      prefix: '/',
      afterRevision: 0,
      onBatch: ({ events }) => {
        for (const { type, kv } of events) {
          this.#digest.update(`${kv.modRevision} ${type} ${kv.key} `).update(kv.value);
        }
      },
      onEnd: (error) => log.error('the store ended', { error }),
    });
    this.#stopDigest = () => subscription.close();
    await this.#driver.call(() => this.#controlPlane.start());
    for (const node of nodes) await this.addNode(node);
    await this.settle();
  }

  clientFor(user: UserInfo): Client {
    return drivenClient(this.#controlPlane.clientFor(user), this.#driver);
  }

  now(): number {
    return this.#parts.executor.clock.now();
  }

  settle(): Promise<void> {
    return this.#driver.inTurn(() => this.#parts.executor.settle());
  }

  advance(durationMs: number): Promise<void> {
    return this.#driver.inTurn(() => this.#parts.executor.advance(durationMs));
  }

  async waitFor(
    what: string,
    probe: () => Promise<boolean>,
    { limitMs = WAIT_LIMIT_MS, stepMs = WAIT_STEP_MS }: { limitMs?: number; stepMs?: number } = {},
  ): Promise<void> {
    const deadlineMs = this.now() + limitMs;
    for (;;) {
      await this.settle();
      if (await probe()) return;
      if (this.now() >= deadlineMs) throw new Error(`${what}: not so after ${limitMs} ms of virtual time`);
      await this.advance(stepMs);
    }
  }

  addNode(options: SimulatedNodeOptions): Promise<void> {
    return this.#driver.call(() => this.#nodes.add(options));
  }

  killNode(name: string): Promise<void> {
    return this.#driver.call(() => this.#nodes.kill(name));
  }

  async restart(): Promise<void> {
    this.#digestUsers();
    await this.#driver.call(() => this.#controlPlane.stop());
    await this.#driver.call(() => this.#controlPlane.start());
  }

  hash(): string {
    const digest = this.#digest.copy();
    for (const { revision, user } of this.#controlPlane.writes()) digest.update(`${revision} ${user} `);
    return digest.digest('hex');
  }

  get pending(): number {
    const { executor } = this.#parts;
    return executor.runnable + executor.clock.timerCount;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #digestUsers(): void {
    for (const { revision, user } of this.#controlPlane.writes()) this.#digest.update(`${revision} ${user} `);
  }

  async #stop(): Promise<void> {
    const { store, traps } = this.#parts;
    try {
      await this.#driver.call(() => this.#nodes.stop());
      await this.#driver.call(() => this.#controlPlane.stop());
      this.#digestUsers();
      this.#stopDigest();
      await this.#driver.call(() => store.close());
      await this.settle();
    } finally {
      traps[Symbol.dispose]();
    }
  }
}

function nodeList(nodes: number | readonly SimulatedNodeOptions[] = 1): readonly SimulatedNodeOptions[] {
  if (typeof nodes !== 'number') return nodes;
  return Array.from({ length: nodes }, (_, index) => ({ name: `node-${index + 1}` }));
}
