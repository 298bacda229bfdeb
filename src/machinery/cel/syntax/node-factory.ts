import { makeDouble, makeInt } from '../values/numbers.ts';
import type {
  CallExpression,
  ComprehensionExpression,
  Expression,
  IdentExpression,
  ListExpression,
  LiteralExpression,
  MapEntry,
  MapExpression,
  SelectExpression,
  StructExpression,
  StructField,
} from './ast.ts';

export interface MacroCall {
  readonly nodes: NodeFactory;
  /** Of the opening parenthesis: where errors about the expansion point. */
  readonly offset: number;
  readonly target: Expression | undefined;
  readonly args: readonly Expression[];
}

export interface MacroError {
  readonly error: string;
  readonly offset: number;
}

/** Rewrites a call; undefined means that the call is not meant and stays a call. */
export type Macro = (call: MacroCall) => Expression | MacroError | undefined;

/** By `NAME:ARGUMENTS:receiver` or `…:global`; `*` for any number of arguments. */
export type MacroTable = ReadonlyMap<string, Macro>;

/** Makes nodes and numbers them. */
export class NodeFactory {
  #count = 0;

  /** The largest number given out. */
  get count(): number {
    return this.#count;
  }

  nextId(): number {
    return ++this.#count;
  }

  literal(offset: number, value: unknown): LiteralExpression {
    return { type: 'literal', id: this.nextId(), offset, value };
  }

  int(offset: number, value: bigint): LiteralExpression {
    return this.literal(offset, makeInt(BigInt.asIntN(64, value)));
  }

  double(offset: number, value: number): LiteralExpression {
    return this.literal(offset, makeDouble(value));
  }

  ident(offset: number, name: string): IdentExpression {
    return { type: 'ident', id: this.nextId(), offset, name };
  }

  select(offset: number, operand: Expression, field: string): SelectExpression {
    return { type: 'select', id: this.nextId(), offset, operand, field, isTest: false };
  }

  test(offset: number, operand: Expression, field: string): SelectExpression {
    return { type: 'select', id: this.nextId(), offset, operand, field, isTest: true };
  }

  call(offset: number, name: string, args: readonly Expression[], target?: Expression): CallExpression {
    return { type: 'call', id: this.nextId(), offset, name, target, args };
  }

  list(offset: number, elements: readonly Expression[], optionals: ReadonlySet<number> = new Set()): ListExpression {
    return { type: 'list', id: this.nextId(), offset, elements, optionals };
  }

  map(offset: number, entries: readonly MapEntry[]): MapExpression {
    return { type: 'map', id: this.nextId(), offset, entries };
  }

  struct(offset: number, name: string, fields: readonly StructField[]): StructExpression {
    return { type: 'struct', id: this.nextId(), offset, name, fields };
  }

  comprehension(parts: Omit<ComprehensionExpression, 'type' | 'id'>): ComprehensionExpression {
    return { type: 'comprehension', id: this.nextId(), ...parts };
  }

  /** The same expression with numbers of its own: what a macro writes twice. */
  copy(expression: Expression): Expression {
    const id = this.nextId();
    switch (expression.type) {
      case 'literal':
      case 'ident':
        return { ...expression, id };
      case 'select':
        return { ...expression, id, operand: this.copy(expression.operand) };
      case 'call': {
        const target = expression.target === undefined ? undefined : this.copy(expression.target);
        return { ...expression, id, target, args: expression.args.map((arg) => this.copy(arg)) };
      }
      case 'list':
        return { ...expression, id, elements: expression.elements.map((element) => this.copy(element)) };
      case 'map':
        return { ...expression, id, entries: expression.entries.map((entry) => this.#copyEntry(entry)) };
      case 'struct':
        return { ...expression, id, fields: expression.fields.map((field) => this.#copyField(field)) };
      case 'comprehension':
        return this.#copyComprehension(expression, id);
    }
  }

  #copyEntry(entry: MapEntry): MapEntry {
    return { ...entry, id: this.nextId(), key: this.copy(entry.key), value: this.copy(entry.value) };
  }

  #copyField(field: StructField): StructField {
    return { ...field, id: this.nextId(), value: this.copy(field.value) };
  }

  #copyComprehension(expression: ComprehensionExpression, id: number): ComprehensionExpression {
    return {
      ...expression,
      id,
      range: this.copy(expression.range),
      initial: this.copy(expression.initial),
      condition: this.copy(expression.condition),
      step: this.copy(expression.step),
      result: this.copy(expression.result),
    };
  }
}
