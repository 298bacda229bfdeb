import { matches, noSuchOverload, type Overload } from '../library/declaration.ts';
import { compilePattern } from '../library/regex-cache.ts';
import type { CallExpression } from '../syntax/ast.ts';
import type { CompileContext } from './context.ts';
import { charge, type Step } from './frame.ts';

type AnyFunction = (...args: readonly unknown[]) => unknown;

/** A call of a function: the overload is chosen by the run-time types where the checker could not choose. */
export function compileCall(compiler: CompileContext, expression: CallExpression): Step {
  const reference = compiler.checked.reference(expression);
  if (reference?.type !== 'function') throw new Error(`call of ${expression.name} was not checked`);
  const { declaration, overloads, isNamespaced } = reference;
  const target = isNamespaced || expression.target === undefined ? [] : [expression.target];
  const args = [...target, ...expression.args].map((arg) => compiler.compile(arg));
  checkPattern(compiler, expression);
  const cost = compiler.options.costs(declaration.name, overloads.length === 1 ? (overloads[0]?.id ?? '') : '');
  const invoke = invoker(declaration.name, overloads);
  const [first, second] = args;
  if (first !== undefined && args.length === 1) {
    return (frame) => {
      const values = [first(frame)];
      const result = invoke(values);
      charge(frame, cost(values, result));
      return result;
    };
  }
  if (first !== undefined && second !== undefined && args.length === 2) {
    return (frame) => {
      const values = [first(frame), second(frame)];
      const result = invoke(values);
      charge(frame, cost(values, result));
      return result;
    };
  }
  return (frame) => {
    const values = args.map((arg) => arg(frame));
    const result = invoke(values);
    charge(frame, cost(values, result));
    return result;
  };
}

const PATTERN_FUNCTIONS: ReadonlySet<string> = new Set(['matches', 'find', 'findAll']);

/** A literal pattern that is none fails when the expression is compiled, where constants are folded. */
function checkPattern(compiler: CompileContext, { name, target, args }: CallExpression): void {
  if (!compiler.options.foldConstants || !PATTERN_FUNCTIONS.has(name)) return;
  const pattern = target === undefined ? args[1] : args[0];
  const constant = pattern === undefined ? undefined : compiler.constantOf(pattern);
  if (typeof constant?.value === 'string') compilePattern(constant.value);
}

function invoker(name: string, overloads: readonly Overload[]): (args: readonly unknown[]) => unknown {
  const [only] = overloads;
  if (only !== undefined && overloads.length === 1) {
    // `matches` has compared every argument with the overload's types, which are those of the implementation.
    const call = only.call as AnyFunction;
    return (args) => (matches(only, args) ? call(...args) : noSuchOverload(name, args));
  }
  return (args) => {
    const found = overloads.find((candidate) => matches(candidate, args));
    // As above: the arguments match.
    return found === undefined ? noSuchOverload(name, args) : (found.call as AnyFunction)(...args);
  };
}
