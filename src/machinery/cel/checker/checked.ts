import type { CelIssue } from '../errors.ts';
import type { FunctionDeclaration, Overload } from '../library/declaration.ts';
import type { Expression } from '../syntax/ast.ts';
import { type CelType, ERROR } from '../types/type.ts';
import type { TypeProvider } from './type-provider.ts';

export type Reference =
  | { readonly type: 'variable'; readonly name: string }
  | { readonly type: 'constant'; readonly value: unknown }
  | {
      readonly type: 'function';
      readonly declaration: FunctionDeclaration;
      /** The overloads whose argument types fit; one where the types are known well enough. */
      readonly overloads: readonly Overload[];
      /** The target was part of the function's name (`math.abs(x)`) and is no argument. */
      readonly isNamespaced: boolean;
    }
  | { readonly type: 'struct'; readonly name: string };

/** An expression with what the checker found out about its nodes, by their numbers. */
export class CheckedExpression {
  readonly expression: Expression;
  readonly provider: TypeProvider;
  readonly #types: readonly (CelType | undefined)[];
  readonly #references: ReadonlyMap<number, Reference>;

  constructor(parts: {
    expression: Expression;
    provider: TypeProvider;
    types: readonly (CelType | undefined)[];
    references: ReadonlyMap<number, Reference>;
  }) {
    this.expression = parts.expression;
    this.provider = parts.provider;
    this.#types = parts.types;
    this.#references = parts.references;
  }

  get outputType(): CelType {
    return this.typeOf(this.expression);
  }

  typeOf(expression: Expression): CelType {
    return this.#types[expression.id] ?? ERROR;
  }

  reference(expression: Expression): Reference | undefined {
    return this.#references.get(expression.id);
  }
}

export interface CheckerEnvironment {
  readonly container: string;
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  readonly provider: TypeProvider;
}

export type CheckResult =
  | { readonly ok: true; readonly checked: CheckedExpression }
  | { readonly ok: false; readonly issues: readonly CelIssue[] };
