import { fail } from '../errors.ts';
import type { CallExpression, Expression, SelectExpression } from '../syntax/ast.ts';
import { someOptional } from '../values/equality.ts';
import { isMapLike, mapGet } from '../values/maps.ts';
import { exactValue, isInt, isNumeric } from '../values/numbers.ts';
import { typeOf } from '../values/type-of.ts';
import { CelOptional } from '../values/value.ts';
import { type CompileContext, NO_ROOT_COST } from './context.ts';
import { keyText } from '../values/key-text.ts';
import { charge, SELECT_COST, type Step } from './frame.ts';

/** How a value of a field is read from its object; undefined where the field is not there. */
type FieldReader = (object: unknown) => unknown;

const OBJECT_PROTOTYPE: object = Object.prototype;

/** `a.b` and `has(a.b)`. */
export function compileSelect(compiler: CompileContext, expression: SelectExpression, rootCost: number): Step {
  const { field, isTest } = expression;
  const operand = compileOperand(compiler, expression.operand, isTest ? NO_ROOT_COST : rootCost);
  const read = fieldReader(compiler, expression.operand, field);
  if (isTest) return presenceTest(operand, read);
  return (frame) => {
    const object = operand(frame);
    charge(frame, SELECT_COST);
    if (object instanceof CelOptional) return optionalPart(object, read);
    const value = read(object);
    return value === undefined ? missing(object, field) : value;
  };
}

function presenceTest(operand: Step, read: FieldReader): Step {
  return (frame) => {
    const object = operand(frame);
    charge(frame, SELECT_COST);
    if (object instanceof CelOptional) return object.isPresent && read(object.value) !== undefined;
    return read(object) !== undefined;
  };
}

/** `a.?b`. */
export function compileOptionalSelect(compiler: CompileContext, expression: CallExpression, rootCost: number): Step {
  const [target, name] = expression.args;
  if (target === undefined || name?.type !== 'literal' || typeof name.value !== 'string') {
    throw new Error('the checker admits literal names only');
  }
  const operand = compileOperand(compiler, target, rootCost);
  const read = fieldReader(compiler, target, name.value);
  return (frame) => {
    const object = operand(frame);
    const part = object instanceof CelOptional ? optionalPart(object, read) : optionalOf(read(object));
    // What is not there is not charged for.
    if (part.isPresent) charge(frame, SELECT_COST);
    return part;
  };
}

/** `a[b]` and `a[?b]`. */
export function compileIndex(
  compiler: CompileContext,
  expression: CallExpression,
  options: { isOptional: boolean; rootCost: number },
): Step {
  const [target, key] = expression.args;
  if (target === undefined || key === undefined) throw new Error('an index has two operands');
  const operand = compileOperand(compiler, target, options.rootCost);
  const index = compiler.isAttribute(key) ? compiler.compile(key, NO_ROOT_COST) : compiler.compile(key);
  if (!options.isOptional) {
    return (frame) => {
      const object = operand(frame);
      const at = index(frame);
      charge(frame, SELECT_COST);
      if (object instanceof CelOptional) return optionalPart(object, (inner) => elementAt(inner, at));
      if (typeof at === 'string' && isMapLike(object)) return mapGet(object, at) ?? missingKey(object, at);
      const element = elementAt(object, at);
      return element === undefined ? missing(object, at) : element;
    };
  }
  return (frame) => {
    const object = operand(frame);
    const at = index(frame);
    const read = (inner: unknown): unknown => elementAt(inner, at);
    const part = object instanceof CelOptional ? optionalPart(object, read) : optionalOf(read(object));
    if (part.isPresent) charge(frame, SELECT_COST);
    return part;
  };
}

/** The part of a value that something is selected from; the cost of its root is counted with the chain. */
function compileOperand(compiler: CompileContext, operand: Expression, rootCost: number): Step {
  if (compiler.isAttribute(operand)) return compiler.compile(operand, rootCost);
  const step = compiler.compile(operand);
  if (rootCost === NO_ROOT_COST) return step;
  return (frame) => {
    const value = step(frame);
    charge(frame, rootCost);
    return value;
  };
}

function fieldReader(compiler: CompileContext, operand: Expression, field: string): FieldReader {
  const { checked } = compiler;
  const type = checked.typeOf(operand);
  const structName = type.kind === 'struct' ? type.name : type.parameters.find(({ kind }) => kind === 'struct')?.name;
  const description = structName === undefined ? undefined : checked.provider.findField(structName, field);
  const property = description?.property ?? field;
  const isInherited = property in OBJECT_PROTOTYPE;
  const read: FieldReader = (object) => {
    if (typeof object !== 'object' || object === null) return undefined;
    if (Object.getPrototypeOf(object) !== OBJECT_PROTOTYPE)
      return isMapLike(object) ? mapGet(object, property) : undefined;
    if (isInherited && !Object.hasOwn(object, property)) return undefined;
    // A plain object: its own properties are its fields.
    return (object as Record<string, unknown>)[property];
  };
  const convert = description?.type.convert;
  const isNullAbsent = description?.isNullAbsent === true;
  if (convert === undefined) return isNullAbsent ? (object) => read(object) ?? undefined : read;
  return (object) => {
    const raw = read(object);
    if (raw === null && isNullAbsent) return undefined;
    return raw === undefined || raw === null ? raw : convert(raw);
  };
}

function optionalPart(object: CelOptional, read: FieldReader): CelOptional {
  return object.isPresent ? optionalOf(read(object.value)) : CelOptional.NONE;
}

function optionalOf(value: unknown): CelOptional {
  return value === undefined ? CelOptional.NONE : someOptional(value);
}

/** The element of a list or the value of a key; undefined where there is none. */
function elementAt(object: unknown, at: unknown): unknown {
  if (Array.isArray(object)) {
    const index = listIndex(at);
    return index >= 0 && index < object.length ? (object as unknown[])[index] : undefined;
  }
  return isMapLike(object) ? mapGet(object, at) : undefined;
}

function listIndex(at: unknown): number {
  if (isInt(at)) return Number(at);
  if (!isNumeric(at)) return fail(`unsupported index type '${typeOf(at).name}' in list`);
  const value = exactValue(at);
  if (typeof value === 'number' && !Number.isInteger(value)) fail(`unsupported index value ${value} in list`);
  return Number(value);
}

function missing(object: unknown, key: unknown): never {
  if (Array.isArray(object)) {
    if (!isNumeric(key)) fail(`unsupported index type '${typeOf(key).name}' in list`);
    return fail(`index out of bounds: ${keyText(key)}`);
  }
  return fail(`no such key: ${keyText(key)}`);
}

/** Null is a value of a key, and tells nothing apart from it. */
function missingKey(object: unknown, key: string): unknown {
  const value = elementAt(object, key);
  return value === undefined ? missing(object, key) : value;
}
