import { type Client, ConnectionError, type WatchEvent, type WatchOptions } from '#client/client.ts';
import { conflict, OPTIMISTIC_LOCK_DETAIL, resourceExpired } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Random } from '#machinery/random/random.ts';

/** How often what goes wrong; each a share of calls or, for watches, of events. */
export interface FaultRates {
  /** Writes refused with 409, as if somebody else had been first. */
  readonly conflicts: number;
  /** Calls that never reach the server. */
  readonly lostCalls: number;
  /** Calls that the server carried out, but whose answer is lost. */
  readonly lostAnswers: number;
  /** Events after which the watch ends. */
  readonly endedWatches: number;
  /** Events after which the watch ends with 410, so that the watcher must list anew. */
  readonly expiredWatches: number;
}

const NO_FAULTS: FaultRates = { conflicts: 0, lostCalls: 0, lostAnswers: 0, endedWatches: 0, expiredWatches: 0 };

/** A client on a bad line. What goes wrong, and when, is the seed's. */
export function faultyClient(client: Client, { random, ...given }: Partial<FaultRates> & { random: Random }): Client {
  const rates = { ...NO_FAULTS, ...given };
  const happens = (rate: number): boolean => rate > 0 && random.float() < rate;
  const read = async <T>(call: () => Promise<T>): Promise<T> => {
    if (happens(rates.lostCalls)) throw new ConnectionError('injected fault: the call was lost');
    const answer = await call();
    if (happens(rates.lostAnswers)) throw new ConnectionError('injected fault: the answer was lost');
    return answer;
  };
  const change = async <T>(target: { group: string; resource: string; name: string }, call: () => Promise<T>) => {
    if (happens(rates.conflicts)) throw conflict(target, OPTIMISTIC_LOCK_DETAIL);
    return read(call);
  };
  const changeOf =
    (target: { group: string; resource: string; name: string }) =>
    <T>(call: () => Promise<T>): Promise<T> =>
      change(target, call);
  const named = ({ group, resource }: { group: string; resource: string }, name: string | undefined) => ({
    group,
    resource,
    name: name ?? '',
  });
  return {
    get: (resource, name, options) => read(() => client.get(resource, name, options)),
    list: (resource, options) => read(() => client.list(resource, options)),
    create: (resource, object, options) => read(() => client.create(resource, object, options)),
    update: (resource, object, options) =>
      change(named(resource, object.metadata.name), () => client.update(resource, object, options)),
    patch: (resource, name, patch, options) =>
      change(named(resource, name.name), () => client.patch(resource, name, patch, options)),
    // Nobody can be first where no version is asked for: there a conflict says that the uid is another's.
    delete: (resource, name, options) =>
      (options?.preconditions?.resourceVersion === undefined ? read : changeOf(named(resource, name.name)))(() =>
        client.delete(resource, name, options),
      ),
    deleteCollection: (resource, options) => read(() => client.deleteCollection(resource, options)),
    createSubresource: (resource, name, subresource, body, options) =>
      read(() => client.createSubresource(resource, name, subresource, body, options)),
    raw: (request) => read(() => client.raw(request)),
    close: () => client.close(),
    watch: (resource, options) => faultyWatch(client.watch(resource, options), { rates, happens, options }),
  };
}

async function* faultyWatch<T extends KubeObject>(
  watch: AsyncIterable<WatchEvent<T>>,
  context: { rates: FaultRates; happens: (rate: number) => boolean; options: WatchOptions },
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { rates, happens } = context;
  for await (const event of watch) {
    // Before the event, so that it is the one that must not be missed.
    if (happens(rates.endedWatches)) return;
    if (happens(rates.expiredWatches)) throw resourceExpired('injected fault: too old resource version');
    yield event;
  }
}
