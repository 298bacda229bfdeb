import { ACCUMULATOR, type Expression, OPERATORS, UNUSED_VARIABLE } from './ast.ts';
import type { Macro, MacroCall, MacroError } from './node-factory.ts';

/** The accumulator's name in older versions, which variables may still not take. */
const OLD_ACCUMULATOR = '__result__';

type Fold = 'all' | 'exists' | 'existsOne';

/** The macros of the language itself. */
export const STANDARD_MACROS: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['has:1:global', expandHas],
  ['all:2:receiver', (call) => expandQuantifier(call, 'all', 1)],
  ['exists:2:receiver', (call) => expandQuantifier(call, 'exists', 1)],
  ['exists_one:2:receiver', (call) => expandQuantifier(call, 'existsOne', 1)],
  ['existsOne:2:receiver', (call) => expandQuantifier(call, 'existsOne', 1)],
  ['map:2:receiver', (call) => expandMap(call)],
  ['map:3:receiver', (call) => expandMap(call)],
  ['filter:2:receiver', (call) => expandFilter(call)],
]);

/** The two-variable comprehensions (`cel.lib.ext.comprev2`). */
export const TWO_VARIABLE_MACROS: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['all:3:receiver', (call) => expandQuantifier(call, 'all', 2)],
  ['exists:3:receiver', (call) => expandQuantifier(call, 'exists', 2)],
  ['existsOne:3:receiver', (call) => expandQuantifier(call, 'existsOne', 2)],
  ['exists_one:3:receiver', (call) => expandQuantifier(call, 'existsOne', 2)],
  ['transformList:3:receiver', expandTransformList],
  ['transformList:4:receiver', expandTransformList],
  ['transformMap:3:receiver', (call) => expandTransformMap(call, false)],
  ['transformMap:4:receiver', (call) => expandTransformMap(call, false)],
  ['transformMapEntry:3:receiver', (call) => expandTransformMap(call, true)],
  ['transformMapEntry:4:receiver', (call) => expandTransformMap(call, true)],
]);

/** `optMap` and `optFlatMap`. */
export const OPTIONAL_MACROS: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['optMap:2:receiver', (call) => expandOptionalMap(call, 'optMap')],
  ['optFlatMap:2:receiver', (call) => expandOptionalMap(call, 'optFlatMap')],
]);

/** `cel.bind` and the test data's `cel.block`. */
export const BINDING_MACROS: ReadonlyMap<string, Macro> = new Map<string, Macro>([['bind:3:receiver', expandBind]]);

function expandHas({ nodes, offset, args }: MacroCall): Expression | MacroError {
  const [arg] = args;
  if (arg?.type === 'select' && !arg.isTest) return nodes.test(offset, arg.operand, arg.field);
  return { error: 'invalid argument to has() macro', offset: arg?.offset ?? offset };
}

function expandQuantifier(call: MacroCall, fold: Fold, variableCount: 1 | 2): Expression | MacroError {
  const variables = iterationVariables(call, variableCount);
  if ('error' in variables) return variables;
  const { nodes, offset, target, args } = call;
  const predicate = args[variableCount];
  if (target === undefined || predicate === undefined) return { error: 'missing argument', offset };
  const accu = (): Expression => nodes.ident(offset, ACCUMULATOR);
  const frame = { offset, range: target, ...variables, accumulator: ACCUMULATOR };
  if (fold === 'existsOne') {
    const increment = nodes.call(offset, OPERATORS.add, [accu(), nodes.int(offset, 1n)]);
    return nodes.comprehension({
      ...frame,
      initial: nodes.int(offset, 0n),
      condition: nodes.literal(offset, true),
      step: nodes.call(offset, OPERATORS.conditional, [predicate, increment, accu()]),
      result: nodes.call(offset, OPERATORS.equals, [accu(), nodes.int(offset, 1n)]),
    });
  }
  const isAll = fold === 'all';
  const goOn = isAll ? accu() : nodes.call(offset, OPERATORS.not, [accu()]);
  return nodes.comprehension({
    ...frame,
    initial: nodes.literal(offset, isAll),
    condition: nodes.call(offset, OPERATORS.notStrictlyFalse, [goOn]),
    step: nodes.call(offset, isAll ? OPERATORS.and : OPERATORS.or, [accu(), predicate]),
    result: accu(),
  });
}

function expandMap(call: MacroCall): Expression | MacroError {
  const variables = iterationVariables(call, 1);
  if ('error' in variables) return variables;
  return expandToList(call, {
    variables,
    transform: call.args.at(-1),
    filter: call.args.length === 3 ? call.args[1] : undefined,
  });
}

function expandFilter(call: MacroCall): Expression | MacroError {
  const variables = iterationVariables(call, 1);
  if ('error' in variables) return variables;
  const [variable, filter] = call.args;
  return expandToList(call, { variables, transform: variable, filter });
}

