import type { Expression } from '../syntax/ast.ts';
import type { CelType } from '../types/type.ts';
import type { Interval } from './interval.ts';

export type CostEstimate = Interval;

/** What estimators know of a node of an expression. */
export interface SizedNode {
  /** From a variable through its type: names of fields, `@items`, `@keys`, `@values`. Empty where it leads nowhere. */
  readonly path: readonly string[];
  readonly type: CelType;
  /** Absent for the elements of a list, which no node stands for. */
  readonly expression: Expression | undefined;
  /** Where the expression itself tells: of literals and what is made of them. */
  readonly size: Interval | undefined;
}

/** Sizes that the expression does not tell, such as those that a schema limits. */
export type SizeEstimator = (node: SizedNode) => Interval | undefined;

/** The sizes of what a list or map holds. */
export interface EntrySizes {
  readonly container: 'list' | 'map';
  readonly key: Interval;
  readonly value: Interval;
}

export interface EstimatedCall {
  readonly name: string;
  readonly overloadId: string;
  readonly target: SizedNode | undefined;
  readonly args: readonly SizedNode[];
  /** The node's size from all that is known. */
  readonly sizeOf: (node: SizedNode) => Interval;
}

export interface CallEstimate {
  /** Without the cost of the arguments. */
  readonly cost: Interval;
  readonly resultSize?: Interval;
}

/** The costs of an extension's functions; undefined for a function that it does not know. */
export type FunctionCostEstimator = (call: EstimatedCall) => CallEstimate | undefined;

export interface EstimatorOptions {
  readonly sizes: SizeEstimator;
  readonly functions: FunctionCostEstimator;
}
