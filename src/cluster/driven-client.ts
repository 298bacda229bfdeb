import type { Client } from '#client/client.ts';

/** Runs whatever a promise waits for, until it is settled. */
export type Drive = <T>(promise: Promise<T>) => Promise<T>;

/**
 * A client for a test under virtual time: each call drives the cluster until it is answered. Calls are driven one
 * after the other, in the order they were made, so that a run stays replayable.
 */
export function drivenClient(client: Client, drive: Drive): Client {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(call: () => Promise<T>): Promise<T> => {
    const result = last.then(() => drive(call()));
    // A failure is the caller's; the next call goes ahead.
    last = result.catch(() => undefined);
    return result;
  };
  return {
    get: (resource, name, options) => inTurn(() => client.get(resource, name, options)),
    list: (resource, options) => inTurn(() => client.list(resource, options)),
    create: (resource, object, options) => inTurn(() => client.create(resource, object, options)),
    update: (resource, object, options) => inTurn(() => client.update(resource, object, options)),
    patch: (resource, name, patch, options) => inTurn(() => client.patch(resource, name, patch, options)),
    delete: (resource, name, options) => inTurn(() => client.delete(resource, name, options)),
    deleteCollection: (resource, options) => inTurn(() => client.deleteCollection(resource, options)),
    createSubresource: (resource, name, subresource, body, options) =>
      inTurn(() => client.createSubresource(resource, name, subresource, body, options)),
    raw: (request) => inTurn(() => client.raw(request)),
    close: () => client.close(),
    // Events arrive while other calls run the cluster; a watch by itself moves nothing.
    watch: (resource, options) => client.watch(resource, options),
  };
}