function expandTransformList(call: MacroCall): Expression | MacroError {
  const variables = iterationVariables(call, 2);
  if ('error' in variables) return variables;
  return expandToList(call, {
    variables,
    transform: call.args.at(-1),
    filter: call.args.length === 4 ? call.args[2] : undefined,
  });
}

interface Transformation {
  readonly variables: Variables;
  readonly transform: Expression | undefined;
  readonly filter: Expression | undefined;
}

function expandToList(call: MacroCall, transformation: Transformation): Expression | MacroError {
  const { nodes, offset } = call;
  const { transform } = transformation;
  if (transform === undefined) return { error: 'missing argument', offset };
  const element = nodes.list(offset, [transform]);
  const step = nodes.call(offset, OPERATORS.add, [nodes.ident(offset, ACCUMULATOR), element]);
  return collect(call, transformation, { initial: nodes.list(offset, []), step });
}

function expandTransformMap(call: MacroCall, isEntry: boolean): Expression | MacroError {
  const variables = iterationVariables(call, 2);
  if ('error' in variables) return variables;
  const { nodes, offset, args } = call;
  const transform = args.at(-1);
  if (transform === undefined) return { error: 'missing argument', offset };
  const accu = nodes.ident(offset, ACCUMULATOR);
  const inserted = isEntry ? [transform] : [nodes.ident(offset, variables.variable), transform];
  const step = nodes.call(offset, 'cel.@mapInsert', [accu, ...inserted]);
  const filter = args.length === 4 ? args[2] : undefined;
  return collect(call, { variables, transform, filter }, { initial: nodes.map(offset, []), step });
}

function collect(
  { nodes, offset, target }: MacroCall,
  { variables, filter }: Transformation,
  { initial, step }: { initial: Expression; step: Expression },
): Expression | MacroError {
  if (target === undefined) return { error: 'missing range', offset };
  const skip = (): Expression => nodes.ident(offset, ACCUMULATOR);
  return nodes.comprehension({
    offset,
    range: target,
    ...variables,
    accumulator: ACCUMULATOR,
    initial,
    condition: nodes.literal(offset, true),
    step: filter === undefined ? step : nodes.call(offset, OPERATORS.conditional, [filter, step, skip()]),
    result: skip(),
  });
}

function expandOptionalMap(call: MacroCall, name: 'optMap' | 'optFlatMap'): Expression | MacroError {
  const { nodes, offset, target, args } = call;
  const [variable, mapped] = args;
  if (target === undefined || mapped === undefined) return { error: 'missing argument', offset };
  if (variable?.type !== 'ident') {
    return { error: `${name}() variable name must be a simple identifier`, offset: variable?.offset ?? offset };
  }
  const bound = nodes.comprehension({
    offset,
    range: nodes.list(offset, []),
    variable: UNUSED_VARIABLE,
    variable2: undefined,
    accumulator: variable.name,
    initial: nodes.call(offset, 'value', [], nodes.copy(target)),
    condition: nodes.literal(offset, false),
    step: nodes.ident(offset, variable.name),
    result: mapped,
  });
  const value = name === 'optMap' ? nodes.call(offset, 'optional.of', [bound]) : bound;
  const hasValue = nodes.call(offset, 'hasValue', [], target);
  return nodes.call(offset, OPERATORS.conditional, [hasValue, value, nodes.call(offset, 'optional.none', [])]);
}

function expandBind({ nodes, offset, target, args }: MacroCall): Expression | MacroError | undefined {
  if (target?.type !== 'ident' || target.name !== 'cel') return undefined;
  const [variable, value, body] = args;
  if (value === undefined || body === undefined) return undefined;
  if (variable?.type !== 'ident') {
    return { error: 'cel.bind() variable names must be simple identifiers', offset: variable?.offset ?? offset };
  }
  return nodes.comprehension({
    offset,
    range: nodes.list(offset, []),
    variable: UNUSED_VARIABLE,
    variable2: undefined,
    accumulator: variable.name,
    initial: value,
    condition: nodes.literal(offset, false),
    step: nodes.ident(offset, variable.name),
    result: body,
  });
}

interface Variables {
  readonly variable: string;
  readonly variable2: string | undefined;
}

function iterationVariables({ args, offset }: MacroCall, count: 1 | 2): Variables | MacroError {
  const names: string[] = [];
  for (const arg of args.slice(0, count)) {
    if (arg.type !== 'ident') {
      return {
        error: count === 1 ? 'argument is not an identifier' : 'argument must be a simple name',
        offset: arg.offset,
      };
    }
    names.push(arg.name);
  }
  const [variable = '', variable2] = names;
  if (variable === variable2)
    return { error: `duplicate variable name: ${variable}`, offset: args[1]?.offset ?? offset };
  for (const [index, name] of names.entries()) {
    if (name === ACCUMULATOR || name === OLD_ACCUMULATOR) {
      const error = 'iteration variable overwrites accumulator variable';
      return { error, offset: args[index]?.offset ?? offset };
    }
  }
  return { variable, variable2 };
}
