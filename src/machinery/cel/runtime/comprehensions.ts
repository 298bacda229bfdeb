import { CelError, celError, fail } from '../errors.ts';
import {
  type CallExpression,
  type ComprehensionExpression,
  type Expression,
  isBind,
  OPERATORS,
} from '../syntax/ast.ts';
import { CelMap, isMapLike, mapGet, mapKeys } from '../values/maps.ts';
import { type CompileContext } from './context.ts';
import { keyText } from '../values/key-text.ts';
import { charge, type Frame, LIST_COST, MAP_COST, SELECT_COST, type Step } from './frame.ts';
import { absorbable } from './operators.ts';

/*
 * Comprehensions come from macros only, so each shape has a loop of its own instead of a general fold. What the fold
 * would cost in cel-go is charged all the same: reading the accumulator, the loop's condition, the step's operators.
 */

/** `@not_strictly_false(@result)`, and with a negation in it for `exists`. */
const ALL_CONDITION_COST = 2;
const EXISTS_CONDITION_COST = 3;
/** `@result + 1`: the sum and the accumulator. */
const INCREMENT_COST = 2;

const UNSET = Symbol('unset');

export function compileComprehension(compiler: CompileContext, expression: ComprehensionExpression): Step {
  if (isBind(expression)) return compileBind(compiler, expression);
  const { initial, step } = expression;
  if (initial.type === 'list' || initial.type === 'map') return compileCollection(compiler, expression);
  if (step.type === 'call' && step.name === OPERATORS.conditional) return compileExistsOne(compiler, expression, step);
  if (step.type === 'call') return compileQuantifier(compiler, expression, step);
  throw new Error('a comprehension of unknown shape');
}

interface Loop {
  readonly range: Step;
  /** Compiles what is evaluated for each element. */
  inside(expression: Expression): Step;
  /** Sets the variables for the element of that number. */
  set(frame: Frame, range: unknown, items: readonly unknown[], index: number): void;
}

function loopOf(compiler: CompileContext, expression: ComprehensionExpression): Loop {
  const range = compiler.compile(expression.range);
  const { variable, variable2 } = expression;
  const slot = compiler.newSlot();
  const slot2 = variable2 === undefined ? -1 : compiler.newSlot();
  const scope = new Map<string, Step>([[variable, (frame) => frame.slots[slot]]]);
  if (variable2 !== undefined) scope.set(variable2, (frame) => frame.slots[slot2]);
  return {
    range,
    inside: (inner) => compiler.withScope(scope, () => compiler.compile(inner)),
    set: (frame, over, items, index) => {
      const item = items[index];
      if (slot2 === -1) {
        frame.slots[slot] = item;
      } else if (Array.isArray(over)) {
        frame.slots[slot] = index;
        frame.slots[slot2] = item;
      } else {
        frame.slots[slot] = item;
        frame.slots[slot2] = isMapLike(over) ? mapGet(over, item) : undefined;
      }
    },
  };
}

/** The elements of a list or the keys of a map. */
function itemsOf(range: unknown): readonly unknown[] {
  if (Array.isArray(range)) return range;
  return isMapLike(range) ? mapKeys(range) : fail('no such overload');
}

/** `all` and `exists`: ends with the element that decides; errors are forgotten when an element decides. */
function compileQuantifier(compiler: CompileContext, expression: ComprehensionExpression, step: CallExpression): Step {
  const deciding = step.name === OPERATORS.or;
  const conditionCost = deciding ? EXISTS_CONDITION_COST : ALL_CONDITION_COST;
  const predicate = step.args[1];
  if (predicate === undefined) throw new Error('a quantifier has a predicate');
  const loop = loopOf(compiler, expression);
  const test = loop.inside(predicate);
  return (frame) => {
    const range = loop.range(frame);
    const items = itemsOf(range);
    let error: CelError | undefined;
    for (let index = 0; index < items.length; index++) {
      charge(frame, conditionCost + SELECT_COST);
      loop.set(frame, range, items, index);
      let value: unknown;
      try {
        value = test(frame);
      } catch (thrown) {
        value = absorbable(thrown);
      }
      if (value === deciding) {
        // The condition is looked at once more where elements are left.
        charge(frame, SELECT_COST + (index + 1 < items.length ? conditionCost : 0));
        return deciding;
      }
      if (value !== !deciding) error ??= value instanceof CelError ? value : celError('no such overload');
    }
    charge(frame, SELECT_COST);
    if (error !== undefined) throw error;
    return !deciding;
  };
}

