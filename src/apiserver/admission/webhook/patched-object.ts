import type { ResourceDefinition } from '#api/registry/resource.ts';
import { decodeJson } from '#machinery/codec/json.ts';
import { internalError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { applyJsonPatch } from '#machinery/patch/json-patch.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import { CallError } from './failures.ts';
import type { ReviewAnswer } from './review.ts';

/** The object as a webhook wants it, pruned and defaulted; `undefined` where it wants no change. */
export function patchedObject(
  object: KubeObject | undefined,
  { patch, patchType }: ReviewAnswer,
  target: { webhook: string; definition: ResourceDefinition; schemas: SchemaSet },
): KubeObject | undefined {
  if (patch === undefined) return undefined;
  const operations = decoded(patch);
  if (Array.isArray(operations) && operations.length === 0) return undefined;
  if (object === undefined) {
    const webhook = JSON.stringify(target.webhook);
    const text = `admission webhook ${webhook} attempted to modify the object, which is not supported for this operation`;
    throw internalError(new Error(text));
  }
  if (patchType !== 'JSONPatch') {
    throw new CallError(target.webhook, `unsupported patch type ${JSON.stringify(patchType)}`);
  }
  let changed: unknown;
  try {
    changed = applyJsonPatch(object, operations);
  } catch (error) {
    throw internalError(error);
  }
  return finished(changed, object, target);
}

function decoded(patch: string): unknown {
  try {
    return decodeJson(Buffer.from(patch, 'base64')).value;
  } catch (error) {
    throw internalError(error);
  }
}

function finished(
  changed: unknown,
  before: KubeObject,
  { definition, schemas }: { definition: ResourceDefinition; schemas: SchemaSet },
): KubeObject {
  if (typeof changed !== 'object' || changed === null || Array.isArray(changed)) {
    throw internalError(new Error('json: cannot unmarshal the patched document into an object'));
  }
  // Safe: an object; what it says of itself is checked next, the rest by the schema.
  const next = changed as KubeObject;
  if (next.kind !== before.kind || next.apiVersion !== before.apiVersion) {
    const [was, is] = [`${before.apiVersion}, Kind=${before.kind}`, `${next.apiVersion}, Kind=${next.kind}`];
    throw internalError(new Error(`invalid conversion: a webhook must not make ${is} of ${was}`));
  }
  if (typeof next.metadata !== 'object' || next.metadata === null) next.metadata = {};
  // Subresources speak kinds of their own, which are read where they are used.
  if (next.kind !== definition.kind) return next;
  const { custom, schemaName, strategy } = definition;
  const schema = custom === undefined ? compileSchema(schemas, schemaName) : custom.decoder;
  const { value, errors } = schema.decode(next, { mode: 'prune' });
  const [error] = errors;
  if (error !== undefined) throw internalError(new Error(error.message));
  // Safe: decoded by the kind's own schema.
  const read = { ...(value as KubeObject), kind: next.kind, apiVersion: next.apiVersion };
  read.metadata ??= {};
  strategy.applyDefaults?.(read);
  return read;
}
