import { CelError, fail } from '#machinery/cel/errors.ts';
import type { CelProgram } from '#machinery/cel/program.ts';
import { type CelType, structType } from '#machinery/cel/types/type.ts';
import { CelStruct } from '#machinery/cel/values/value.ts';
import type { Activation } from './activation.ts';

/** The cost that all expressions of one policy for one request may have together. */
export class Budget {
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  /** Evaluates within what is left. Throws `CelError`, also where nothing is left. */
  evaluate(program: CelProgram, activation: Activation): unknown {
    const result = program.evaluateSafely(activation);
    this.#left -= result.cost;
    if ('error' in result) throw result.error;
    if (this.#left < 0)
      fail('validation failed due to running out of cost budget, no further validation rules will be run');
    return result.value;
  }
}

const TYPE = structType('kubernetes.variables');

/** The struct `variables`: each is computed when it is first asked for, and once. */
export class PolicyVariables extends CelStruct {
  readonly #programs: ReadonlyMap<string, CelProgram>;
  readonly #activation: Activation;
  readonly #budget: Budget;
  readonly #results = new Map<string, { readonly value: unknown } | { readonly error: CelError }>();

  constructor(init: { programs: ReadonlyMap<string, CelProgram>; activation: Activation; budget: Budget }) {
    super();
    this.#programs = init.programs;
    this.#activation = { ...init.activation, variables: this };
    this.#budget = init.budget;
  }

  get type(): CelType {
    return TYPE;
  }

  fieldNames(): readonly string[] {
    return [...this.#programs.keys()];
  }

  has(field: string): boolean {
    return this.#programs.has(field);
  }

  get(field: string): unknown {
    let result = this.#results.get(field);
    if (result === undefined) {
      result = this.#compute(field);
      this.#results.set(field, result);
    }
    if ('error' in result)
      fail(`composited variable ${JSON.stringify(field)} fails to evaluate: ${result.error.message}`);
    return result.value;
  }

  isEqual(other: unknown): boolean {
    return other === this;
  }

  #compute(field: string): { readonly value: unknown } | { readonly error: CelError } {
    const program = this.#programs.get(field);
    if (program === undefined) return fail(`no such key: ${field}`);
    try {
      return { value: this.#budget.evaluate(program, this.#activation) };
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      return { error };
    }
  }
}
