import { badRequest, notAcceptable } from '#machinery/errors/status-error.ts';
import type { ApiRequest } from '../../pipeline/types.ts';
import { type MediaRange, parseAccept } from './accept.ts';

/** What an answer shows of an object. */
export type Shape =
  | { readonly type: 'object' }
  | {
      readonly type: 'table';
      readonly version: 'v1' | 'v1beta1';
      readonly includeObject: 'None' | 'Metadata' | 'Object';
    }
  | { readonly type: 'partial'; readonly version: 'v1' | 'v1beta1' };

export type Encoding = 'json' | 'yaml' | 'protobuf' | 'cbor';

export interface Representation {
  readonly shape: Shape;
  readonly encoding: Encoding;
  /** Indented JSON, for people. */
  readonly isPretty: boolean;
  /** The caller is in this process and takes shared frozen objects. */
  readonly isFrozen: boolean;
}

/** What the server can send of something. */
export interface Offer {
  /** Best first: what a client gets that takes everything. Default: JSON, YAML and protobuf. */
  readonly encodings?: readonly Encoding[];
  /** Those of them that whole objects have; default: all. The metadata of custom resources has more. */
  readonly objectEncodings?: readonly Encoding[];
  /** What has no stored object behind it, such as a review, has no table either. */
  readonly objectOnly?: boolean;
  /** A stream of events, which YAML has no form for. */
  readonly isWatch?: boolean;
}

export const MEDIA_TYPES: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
  cbor: 'application/cbor',
};
export const BUILTIN_ENCODINGS: readonly Encoding[] = ['json', 'yaml', 'protobuf'];

const META_GROUP = 'meta.k8s.io';
const PLAIN: Representation = { shape: { type: 'object' }, encoding: 'json', isPretty: false, isFrozen: false };
const FROZEN: Representation = { ...PLAIN, isFrozen: true };

/** Picks what the client likes best of what the server can send; 406 where it can send nothing of it. */
export function negotiate(request: ApiRequest, offer: Offer = {}): Representation {
  if (request.wantsFrozen === true) return FROZEN;
  const found = accepted(request, offer);
  if (found !== undefined) return found;
  const encodings = offer.encodings ?? BUILTIN_ENCODINGS;
  throw notAcceptable(offer.isWatch === true ? streamTypes(encodings) : encodings.map((name) => MEDIA_TYPES[name]));
}

/** As `negotiate`, but undefined where there is nothing that both sides know. */
export function accepted(request: ApiRequest, offer: Offer): Representation | undefined {
  const accept = request.headers['accept'] ?? '';
  const isPretty = wantsPretty(request);
  if (accept === '' || accept === 'application/json') return isPretty ? { ...PLAIN, isPretty } : PLAIN;
  for (const range of parseAccept(accept)) {
    for (const encoding of offer.encodings ?? BUILTIN_ENCODINGS) {
      if (!matches(range, encoding, offer)) continue;
      const shape = shapeOf(range, { request, encoding, offer });
      if (shape === undefined) continue;
      if (shape.type === 'object' && offer.objectEncodings?.includes(encoding) === false) continue;
      // Upstream stops at the first that fits and then finds that it has no stream.
      if (offer.isWatch === true && encoding === 'yaml') return undefined;
      return { shape, encoding, isPretty: isPretty || range.parameters.get('pretty') === '1', isFrozen: false };
    }
  }
  return undefined;
}

export function contentTypeOf({ encoding }: Pick<Representation, 'encoding'>): string {
  return MEDIA_TYPES[encoding];
}

/** The type of a stream of watch events. */
export function watchTypeOf({ encoding }: Representation): string {
  if (encoding === 'cbor') return 'application/cbor-seq';
  return encoding === 'json' ? MEDIA_TYPES.json : `${MEDIA_TYPES[encoding]};stream=watch`;
}

function streamTypes(encodings: readonly Encoding[]): string[] {
  const streamed = encodings.filter((encoding) => encoding !== 'yaml');
  return streamed.map((encoding) =>
    encoding === 'cbor' ? 'application/cbor-seq' : `${MEDIA_TYPES[encoding]};stream=watch`,
  );
}

function matches({ type, parameters }: MediaRange, encoding: Encoding, offer: Offer): boolean {
  const isSequence = encoding === 'cbor' && offer.isWatch === true && type === 'application/cbor-seq';
  if (type !== '*/*' && type !== 'application/*' && type !== MEDIA_TYPES[encoding] && !isSequence) return false;
  const stream = parameters.get('stream') ?? '';
  return stream === '' || (stream === 'watch' && encoding !== 'yaml');
}

function shapeOf(
  { parameters }: MediaRange,
  { request, encoding, offer }: { request: ApiRequest; encoding: Encoding; offer: Offer },
): Shape | undefined {
  const as = parameters.get('as');
  const version = parameters.get('v');
  if (as === undefined && version === undefined && parameters.get('g') === undefined) return { type: 'object' };
  if (offer.objectOnly === true || parameters.get('g') !== META_GROUP) return undefined;
  if (version !== 'v1' && version !== 'v1beta1') return undefined;
  if (as === 'Table') {
    const isText = encoding === 'json' || encoding === 'yaml';
    return isText ? { type: 'table', version, includeObject: includeObjectOf(request) } : undefined;
  }
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? { type: 'partial', version }
    : undefined;
}

function includeObjectOf({ query }: ApiRequest): 'None' | 'Metadata' | 'Object' {
  const value = query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`unrecognized includeObject value: "${value}"`);
}

const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

// Upstream indents for browsers and curl, and for whoever asks.
function wantsPretty({ query, headers }: ApiRequest): boolean {
  const pretty = query.get('pretty') ?? '';
  if (pretty !== '') return TRUE_WORDS.has(pretty);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '');
}
