import type { ResourceDefinition } from '#api/registry/resource.ts';
import { objectNameProblem } from '#machinery/cel/kubernetes/object-types.ts';
import { toJson } from '#machinery/cel/values/json.ts';
import { deepCopy } from '#machinery/codec/deep.ts';
import { mergeApplied } from '#machinery/managed-fields/merge.ts';
import { childPlan, type Plan, planOf } from '#machinery/managed-fields/plan.ts';
import { apiVersionOf, type KubeObject } from '#machinery/meta/types.ts';
import { applyJsonPatch } from '#machinery/patch/json-patch.ts';
import { PatchError } from '#machinery/patch/errors.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';

/** Why an expression's value cannot be used as a mutation. */
export class MutationError extends Error {
  readonly code = 'invalidMutation';
  override readonly name = 'MutationError';
}

/** What a mutation may know of the object's kind. */
export interface MutationTarget {
  readonly definition: ResourceDefinition;
  readonly schemas: SchemaSet;
}

const UNTYPED: Plan = { type: 'deduced' };

/** The object with an apply configuration merged into it, as server-side apply merges (KEP-3962). */
export function mergeConfiguration(object: KubeObject, made: unknown, target: MutationTarget): KubeObject {
  const problem = objectNameProblem(made);
  if (problem !== undefined) throw new MutationError(`type mismatch: ${problem}`);
  const configuration = toJson(made);
  const plan =
    target.definition.isCustom === true ? UNTYPED : planOf(target.schemas, target.definition.schemaName).root;
  const atomic = atomicPath(plan, configuration, '');
  if (atomic !== undefined) {
    throw new MutationError(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic}`);
  }
  // Safe: an object merged with fields is an object.
  return finished(deepCopy(mergeApplied(plan, object, configuration)) as KubeObject, target);
}

/** The object with the operations of a JSON patch done to it. */
export function patchByOperations(object: KubeObject, made: unknown, target: MutationTarget): KubeObject {
  try {
    // Safe: what is not an object any more is refused below.
    return finished(applyJsonPatch(object, toJson(made)) as KubeObject, target);
  } catch (error) {
    if (error instanceof PatchError) throw new MutationError(error.message);
    throw error;
  }
}

/** Prunes and defaults what came out, as if a client had sent it. */
function finished(object: KubeObject, { definition, schemas }: MutationTarget): KubeObject {
  const { kind } = definition;
  if (
    typeof object !== 'object' ||
    object === null ||
    object.kind !== kind ||
    object.apiVersion !== apiVersionOf(definition)
  ) {
    throw new MutationError('a mutation must not change apiVersion or kind');
  }
  if (definition.isCustom === true) return object;
  const { value, errors } = compileSchema(schemas, definition.schemaName).decode(object, { mode: 'prune' });
  const [error] = errors;
  if (error !== undefined) throw new MutationError(`${error.path}: ${error.message}`);
  // Safe: decoded by the kind's own schema.
  const next = value as KubeObject;
  definition.strategy.applyDefaults?.(next);
  return next;
}

/** The first list, map or struct in a configuration that is owned as a whole. */
function atomicPath(plan: Plan, value: unknown, path: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (plan.type === 'leaf') return path;
  if (Array.isArray(value)) {
    if (plan.type !== 'list') return plan.type === 'deduced' ? path : undefined;
    return first(value.map((item, index) => () => atomicPath(plan.items, item, `${path}[${index}]`)));
  }
  if (plan.type === 'set' || plan.type === 'list') return undefined;
  return first(
    Object.entries(value).map(
      ([name, child]) =>
        () =>
          atomicPath(childPlan(plan, name) ?? UNTYPED, child, `${path}.${name}`),
    ),
  );
}

function first(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const found = check();
    if (found !== undefined) return found;
  }
  return undefined;
}
