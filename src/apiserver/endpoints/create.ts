import { badRequest } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import type { Call } from './call.ts';
import { readObject } from './write/body.ts';
import { createObject } from './write/create.ts';
import { writeOptions } from './write/options.ts';
import { respondOutcome } from './write/outcome.ts';

/** POST to a collection. */
export async function create(call: Call): Promise<ApiResponse> {
  const options = writeOptions(call.context, { kind: 'CreateOptions' });
  const object = await readObject(call, options.fieldValidation);
  matchNamespace(call, object);
  return respondOutcome(call, await createObject(call, object, options), 201);
}

/** The object's namespace is the request's; where it says another, 400. */
export function matchNamespace({ context, definition }: Call, { metadata }: KubeObject): void {
  const namespace = definition.namespaced ? context.info.namespace : '';
  const given = metadata.namespace ?? '';
  if (namespace === '') delete metadata.namespace;
  else if (given === '' || given === namespace) metadata.namespace = namespace;
  else throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** The object's name is the one in the path; where it says another, 400. */
export function matchName({ context }: Call, { metadata }: KubeObject): void {
  const { name } = context.info;
  if ((metadata.name ?? '') === '') metadata.name = name;
  else if (metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name ?? ''}) does not match the name on the URL (${name})`);
  }
}
