import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import { type ApiResponse, type Handler, jsonResponse, type RequestContext, textResponse } from '../pipeline/types.ts';
import { AggregatedDiscovery } from './aggregated.ts';
import { apiVersionsDocument, groupDocument, groupListDocument, resourceListDocument } from './documents.ts';

const AGGREGATED_VERSIONS = ['v2', 'v2beta1'] as const;

/** `/api`, `/apis` and everything below that is not a resource. */
export function discoveryHandler(registry: ResourceRegistry, serverAddress: string): Handler {
  const cache = new Map<string, { registered: number; body: Uint8Array; etag: string }>();
  const aggregate = new AggregatedDiscovery(registry);

  const aggregated = ({ request }: RequestContext, isLegacy: boolean, version: 'v2' | 'v2beta1'): ApiResponse => {
    const key = `${isLegacy} ${version}`;
    const registered = registry.revision;
    let document = cache.get(key);
    if (document?.registered !== registered) {
      const body = Buffer.from(aggregate.document({ isLegacy, version }));
      const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
      document = { registered, body, etag };
      cache.set(key, document);
    }
    const headers = {
      'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      etag: document.etag,
      vary: 'Accept',
      'cache-control': 'public',
    };
    if (request.headers['if-none-match'] === document.etag) return { type: 'bytes', status: 304, headers, body: [] };
    return { type: 'bytes', status: 200, headers, body: [document.body] };
  };

  return (context) => {
    const parts = context.info.path.split('/').filter((part) => part !== '');
    const isLegacy = parts[0] === 'api';
    if (parts.length === 1) {
      const version = aggregatedVersion(context.request.headers['accept'] ?? '');
      if (version !== undefined) return Promise.resolve(aggregated(context, isLegacy, version));
      const document = isLegacy ? apiVersionsDocument(serverAddress) : groupListDocument(registry);
      return Promise.resolve(jsonResponse(200, document, { vary: 'Accept' }));
    }
    const document = isLegacy
      ? resourceListDocument(registry, '', parts[1] ?? '')
      : parts.length === 2
        ? groupDocument(registry, parts[1] ?? '')
        : resourceListDocument(registry, parts[1] ?? '', parts[2] ?? '');
    const isFound = document !== undefined && parts.length <= (isLegacy ? 2 : 3);
    return Promise.resolve(isFound ? jsonResponse(200, document) : textResponse(404, '404 page not found\n'));
  };
}

/** The first aggregated form that stands in the header before plain JSON. */
function aggregatedVersion(accept: string): 'v2' | 'v2beta1' | undefined {
  for (const range of accept.split(',')) {
    const parameters = new Set(range.split(';').map((part) => part.trim()));
    if (!parameters.has('application/json') && !parameters.has('*/*')) continue;
    if (!parameters.has('as=APIGroupDiscoveryList') || !parameters.has('g=apidiscovery.k8s.io')) return undefined;
    const version = AGGREGATED_VERSIONS.find((known) => parameters.has(`v=${known}`));
    if (version !== undefined) return version;
  }
  return undefined;
}
