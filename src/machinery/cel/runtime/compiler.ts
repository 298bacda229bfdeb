import type { CheckedExpression } from '../checker/checked.ts';
import { fail } from '../errors.ts';
import type {
  CallExpression,
  ComprehensionExpression,
  Expression,
  IdentExpression,
  ListExpression,
  MapExpression,
  StructExpression,
} from '../syntax/ast.ts';
import { OPERATORS } from '../syntax/ast.ts';
import { CelMap } from '../values/maps.ts';
import { CelOptional } from '../values/value.ts';
import { compileIndex, compileOptionalSelect, compileSelect } from './attributes.ts';
import { compileCall } from './calls.ts';
import { compileComprehension } from './comprehensions.ts';
import { type CompileContext, type CompilerOptions, NO_ROOT_COST } from './context.ts';
import { keyText } from '../values/key-text.ts';
import { charge, type Frame, LIST_COST, MAP_COST, SELECT_COST, type Step, STRUCT_COST } from './frame.ts';
import { compileOperator } from './operators.ts';

/** A variable of the environment and the slot it is read from. */
export interface VariableSlot {
  readonly name: string;
  readonly slot: number;
}

interface Constant {
  readonly value: unknown;
}

const CONVERSIONS: ReadonlySet<string> = new Set(
  'bool bytes double duration dyn int string timestamp type uint'.split(' '),
);

/** Turns a checked expression into closures. */
export class Compiler implements CompileContext {
  readonly checked: CheckedExpression;
  readonly options: CompilerOptions;
  readonly #variables = new Map<string, number>();
  readonly #scopes: Map<string, Step>[] = [];
  /** What `constantOf` has found, by the nodes' numbers. */
  readonly #constants = new Map<number, Constant | undefined>();
  #slotCount = 0;

  constructor(checked: CheckedExpression, options: CompilerOptions) {
    this.checked = checked;
    this.options = options;
  }

  get slotCount(): number {
    return this.#slotCount;
  }

  /** The environment's variables that the expression reads. */
  get variables(): readonly VariableSlot[] {
    return Array.from(this.#variables, ([name, slot]) => ({ name, slot }));
  }

  newSlot(): number {
    return this.#slotCount++;
  }

  /** Compiles within a scope of local variables, which are read by the given steps. */
  withScope<T>(scope: ReadonlyMap<string, Step>, compile: () => T): T {
    this.#scopes.push(new Map(scope));
    const result = compile();
    this.#scopes.pop();
    return result;
  }

  /** `rootCost` is what the variable at the root of a chain of selections costs. */
  compile(expression: Expression, rootCost = SELECT_COST): Step {
    const constant = this.constantOf(expression);
    if (constant !== undefined) return () => constant.value;
    switch (expression.type) {
      case 'literal':
        return () => expression.value;
      case 'ident':
        return this.#ident(expression, rootCost);
      case 'select': {
        const reference = this.checked.reference(expression);
        if (reference?.type === 'variable') return this.#variable(reference.name, rootCost);
        return compileSelect(this, expression, rootCost);
      }
      case 'call':
        return this.#call(expression, rootCost);
      case 'list':
        return this.#list(expression);
      case 'map':
        return this.#map(expression);
      case 'struct':
        return this.#struct(expression);
      case 'comprehension':
        return this.#comprehension(expression);
    }
  }

  /** Whether the node reads a variable or a part of a value, which cel-go counts as one with what is selected from it. */
  isAttribute(expression: Expression): boolean {
    if (this.constantOf(expression) !== undefined) return false;
    if (expression.type === 'ident') return true;
    if (expression.type === 'select') return !expression.isTest;
    if (expression.type !== 'call') return false;
    const { name } = expression;
    return (
      name === OPERATORS.index ||
      name === OPERATORS.optionalIndex ||
      name === OPERATORS.optionalSelect ||
      name === OPERATORS.conditional
    );
  }

  /** The value of a node that needs no evaluation. */
  constantOf(expression: Expression): Constant | undefined {
    if (expression.type === 'literal') return expression;
    if (this.#constants.has(expression.id)) return this.#constants.get(expression.id);
    const constant = this.#findConstant(expression);
    this.#constants.set(expression.id, constant);
    return constant;
  }

  #findConstant(expression: Expression): Constant | undefined {
    const reference = this.checked.reference(expression);
    if (reference?.type === 'constant') return reference;
    if (!this.options.foldConstants) return undefined;
    if (expression.type === 'list' && expression.optionals.size === 0) {
      if (!expression.elements.every((element) => this.constantOf(element) !== undefined)) return undefined;
      return { value: expression.elements.map((element) => this.constantOf(element)?.value) };
    }
    if (expression.type === 'map') return this.#constantMap(expression);
    return expression.type === 'call' ? this.#constantConversion(expression) : undefined;
  }

  #constantMap(expression: MapExpression): Constant | undefined {
    const map = new CelMap();
    for (const entry of expression.entries) {
      const key = this.constantOf(entry.key);
      const value = this.constantOf(entry.value);
      if (key === undefined || value === undefined || entry.isOptional) return undefined;
      map.insert(key.value, value.value, duplicateKey);
    }
    return { value: map };
  }

