import { performance } from 'node:perf_hooks';
import { seededSigningKey } from '#apiserver/authentication/jwt.ts';
import type { ApiRequest, ApiResponse, UserInfo } from '#apiserver/pipeline/types.ts';
import { assembleApiServer, type AssembledServer } from '#cluster/api-server-assembly.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { MemoryStore } from '#store/memory/memory-store.ts';

export const TOKEN = 'fuzz-token';
const ADMIN: UserInfo = { username: 'fuzz', groups: ['system:masters'] };

/** One request of a run, as small as it can be written down. */
export interface FuzzRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface Outcome {
  /** 0: no answer in time. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** How long the event loop was busy meanwhile: no less than it was ever held. */
  readonly heldMs: number;
}

/** A request without an answer after this hangs. */
const DEADLINE_MS = 20_000;
/** Of a watch no more than this is read. */
const BATCHES_MAX = 2;

/** A whole API server without sockets, in real time, that remembers what it logged as failures. */
export class FuzzTarget {
  readonly failures: string[] = [];
  readonly #server: AssembledServer;
  readonly #store: MemoryStore;

  private constructor(server: AssembledServer, store: MemoryStore, failures: string[]) {
    this.#server = server;
    this.#store = store;
    this.failures = failures;
  }

  static async start(featureGates: Readonly<Record<string, boolean>> = {}): Promise<FuzzTarget> {
    const failures: string[] = [];
    const executor = new RealExecutor({ onError: (error) => failures.push(`a task failed: ${stackOf(error)}`) });
    const store = new MemoryStore({ clock: executor.clock });
    const log = recordingLog(failures);
    const server = await assembleApiServer(
      {
        signingKey: seededSigningKey(new Uint8Array(32)),
        serviceCidr: '10.96.0.0/16',
        advertisedAddress: '10.0.0.1:6443',
        runtimeConfig: { 'api/all': 'true' },
        featureGates,
        staticTokens: new Map([[TOKEN, ADMIN]]),
      },
      { store, executor, log },
    );
    return new FuzzTarget(server, store, failures);
  }

  get api(): AssembledServer['api'] {
    return this.#server.api;
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.#store.close();
  }

  /** Sends a request as a socket would hand it over, reads the answer and tells how it went. */
  async send(request: FuzzRequest): Promise<Outcome> {
    const abort = new AbortController();
    const before = performance.eventLoopUtilization();
    try {
      const timer = Promise.withResolvers<Outcome>();
      const handle = setTimeout(() => timer.resolve(NO_ANSWER), DEADLINE_MS);
      const outcome = await Promise.race([this.#answer(request, abort.signal), timer.promise]);
      clearTimeout(handle);
      return { ...outcome, heldMs: performance.eventLoopUtilization(before).active };
    } finally {
      abort.abort(new Error('the test is done with it'));
    }
  }

  async #answer({ method, target, headers = {}, body }: FuzzRequest, signal: AbortSignal): Promise<Outcome> {
    const mark = target.indexOf('?');
    const path = mark < 0 ? target : target.slice(0, mark);
    const request: ApiRequest = {
      method,
      path,
      query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
      headers: { 'user-agent': 'fuzz/1', authorization: `Bearer ${TOKEN}`, ...headers },
      readBody: () => Promise.resolve(body ?? new Uint8Array()),
      signal,
    };
    const response = await this.api.handle(request);
    return { ...(await read(response)), heldMs: 0 };
  }
}

const NO_ANSWER: Outcome = { status: 0, headers: {}, body: Buffer.from('no answer in time'), heldMs: 0 };

async function read(response: ApiResponse): Promise<Omit<Outcome, 'heldMs'>> {
  switch (response.type) {
    case 'bytes':
      return { status: response.status, headers: response.headers, body: Buffer.concat(response.body) };
    case 'stream': {
      const parts: Buffer[] = [];
      for await (const part of response.body) parts.push(Buffer.from(part));
      return { status: response.status, headers: response.headers, body: Buffer.concat(parts) };
    }
    case 'watch': {
      const parts: Uint8Array[] = [];
      const timer = setTimeout(() => response.watch.close(), 20);
      for (let count = 0; count < BATCHES_MAX; count += 1) {
        const batch = await response.watch.next();
        if (batch === undefined) break;
        for (const frame of batch) parts.push(...frame.bytes);
      }
      clearTimeout(timer);
      response.watch.close();
      return { status: response.status, headers: response.headers, body: Buffer.concat(parts) };
    }
    case 'upgrade':
      return { status: 101, headers: {}, body: Buffer.alloc(0) };
  }
}

function recordingLog(failures: string[]): Logger {
  const log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (message, fields = {}) => failures.push(`${message}: ${stackOf(fields['error'])}`),
    with: () => log,
  };
  return log;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