function compileExistsOne(compiler: CompileContext, expression: ComprehensionExpression, step: CallExpression): Step {
  const [predicate] = step.args;
  if (predicate === undefined) throw new Error('a conditional has a condition');
  const loop = loopOf(compiler, expression);
  const test = loop.inside(predicate);
  return (frame) => {
    const range = loop.range(frame);
    const items = itemsOf(range);
    let count = 0;
    for (let index = 0; index < items.length; index++) {
      loop.set(frame, range, items, index);
      const value = test(frame);
      if (typeof value !== 'boolean') fail('no such overload');
      if (!value) continue;
      charge(frame, INCREMENT_COST);
      count++;
    }
    // The accumulator is compared with one.
    charge(frame, SELECT_COST + 1);
    return count === 1;
  };
}

/** `map`, `filter` and the transformations: collects into one list or map, as cel-go does too. */
function compileCollection(compiler: CompileContext, expression: ComprehensionExpression): Step {
  const { step, initial } = expression;
  if (step.type !== 'call') throw new Error('a collecting step is a call');
  const isFiltered = step.name === OPERATORS.conditional;
  const insertion = isFiltered ? step.args[1] : step;
  const condition = isFiltered ? step.args[0] : undefined;
  if (insertion?.type !== 'call') throw new Error('a collecting step inserts');
  const loop = loopOf(compiler, expression);
  const test = condition === undefined ? undefined : loop.inside(condition);
  const initialCost = compiler.options.foldConstants ? 0 : initial.type === 'list' ? LIST_COST : MAP_COST;
  const collect = initial.type === 'list' ? listCollector(loop, insertion) : mapCollector(loop, insertion);
  return (frame) => {
    const range = loop.range(frame);
    const items = itemsOf(range);
    charge(frame, initialCost);
    const collection = collect.start();
    for (let index = 0; index < items.length; index++) {
      loop.set(frame, range, items, index);
      if (test !== undefined) {
        const wanted = test(frame);
        if (typeof wanted !== 'boolean') fail('no such overload');
        if (!wanted) continue;
      }
      charge(frame, SELECT_COST);
      collect.add(frame, collection);
    }
    charge(frame, SELECT_COST);
    return collection;
  };
}

interface Collector {
  start(): unknown;
  add(frame: Frame, collection: unknown): void;
}

function listCollector(loop: Loop, insertion: CallExpression): Collector {
  const added = insertion.args[1];
  if (added?.type !== 'list' || added.elements[0] === undefined) throw new Error('a list of one element is added');
  const element = loop.inside(added);
  return {
    start: () => [],
    add: (frame, collection) => {
      const values = element(frame);
      charge(frame, 1);
      if (Array.isArray(collection) && Array.isArray(values)) collection.push(values[0]);
    },
  };
}

function mapCollector(loop: Loop, insertion: CallExpression): Collector {
  const [, first, second] = insertion.args;
  if (first === undefined) throw new Error('something is inserted');
  const key = loop.inside(first);
  const value = second === undefined ? undefined : loop.inside(second);
  return {
    start: () => new CelMap(),
    add: (frame, collection) => {
      if (!(collection instanceof CelMap)) return;
      const inserted = key(frame);
      if (value !== undefined) {
        collection.insert(inserted, value(frame), alreadyThere);
      } else {
        if (!isMapLike(inserted)) fail('no such overload');
        for (const name of mapKeys(inserted)) collection.insert(name, mapGet(inserted, name), alreadyThere);
      }
      charge(frame, 1);
    },
  };
}

function alreadyThere(key: unknown): string {
  return `insert failed: key ${keyText(key)} already exists`;
}

/** `cel.bind` and `optMap`: the value is computed when it is first read, and once. */
function compileBind(compiler: CompileContext, expression: ComprehensionExpression): Step {
  const slot = compiler.newSlot();
  const initial = compiler.compile(expression.initial);
  const read: Step = (frame) => {
    const known = frame.slots[slot];
    if (known !== UNSET) return known;
    const value = initial(frame);
    frame.slots[slot] = value;
    return value;
  };
  const body = compiler.withScope(new Map([[expression.accumulator, read]]), () => compiler.compile(expression.result));
  const rangeCost = compiler.options.foldConstants ? 0 : LIST_COST;
  return (frame) => {
    charge(frame, rangeCost);
    frame.slots[slot] = UNSET;
    return body(frame);
  };
}
