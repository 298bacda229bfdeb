import type { RequestInfo } from './types.ts';

const STREAMING_SUBRESOURCES = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

/** Requests that may last: neither timed out nor counted by flow control. The same set as upstream's. */
export function isLongRunning({ isResourceRequest, verb, subresource }: RequestInfo): boolean {
  return isResourceRequest && (verb === 'watch' || STREAMING_SUBRESOURCES.has(subresource));
}
