import { CONFIG_MAPS } from '#api/generated/resources.ts';
import type { ConfigMap } from '#api/generated/types.ts';
import type { ProtobufSource } from '#apiserver/protobuf-forms.ts';
import { startTestServer, type TestServer } from '#apiserver/testing/test-server.ts';
import type { Client } from '#client/client.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { isConflict, isNotFound, isAlreadyExists, StatusError } from '#machinery/errors/status-error.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { openEtcdStore } from '#store/etcd/etcd-store.ts';
import type { RecordedOperation, RegisterValue } from './linearizability.ts';

const NAMESPACE = 'default';

/** An API server of its own, with a store of its own, on these members of etcd. */
export async function startServerOn(
  endpoints: readonly string[],
  options: { prefix?: string; protobuf?: ProtobufSource } = {},
): Promise<TestServer> {
  const [clock, random] = [new RealClock(), new SystemRandom()];
  const store = await openEtcdStore({ endpoints, prefix: options.prefix ?? '/registry' }, { clock, random });
  const executor = new RealExecutor();
  const server = await startTestServer(executor, {
    store,
    ...(options.protobuf === undefined ? {} : { protobuf: options.protobuf }),
  });
  const close = async () => {
    await server.close();
    await store.close();
  };
  return { ...server, close, [Symbol.asyncDispose]: close };
}

/** A ConfigMap as a register: `read` and `swap` record what a client saw and when. */
export class Register {
  readonly history: RecordedOperation[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** A consistent read; undefined where it failed. */
  async read(client: Client, who: string): Promise<{ value: RegisterValue; object?: ConfigMap } | undefined> {
    const calledAt = performance.now();
    const record = (value: RegisterValue) =>
      this.history.push({
        operation: { type: 'read', value },
        calledAt,
        returnedAt: performance.now(),
        outcome: 'done',
        client: who,
      });
    try {
      const object = await client.get(CONFIG_MAPS, { name: this.#name, namespace: NAMESPACE });
      record(object.data?.['value']);
      return { value: object.data?.['value'], object };
    } catch (error) {
      if (!isNotFound(error)) return undefined;
      record(undefined);
      return { value: undefined };
    }
  }

  /** Writes `next` if nothing was written since `seen`; whether it was done. */
  async swap(
    client: Client,
    who: string,
    { seen, next }: { seen: { value: RegisterValue; object?: ConfigMap }; next: string },
  ): Promise<RecordedOperation['outcome']> {
    const calledAt = performance.now();
    const outcome = await this.#write(client, seen.object, next);
    this.history.push({
      operation: { type: 'swap', expected: seen.value, next },
      calledAt,
      returnedAt: outcome === 'unknown' ? Number.POSITIVE_INFINITY : performance.now(),
      outcome,
      client: who,
    });
    return outcome;
  }

  async #write(client: Client, seen: ConfigMap | undefined, next: string): Promise<RecordedOperation['outcome']> {
    try {
      if (seen !== undefined) await client.update(CONFIG_MAPS, { ...seen, data: { value: next } });
      else {
        const metadata = { name: this.#name, namespace: NAMESPACE };
        await client.create(CONFIG_MAPS, { kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { value: next } });
      }
      return 'done';
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) return 'refused';
      if (error instanceof StatusError && error.code >= 500) return 'unknown';
      throw error;
    }
  }
}
