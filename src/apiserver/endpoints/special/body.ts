import { badRequest } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { RequestContext } from '../../pipeline/types.ts';
import { negotiate } from '../representation/negotiate.ts';
import { readBody } from '../write/body.ts';

/** Reads the object of a review or token request, of the kind asked for. */
export async function readObject(
  context: RequestContext,
  expected: { apiVersion: string; kind: string },
): Promise<KubeObject & Record<string, unknown>> {
  negotiate(context.request, { objectOnly: true });
  const { value } = await readBody(context, expected.kind);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw cannotHandle(expected, 'it is no object');
  // Safe: a JSON object is read by its own keys.
  const given = value as Record<string, unknown>;
  const { kind = expected.kind, apiVersion = expected.apiVersion } = given;
  if (kind !== expected.kind || apiVersion !== expected.apiVersion) {
    throw badRequest(
      `${expected.kind} in version "${versionOf(expected.apiVersion)}" cannot be handled as a ${text(kind)}`,
    );
  }
  // Safe: the three fields of a KubeObject are set here; callers check the rest.
  return { ...given, kind, apiVersion, metadata: fields(given['metadata']) as KubeObject['metadata'] };
}

function cannotHandle({ apiVersion, kind }: { apiVersion: string; kind: string }, reason: string): Error {
  return badRequest(`${kind} in version "${versionOf(apiVersion)}" cannot be handled as a ${kind}: ${reason}`);
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
