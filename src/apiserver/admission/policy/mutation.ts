import type { ResourceDefinition } from '#api/registry/resource.ts';
import { objectNameProblem } from '#machinery/cel/kubernetes/object-types.ts';
import { toJson } from '#machinery/cel/values/json.ts';
import { CelStruct } from '#machinery/cel/values/value.ts';
import { deepCopy } from '#machinery/codec/deep.ts';
import { mergeApplied } from '#machinery/managed-fields/merge.ts';
import { childPlan, type Plan, planOf } from '#machinery/managed-fields/plan.ts';
import { typedErrors, typedErrorText } from '#machinery/managed-fields/typed-errors.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { applyJsonPatch } from '#machinery/patch/json-patch.ts';
import { PatchError } from '#machinery/patch/errors.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import type { ObjectType } from './versions.ts';

/** Why an expression's value cannot be used as a mutation. */
export class MutationError extends Error {
  readonly code = 'invalidMutation';
  override readonly name = 'MutationError';
}

/** What a mutation may know of the object. */
export interface MutationTarget {
  readonly type: ObjectType;
  /** The resource whose rules hold for the object; a subresource's own kind has none. */
  readonly definition: ResourceDefinition;
}

const UNTYPED: Plan = { type: 'deduced' };

/** The object with an apply configuration merged into it, as server-side apply merges (KEP-3962). */
export function mergeConfiguration(object: KubeObject, made: unknown, target: MutationTarget): KubeObject {
  const problem = objectNameProblem(made);
  if (problem !== undefined) throw new MutationError(`type mismatch: ${problem}`);
  const { apiVersion, kind, schemas, schemaName } = target.type;
  // Safe: the expression's type is `Object`, which is an object.
  const configuration = { ...(toJson(made) as Record<string, unknown>), apiVersion, kind };
  const errors = typedErrors(schemas, schemaName, configuration);
  if (errors.length > 0) {
    const text = typedErrorText(errors);
    throw new MutationError(`error applying patch: failed to convert patch object to typed object: ${text}`);
  }
  const plan = planOf(schemas, schemaName).root;
  const atomics = atomicPaths(plan, configuration, '');
  if (atomics.length > 0) {
    const paths = atomics.join(', ');
    throw new MutationError(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${paths}`,
    );
  }
  // Safe: an object merged with fields is an object.
  return finished(deepCopy(mergeApplied(plan, object, configuration)) as KubeObject, target);
}

/** The object with the operations of a JSON patch done to it; the object itself where a test of the patch fails. */
export function patchByOperations(object: KubeObject, made: unknown, target: MutationTarget): KubeObject {
  const operations: unknown[] = Array.isArray(made) ? made : [];
  for (const operation of operations) checkOperation(operation);
  try {
    // Safe: what is not an object any more is refused below.
    return finished(applyJsonPatch(object, toJson(made)) as KubeObject, target);
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    if (error.isFailedTest) return object;
    throw new MutationError(`JSON Patch: ${error.message}`);
  }
}

function checkOperation(operation: unknown): void {
  const value = operation instanceof CelStruct && operation.has('value') ? operation.get('value') : undefined;
  const problem = value === undefined ? undefined : objectNameProblem(value);
  if (problem !== undefined) throw new MutationError(`type mismatch: ${problem}`);
}

/** Prunes and defaults what came out, as if a client had sent it. */
function finished(object: KubeObject, { definition, type }: MutationTarget): KubeObject {
  if (
    typeof object !== 'object' ||
    object === null ||
    object.kind !== type.kind ||
    object.apiVersion !== type.apiVersion
  ) {
    throw new MutationError('a mutation must not change apiVersion or kind');
  }
  // The write itself prunes and defaults custom resources.
  if (definition.isCustom === true) return object;
  const { value, errors } = compileSchema(type.schemas, type.schemaName).decode(object, { mode: 'prune' });
  const [error] = errors;
  if (error !== undefined) throw new MutationError(`${error.path}: ${error.message}`);
  // Safe: decoded by the kind's own schema.
  const next = value as KubeObject;
  if (next.kind === definition.kind) definition.strategy.applyDefaults?.(next);
  return next;
}

/** The lists, maps and structs in a configuration that are owned as a whole. */
function atomicPaths(plan: Plan, value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (plan.type === 'leaf') return [path];
  if (Array.isArray(value)) {
    if (plan.type !== 'list') return plan.type === 'deduced' ? [path] : [];
    return value.flatMap((item, index) => atomicPaths(plan.items, item, `${path}[${index}]`));
  }
  if (plan.type === 'set' || plan.type === 'list') return [];
  return Object.entries(value).flatMap(([name, child]) =>
    atomicPaths(childPlan(plan, name) ?? UNTYPED, child, `${path}.${name}`),
  );
}
