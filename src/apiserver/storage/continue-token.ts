import { posix } from 'node:path';
import { decodeJson } from '#machinery/codec/json.ts';
import { badRequest, type StatusError } from '#machinery/errors/status-error.ts';
import { jsonKind } from '#machinery/schema/go-types.ts';
import type { Revision } from '#store/store.ts';

/** Where the next page of a list starts. */
export interface ContinuePosition {
  /** Undefined: at whatever revision is current (a list that may be inconsistent with its first pages). */
  readonly revision: Revision | undefined;
  /** First key of the next page, absolute. */
  readonly startKey: string;
}

/** Upstream's form: base64url of `{"v":"meta.k8s.io/v1","rv":…,"start":…}`; `start` is relative to the list's prefix. */
export function encodeContinue(prefix: string, { revision, startKey }: ContinuePosition): string {
  const token = { v: 'meta.k8s.io/v1', rv: revision ?? -1, start: startKey.slice(prefix.length) };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** Reads a token that a client sent; 400 in upstream's words where it is none of ours. */
export function decodeContinue(prefix: string, token: string): ContinuePosition {
  const { v, rv, start } = parseToken(token);
  if (v !== VERSION) throw invalidToken(`server does not recognize this encoded version ${v}`);
  if (rv === 0) throw invalidToken('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (start === '') throw invalidToken('encoded start key empty (version meta.k8s.io/v1)');
  const key = start.startsWith('/') ? start : `/${start}`;
  // A client must not get out of the list's own keys.
  if (posix.normalize(key).replace(/(.)\/$/, '$1') !== key) throw invalidToken(start);
  return { revision: rv < 0 ? undefined : rv, startKey: prefix + key.slice(1) };
}

const VERSION = 'meta.k8s.io/v1';

function invalidToken(detail: string): StatusError {
  return badRequest(`invalid continue token: continue key is not valid: ${detail}`);
}

function parseToken(token: string): { v: string; rv: number; start: string } {
  if (!/^[\w-]*$/.test(token) || token.length % 4 === 1) {
    const at = Math.max(0, token.search(/[^\w-]/));
    throw invalidToken(`illegal base64 data at input byte ${at}`);
  }
  let parsed: unknown;
  try {
    ({ value: parsed } = decodeJson(Buffer.from(token, 'base64url')));
  } catch (error) {
    throw invalidToken(error instanceof Error ? error.message : String(error));
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalidToken(`json: cannot unmarshal ${jsonKind(parsed)} into Go value of type storage.continueToken`);
  }
  const { v = '', rv = 0, start = '' }: { v?: unknown; rv?: unknown; start?: unknown } = parsed;
  if (typeof v !== 'string') throw wrongField('v', v, 'string');
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv)) throw wrongField('rv', rv, 'int64');
  if (typeof start !== 'string') throw wrongField('start', start, 'string');
  return { v, rv, start };
}

function wrongField(name: string, value: unknown, type: string): StatusError {
  return invalidToken(
    `json: cannot unmarshal ${jsonKind(value)} into Go struct field continueToken.${name} of type ${type}`,
  );
}
