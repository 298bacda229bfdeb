import { badRequest, notAcceptable } from '#machinery/errors/status-error.ts';
import type { ApiRequest } from '../../pipeline/types.ts';
import { isTrue } from '../../pipeline/request-info.ts';

/** What an answer shows of an object. */
export type Shape =
  | { readonly type: 'object' }
  | {
      readonly type: 'table';
      readonly version: 'v1' | 'v1beta1';
      readonly includeObject: 'None' | 'Metadata' | 'Object';
    }
  | { readonly type: 'partial'; readonly version: 'v1' | 'v1beta1' };

export interface Representation {
  readonly shape: Shape;
  readonly encoding: 'json' | 'yaml';
  /** Indented JSON, for people. */
  readonly isPretty: boolean;
  /** The caller is in this process and takes shared frozen objects. */
  readonly isFrozen: boolean;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const META_GROUP = 'meta.k8s.io';
const PLAIN: Representation = { shape: { type: 'object' }, encoding: 'json', isPretty: false, isFrozen: false };
const FROZEN: Representation = { ...PLAIN, isFrozen: true };
const OFFERED = ['application/json', 'application/yaml'];
const JSON_RANGES = new Set(['application/json', 'application/*', '*/*']);

/**
 * Picks what the client likes best of what the server can send; 406 where it can send nothing of it. What has no
 * stored object behind it, such as a review, has no table either.
 */
export function negotiate(request: ApiRequest, options: { objectOnly?: boolean } = {}): Representation {
  if (request.wantsFrozen === true) return FROZEN;
  const accept = request.headers['accept'] ?? '';
  const isPretty = wantsPretty(request);
  if (accept === '' || accept === 'application/json') return isPretty ? { ...PLAIN, isPretty } : PLAIN;
  for (const range of parseAccept(accept)) {
    const encoding = JSON_RANGES.has(range.type) ? 'json' : range.type === 'application/yaml' ? 'yaml' : undefined;
    if (encoding === undefined) continue;
    const shape = shapeOf(range, request);
    if (options.objectOnly === true && shape?.type !== 'object') continue;
    if (shape !== undefined) return { shape, encoding, isPretty, isFrozen: false };
  }
  throw notAcceptable(OFFERED);
}

export function contentTypeOf({ encoding }: Representation): string {
  return encoding === 'yaml' ? 'application/yaml' : 'application/json';
}

function shapeOf({ parameters }: MediaRange, request: ApiRequest): Shape | undefined {
  const as = parameters.get('as');
  if (as === undefined) return { type: 'object' };
  const version = parameters.get('v') ?? 'v1';
  if (parameters.get('g') !== META_GROUP || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (as === 'Table') return { type: 'table', version, includeObject: includeObjectOf(request) };
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

// Upstream indents for browsers and curl, and for whoever asks.
function wantsPretty({ query, headers }: ApiRequest): boolean {
  const pretty = query.get('pretty');
  if (pretty !== null) return isTrue(pretty);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '');
}

function parseAccept(header: string): MediaRange[] {
  const ranges = header.split(',').map(parseRange);
  return ranges.filter((range) => range.quality > 0).sort((a, b) => b.quality - a.quality);
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const equals = parameter.indexOf('=');
    if (equals > 0) parameters.set(parameter.slice(0, equals), parameter.slice(equals + 1).replace(/^"|"$/g, ''));
  }
  const quality = Number(parameters.get('q') ?? '1');
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality };
}
