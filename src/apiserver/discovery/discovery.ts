import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import { parseAccept } from '../endpoints/representation/accept.ts';
import { encodeBody } from '../endpoints/representation/bodies.ts';
import type { Forms } from '../endpoints/representation/forms.ts';
import { type Encoding, MEDIA_TYPES } from '../endpoints/representation/negotiate.ts';
import { type ApiResponse, type Handler, jsonResponse, type RequestContext, textResponse } from '../pipeline/types.ts';
import { AggregatedDiscovery } from './aggregated.ts';
import { apiVersionsDocument, groupDocument, groupListDocument, resourceListDocument } from './documents.ts';

const AGGREGATED_VERSIONS = ['v2', 'v2beta1'] as const;

/** `/api`, `/apis` and everything below that is not a resource. */
export function discoveryHandler(registry: ResourceRegistry, serverAddress: string, forms: Forms): Handler {
  const cache = new Map<string, AggregatedBody>();
  const aggregate = new AggregatedDiscovery(registry);

  const aggregated = async (
    { request }: RequestContext,
    isLegacy: boolean,
    { version, encoding }: AggregatedForm,
  ): Promise<ApiResponse> => {
    const key = `${isLegacy} ${version} ${encoding}`;
    const registered = registry.revision;
    let document = cache.get(key);
    if (document?.registered !== registered) {
      await forms.load(encoding);
      const text = aggregate.document({ isLegacy, version });
      // One tag for all encodings: it names what they say.
      const etag = `"${createHash('sha512').update(text).digest('hex').toUpperCase()}"`;
      const body =
        encoding === 'json' ? [Buffer.from(text)] : encodeBody(forms, JSON.parse(text), { encoding, isPretty: false });
      document = { registered, body, etag };
      cache.set(key, document);
    }
    const headers = {
      'content-type': `${MEDIA_TYPES[encoding]};g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      etag: document.etag,
      vary: 'Accept',
      'cache-control': 'public',
    };
    if (request.headers['if-none-match'] === document.etag) return { type: 'bytes', status: 304, headers, body: [] };
    return { type: 'bytes', status: 200, headers, body: document.body };
  };

  return (context) => {
    const parts = context.info.path.split('/').filter((part) => part !== '');
    const isLegacy = parts[0] === 'api';
    if (parts.length === 1) {
      const form = aggregatedForm(context.request.headers['accept'] ?? '', forms.encodings);
      if (form !== undefined) return aggregated(context, isLegacy, form);
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

interface AggregatedForm {
  readonly version: 'v2' | 'v2beta1';
  readonly encoding: Encoding;
}

interface AggregatedBody {
  readonly registered: number;
  readonly body: readonly Uint8Array[];
  readonly etag: string;
}

/** The first aggregated form that stands in the header before a plain one. */
function aggregatedForm(accept: string, encodings: readonly Encoding[]): AggregatedForm | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    const isAny = type === '*/*' || type === 'application/*';
    const encoding = encodings.find((known) => isAny || MEDIA_TYPES[known] === type);
    if (encoding === undefined) continue;
    const as = parameters.get('as');
    if (as === undefined) return undefined;
    if (as !== 'APIGroupDiscoveryList' || parameters.get('g') !== 'apidiscovery.k8s.io') continue;
    const version = AGGREGATED_VERSIONS.find((known) => parameters.get('v') === known);
    if (version !== undefined) return { version, encoding };
  }
  return undefined;
}
