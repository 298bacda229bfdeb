import { ResourceRegistry } from '#api/registry/registry.ts';
import { builtinSchemas } from '#api/schema/load.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { MemoryStore } from '#store/memory/memory-store.ts';
import { type ApiServer, createApiServer } from '../api-server.ts';
import { LocalClient, type LocalClientOptions } from '../local-client.ts';
import type { Authorizer, UserInfo } from '../pipeline/types.ts';
import type { ApiServerDeps } from '../server-parts.ts';

export const ADMIN: UserInfo = { username: 'admin', groups: ['system:masters'] };

export const ALLOW_ALL: Authorizer = {
  authorize: () => ({ type: 'allow', reason: '' }),
  rulesFor: () => ({ resourceRules: [], nonResourceRules: [] }),
};

export interface TestServer extends AsyncDisposable {
  close(): Promise<void>;
  readonly server: ApiServer;
  readonly store: MemoryStore;
  readonly executor: Executor;
  readonly client: LocalClient;
  clientFor(user: UserInfo, options?: LocalClientOptions): LocalClient;
}

/** A server over an empty store in memory, where everybody may do everything. */
export async function startTestServer(executor: Executor, deps: Partial<ApiServerDeps> = {}): Promise<TestServer> {
  const store = new MemoryStore({ clock: executor.clock });
  const server = await createApiServer({
    store,
    executor,
    registry: new ResourceRegistry(),
    schemas: builtinSchemas(),
    log: silentLogger,
    authenticator: { authenticate: () => Promise.resolve(undefined) },
    authorizer: ALLOW_ALL,
    ...deps,
  });
  const clientFor = (user: UserInfo, options?: LocalClientOptions) => new LocalClient(server, user, options);
  const close = async (): Promise<void> => {
    await server.close();
    await store.close();
  };
  return {
    server,
    store,
    executor,
    client: clientFor(ADMIN),
    clientFor,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Runs a test's steps under virtual time: the executor moves whenever the steps wait. */
export async function underVirtualTime<T>(
  seed: string,
  steps: (executor: SimulatedExecutor) => Promise<T>,
): Promise<T> {
  const executor = new SimulatedExecutor({ seed });
  let outcome: { value: T } | { error: unknown } | undefined;
  steps(executor).then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  await executor.settle();
  while (outcome === undefined)
    await executor.runUntil(() => outcome !== undefined, { limitMs: 3_600_000, what: 'the test' });
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
