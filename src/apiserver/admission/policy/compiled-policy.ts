import { EXPECTED, PolicyExpressions } from '#api/admissionregistration/v1/policy-expressions.ts';
import type { MatchCondition, ParamKind, Variable } from '#api/generated/types.ts';
import type { CelType } from '#machinery/cel/types/type.ts';
import { compilationErrorText } from '#machinery/cel/errors.ts';
import type { CelProgram } from '#machinery/cel/program.ts';

/** A program, or why there is none: a policy that was stored before a rule became stricter. */
export type Compiled = { readonly expression: string } & (
  | { readonly program: CelProgram }
  | { readonly problem: string }
);

export interface CompiledCondition {
  readonly name: string;
  readonly compiled: Compiled;
}

/** The expressions of a policy that validating and mutating ones have in common. */
export interface CompiledHead {
  readonly conditions: readonly CompiledCondition[];
  readonly variables: ReadonlyMap<string, CelProgram>;
  readonly compile: (expression: string, expected: readonly CelType[] | undefined) => Compiled;
}

export function compileHead(
  spec: {
    readonly paramKind?: ParamKind;
    readonly matchConditions?: readonly MatchCondition[];
    readonly variables?: readonly Variable[];
  },
  { makesObjects = false }: { makesObjects?: boolean } = {},
): CompiledHead {
  const { matchConditions = [], variables = [] } = spec;
  const expressions = new PolicyExpressions({
    hasParams: spec.paramKind !== undefined,
    hasVariables: variables.length > 0,
    makesObjects,
  });
  const compile = (expression: string, expected: readonly CelType[] | undefined): Compiled => {
    const result = expressions.compile(expression, expected);
    if (result.ok) return { expression, program: result.program };
    return { expression, problem: compilationErrorText(result.issues, expression) };
  };
  const conditions = compileConditions(matchConditions, compile);
  const programs = new Map<string, CelProgram>();
  for (const { name, expression } of variables) {
    const compiled = compile(expression, undefined);
    if ('program' in compiled) programs.set(name, compiled.program);
    expressions.declare(name, expression);
  }
  return { conditions, variables: programs, compile };
}

/** The conditions of a policy or a webhook. */
export function compileConditions(
  conditions: readonly MatchCondition[],
  compile: CompiledHead['compile'],
): CompiledCondition[] {
  return conditions.map(({ name, expression }) => ({ name, compiled: compile(expression, EXPECTED.condition) }));
}

/** Keeps what was compiled of each object until the object changes. */
export class CompiledCache<T> {
  readonly #compiled = new Map<string, { readonly resourceVersion: string; readonly value: T }>();

  /** Compiles anew only what has changed since. */
  get(
    object: { readonly metadata: { readonly uid?: string; readonly resourceVersion?: string } },
    compile: () => T,
  ): T {
    const { uid = '', resourceVersion = '' } = object.metadata;
    const known = this.#compiled.get(uid);
    if (known?.resourceVersion === resourceVersion) return known.value;
    const value = compile();
    this.#compiled.set(uid, { resourceVersion, value });
    return value;
  }

  /** Forgets what is not among these. */
  keep(uids: ReadonlySet<string>): void {
    for (const uid of this.#compiled.keys()) if (!uids.has(uid)) this.#compiled.delete(uid);
  }
}
