import { badRequest, unsupportedMediaType } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { RequestContext } from '../../pipeline/types.ts';
import { negotiate } from '../representation/negotiate.ts';

/** Reviews are small; upstream's general limit is enough for them too. */
const BODY_BYTES_MAX = 3 * 1024 * 1024;

/** Reads the JSON object of a review or token request, of the kind asked for. */
export async function readObject(
  context: RequestContext,
  expected: { apiVersion: string; kind: string },
): Promise<KubeObject & Record<string, unknown>> {
  const { headers } = context.request;
  negotiate(context.request, { objectOnly: true });
  const mediaType = (headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? '';
  if (mediaType !== 'application/json' && mediaType !== '' && mediaType !== '*/*') {
    throw unsupportedMediaType(['application/json']);
  }
  const bytes = await context.request.readBody(BODY_BYTES_MAX);
  const value = parse(bytes, expected.kind);
  const { kind = expected.kind, apiVersion = expected.apiVersion, metadata = {} } = value;
  if (kind !== expected.kind || apiVersion !== expected.apiVersion) {
    throw badRequest(
      `${expected.kind} in version "${versionOf(expected.apiVersion)}" cannot be handled as a ${String(kind)}`,
    );
  }
  // Safe: the three fields of a KubeObject are set here; callers check the rest.
  return { ...value, kind, apiVersion, metadata: metadata as KubeObject['metadata'] };
}

function parse(bytes: Uint8Array, kind: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    // Safe: checked to be a JSON object.
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${String(error)}`);
  }
  throw badRequest(`the object provided is unrecognized (must be of type ${kind})`);
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1);
}

/** A JSON object field that may be absent. */
export function fields(value: unknown): Record<string, unknown> {
  // Safe: checked to be an object.
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
