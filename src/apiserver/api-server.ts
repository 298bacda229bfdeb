import type { ApiRequest, ApiResponse } from './pipeline/types.ts';
import type { ApiServerDeps, ServerParts } from './server-parts.ts';

/** A running API server without sockets: `listenHttps` and `LocalClient` hand it requests. */
export interface ApiServer {
  readonly parts: ServerParts;
  /** Never rejects: failures are answered as Status objects. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Ends watches and waits for requests in flight. Does not close the store. */
  close(): Promise<void>;
}

/** Loads the watch caches and composes the pipeline; resolves when requests can be served. */
export function createApiServer(_deps: ApiServerDeps): Promise<ApiServer> {
  throw new Error('not built yet');
}
