import { type Client, ConnectionError } from '#client/client.ts';

/** Tries of one call; where one in six is lost, one call in ten thousand stays lost. */
const TRIES = 5;

/**
 * A client whose reads and deletions of collections are sent again where the connection failed: what they ask for is
 * the same however often it is asked. For work of many calls, all of which must succeed in one go.
 */
export function patientReads(client: Client, signal: AbortSignal): Client {
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof ConnectionError) || left === 0 || signal.aborted) throw error;
      }
    }
  };
  return {
    get: (resource, name, options) => again(() => client.get(resource, name, options)),
    list: (resource, options) => again(() => client.list(resource, options)),
    raw: (request) => (request.method === 'GET' ? again(() => client.raw(request)) : client.raw(request)),
    deleteCollection: (resource, options) => again(() => client.deleteCollection(resource, options)),
    create: (resource, object, options) => client.create(resource, object, options),
    update: (resource, object, options) => client.update(resource, object, options),
    patch: (resource, name, patch, options) => client.patch(resource, name, patch, options),
    delete: (resource, name, options) => client.delete(resource, name, options),
    createSubresource: (resource, name, subresource, body, options) =>
      client.createSubresource(resource, name, subresource, body, options),
    watch: (resource, options) => client.watch(resource, options),
    close: () => client.close(),
  };
}
