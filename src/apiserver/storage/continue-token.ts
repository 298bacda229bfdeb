import { badRequest } from '#machinery/errors/status-error.ts';
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

export function decodeContinue(prefix: string, token: string): ContinuePosition {
  const { v, rv, start } = parseToken(token);
  if (v !== 'meta.k8s.io/v1') throw badRequest('continue key is not valid: incorrect encoded version');
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0) {
    throw badRequest('continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  }
  if (typeof start !== 'string' || start === '') {
    throw badRequest('continue key is not valid: encoded start key empty (version meta.k8s.io/v1)');
  }
  if (start.split('/').includes('..')) throw badRequest(`continue key is not valid: ${start}`);
  return { revision: rv < 0 ? undefined : rv, startKey: prefix + start };
}

function parseToken(token: string): { v?: unknown; rv?: unknown; start?: unknown } {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch (error) {
    throw badRequest(`continue key is not valid: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw badRequest('continue key is not valid: not an object');
}