  #constantConversion(expression: CallExpression): Constant | undefined {
    const [arg] = expression.args;
    const isConversion =
      expression.target === undefined && expression.args.length === 1 && CONVERSIONS.has(expression.name);
    if (!isConversion || arg === undefined || this.constantOf(arg) === undefined) return undefined;
    const step = compileCall(this, expression);
    return { value: step({ slots: [], cost: 0, costLimit: Infinity }) };
  }

  #ident(expression: IdentExpression, rootCost: number): Step {
    const reference = this.checked.reference(expression);
    return this.#variable(reference?.type === 'variable' ? reference.name : expression.name, rootCost);
  }

  /** Names of the environment's variables begin with a dot, as the checker writes them. */
  #variable(name: string, rootCost: number): Step {
    if (!name.startsWith('.')) {
      for (let index = this.#scopes.length - 1; index >= 0; index--) {
        const read = this.#scopes[index]?.get(name);
        if (read === undefined) continue;
        if (rootCost === NO_ROOT_COST) return read;
        return (frame) => {
          charge(frame, rootCost);
          return read(frame);
        };
      }
    }
    const plain = name.startsWith('.') ? name.slice(1) : name;
    const slot = this.#variables.get(plain) ?? this.newSlot();
    this.#variables.set(plain, slot);
    return (frame) => {
      charge(frame, rootCost);
      const value = frame.slots[slot];
      return value === undefined ? fail(`no such attribute(s): ${plain}`) : value;
    };
  }

  #call(expression: CallExpression, rootCost: number): Step {
    switch (expression.name) {
      case OPERATORS.index:
        return compileIndex(this, expression, { isOptional: false, rootCost });
      case OPERATORS.optionalIndex:
        return compileIndex(this, expression, { isOptional: true, rootCost });
      case OPERATORS.optionalSelect:
        return compileOptionalSelect(this, expression, rootCost);
      default:
        return compileOperator(this, expression) ?? compileCall(this, expression);
    }
  }

  #list(expression: ListExpression): Step {
    const steps = expression.elements.map((element) => this.compile(element));
    const { optionals } = expression;
    if (optionals.size === 0) {
      return (frame) => {
        const list = steps.map((step) => step(frame));
        charge(frame, LIST_COST);
        return list;
      };
    }
    return (frame) => {
      const list: unknown[] = [];
      for (const [index, step] of steps.entries()) {
        const value = step(frame);
        if (!optionals.has(index)) list.push(value);
        else if (!(value instanceof CelOptional))
          fail('cannot initialize optional list element from non-optional value');
        else if (value.isPresent) list.push(value.value);
      }
      charge(frame, LIST_COST);
      return list;
    };
  }

  #map(expression: MapExpression): Step {
    const steps = expression.entries.map((entry) => ({
      key: this.compile(entry.key),
      value: this.compile(entry.value),
      isOptional: entry.isOptional,
    }));
    return (frame) => {
      const map = new CelMap();
      for (const step of steps) {
        const key = step.key(frame);
        const value = step.value(frame);
        if (!step.isOptional) map.insert(key, value, duplicateKey);
        else insertOptional(map, key, value);
      }
      charge(frame, MAP_COST);
      return map;
    };
  }

  #struct(expression: StructExpression): Step {
    const reference = this.checked.reference(expression);
    const name = reference?.type === 'struct' ? reference.name : expression.name;
    const { provider } = this.checked;
    const steps = expression.fields.map((field) => ({ ...field, step: this.compile(field.value) }));
    return (frame: Frame) => {
      const fields = new Map<string, unknown>();
      for (const field of steps) {
        const value = field.step(frame);
        if (!field.isOptional) fields.set(field.name, value);
        else if (!(value instanceof CelOptional))
          fail(`cannot initialize optional entry '${field.name}' from non-optional value`);
        else if (value.isPresent) fields.set(field.name, value.value);
      }
      charge(frame, STRUCT_COST);
      return provider.construct?.(name, fields) ?? fail(`unknown type: ${name}`);
    };
  }

  #comprehension(expression: ComprehensionExpression): Step {
    return compileComprehension(this, expression);
  }
}

function insertOptional(map: CelMap, key: unknown, value: unknown): void {
  if (!(value instanceof CelOptional))
    fail(`cannot initialize optional entry '${keyText(key)}' from non-optional value`);
  if (value.isPresent) map.insert(key, value.value, duplicateKey);
}

function duplicateKey(key: unknown): string {
  return `Failed with repeated key: ${keyText(key)}`;
}
