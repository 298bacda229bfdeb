import { badRequest, forbidden } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { type Call, targetOf } from './call.ts';
import { readObject } from './write/body.ts';
import { createObject } from './write/create.ts';
import { writeOptions } from './write/options.ts';
import { respondOutcome } from './write/outcome.ts';

/** POST to a collection. */
export async function create(call: Call): Promise<ApiResponse> {
  const options = writeOptions(call.context, { kind: 'CreateOptions' });
  const object = await readObject(call, options.fieldValidation);
  matchNamespace(call, object);
  checkCreatable(call, object);
  return respondOutcome(call, await createObject(call, object, options), 201);
}

/** While a custom resource's definition is being deleted nothing new of it may come. */
export function checkCreatable(call: Call, { metadata }: KubeObject): void {
  if (call.definition.custom?.isTerminating !== true) return;
  const detail = 'create not allowed while custom resource definition is terminating';
  throw forbidden(targetOf(call, metadata.name ?? ''), detail);
}

/** The object's namespace is the request's; where it says another, 400. */
export function matchNamespace({ context, definition }: Call, { metadata }: KubeObject): void {
  const namespace = definition.namespaced ? context.info.namespace : '';
  const given = metadata.namespace ?? '';
  if (namespace === '') delete metadata.namespace;
  else if (given === '' || given === namespace) metadata.namespace = namespace;
  else throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** The object of a write by name must say that name, 400; and the request's namespace, where it says one. */
export function matchName({ context, definition }: Call, { metadata }: KubeObject): void {
  const { name, namespace } = context.info;
  const given = metadata.name ?? '';
  if (given === '') {
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  }
  if (given !== name) {
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
  }
  const inside = metadata.namespace ?? '';
  if (definition.namespaced && inside !== '' && inside !== namespace) {
    throw badRequest(
      `the namespace of the object (${inside}) does not match the namespace on the request (${namespace})`,
    );
  }
}
