import { CelError, celError } from './errors.ts';
import type { Frame, Step } from './runtime/frame.ts';
import type { VariableSlot } from './runtime/compiler.ts';
import { type CelType, optionalElement } from './types/type.ts';
import { someOptional } from './values/equality.ts';
import { CelOptional } from './values/value.ts';

export interface EvaluateOptions {
  /** The most that the evaluation may cost; `PER_CALL_COST_LIMIT` where it is left out. */
  readonly costLimit?: number;
}

export interface Evaluation {
  /** A CEL value (see values/value.ts); `toJson` makes JSON of it. */
  readonly value: unknown;
  /** What the evaluation has cost, in cel-go's units. */
  readonly cost: number;
}

/** Kubernetes' limit of one evaluation, about a tenth of a second. */
export const PER_CALL_COST_LIMIT = 1_000_000;

/** A compiled expression. Holds no state between evaluations. */
export class CelProgram {
  readonly outputType: CelType;
  readonly #step: Step;
  readonly #slotCount: number;
  readonly #variables: readonly (VariableSlot & { readonly convert: CelType['convert'] })[];

  constructor(parts: {
    step: Step;
    slotCount: number;
    variables: readonly VariableSlot[];
    variableTypes: ReadonlyMap<string, CelType>;
    outputType: CelType;
  }) {
    this.outputType = parts.outputType;
    this.#step = parts.step;
    this.#slotCount = parts.slotCount;
    this.#variables = parts.variables.map((variable) => ({
      ...variable,
      convert: conversionOf(parts.variableTypes.get(variable.name)),
    }));
  }

  /** The environment's variables that the expression reads; the activation needs no others. */
  get variableNames(): readonly string[] {
    return this.#variables.map(({ name }) => name);
  }

  /**
   * The expression's value for these variables, given as CEL values, of which decoded JSON is one. A variable that is
   * left out is an error when it is read. Throws `CelError`; the cost so far is lost with it, see `evaluateSafely`.
   */
  evaluate(activation: Readonly<Record<string, unknown>>, options: EvaluateOptions = {}): Evaluation {
    const result = this.evaluateSafely(activation, options);
    if ('error' in result) throw result.error;
    return result;
  }

  /** Like `evaluate`, but gives an error together with what was spent before it. */
  evaluateSafely(
    activation: Readonly<Record<string, unknown>>,
    options: EvaluateOptions = {},
  ): Evaluation | { readonly error: CelError; readonly cost: number } {
    const slots: unknown[] = [];
    slots.length = this.#slotCount;
    for (const { name, slot, convert } of this.#variables) {
      const value = Object.hasOwn(activation, name) ? activation[name] : undefined;
      slots[slot] = convert === undefined || value === undefined || value === null ? value : convert(value);
    }
    const frame: Frame = { slots, cost: 0, costLimit: options.costLimit ?? PER_CALL_COST_LIMIT };
    try {
      return { value: this.#step(frame), cost: frame.cost };
    } catch (error) {
      return { error: asCelError(error), cost: frame.cost };
    }
  }
}

/** How a variable's JSON becomes its value; that of an optional variable within it. */
function conversionOf(type: CelType | undefined): CelType['convert'] {
  if (type === undefined || type.convert !== undefined) return type?.convert;
  const convert = optionalElement(type)?.convert;
  if (convert === undefined) return undefined;
  return (value) => (value instanceof CelOptional && value.isPresent ? someOptional(convert(value.value)) : value);
}

/** Errors of the JavaScript engine that an expression can cause become errors of the expression. */
function asCelError(error: unknown): CelError {
  if (error instanceof CelError) return error;
  if (error instanceof RangeError) return celError(`evaluation exceeds the interpreter's limits: ${error.message}`);
  throw error;
}
