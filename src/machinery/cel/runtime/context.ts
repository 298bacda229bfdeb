import type { CheckedExpression } from '../checker/checked.ts';
import type { CallCosts } from '../cost/actual.ts';
import type { Expression } from '../syntax/ast.ts';
import type { Step } from './frame.ts';

export interface CompilerOptions {
  readonly costs: CallCosts;
  /** Literals of constants, and conversions of them, are computed once and cost nothing. */
  readonly foldConstants: boolean;
}

/** Not charged for the variable at its root: cel-go counts it where the value is used. */
export const NO_ROOT_COST = 0;

/** What the compilers of the several kinds of nodes share. */
export interface CompileContext {
  readonly checked: CheckedExpression;
  readonly options: CompilerOptions;
  /** `rootCost` is what the variable at the root of a chain of selections costs; one where it is left out. */
  compile(expression: Expression, rootCost?: number): Step;
  /** The value of a node that needs no evaluation. */
  constantOf(expression: Expression): { readonly value: unknown } | undefined;
  /** Whether the node reads a variable or a part of a value, which cel-go counts as one with what is selected from it. */
  isAttribute(expression: Expression): boolean;
  newSlot(): number;
  /** Compiles within a scope of local variables, which are read by the given steps. */
  withScope<T>(scope: ReadonlyMap<string, Step>, compile: () => T): T;
}
