import type { Client, ResourceType } from '#client/client.ts';
import { isExpired } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

export interface FollowHandlers<T> {
  /** The whole state, after each (re)listing. What is not in it is gone. */
  onState(items: readonly T[]): void;
  onEvent(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
}

export interface FollowOptions {
  readonly namespace?: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal;
}

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;

/** Lists and then watches until the signal fires, starting over whenever the watch is lost. Never fails. */
export async function follow<T extends KubeObject>(
  deps: { client: Client; executor: Executor; log: Logger },
  resource: ResourceType<T>,
  options: FollowOptions,
  handlers: FollowHandlers<T>,
): Promise<void> {
  const { client, executor, log } = deps;
  const { signal, ...scope } = options;
  let retryMs = RETRY_MIN_MS;
  while (!signal.aborted) {
    try {
      const list = await client.list(resource, { ...scope, signal });
      // Aborted while it was under way: nobody listens any more.
      if (signal.aborted) return;
      handlers.onState(list.items);
      retryMs = RETRY_MIN_MS;
      await watch(deps, { resource, options, handlers, from: list.metadata.resourceVersion });
    } catch (error) {
      if (signal.aborted) return;
      if (!isExpired(error))
        log.info('watch failed, starting over', { resource: resource.resource, error: String(error) });
      await executor.clock.sleep(retryMs, { signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }
}

/** Resumes the watch where it ended, as long as the server lets it. */
async function watch<T extends KubeObject>(
  { client, executor }: { client: Client; executor: Executor },
  input: {
    resource: ResourceType<T>;
    options: FollowOptions;
    handlers: FollowHandlers<T>;
    from: string | undefined;
  },
): Promise<void> {
  const { signal, ...scope } = input.options;
  let version = input.from;
  while (!signal.aborted) {
    let seen = 0;
    const at = version === undefined ? {} : { resourceVersion: version };
    for await (const event of client.watch(input.resource, { ...scope, ...at, allowWatchBookmarks: true, signal })) {
      if (signal.aborted) return;
      seen += 1;
      version = event.object.metadata.resourceVersion ?? version;
      if (event.type !== 'BOOKMARK') input.handlers.onEvent(event.type, event.object);
    }
    // A server that ends every watch at once must not be asked in a loop.
    if (seen === 0) await executor.clock.sleep(RETRY_MIN_MS, { signal }).catch(() => undefined);
  }
}
