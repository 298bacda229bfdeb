import { CelError, type CelIssue } from '../errors.ts';
import { mismatchText, parseFormat } from '../library/format-text.ts';
import { compilePattern } from '../library/regex-cache.ts';
import type { CallExpression, Expression, ListExpression, MapExpression } from '../syntax/ast.ts';
import { positionAt } from '../syntax/source.ts';
import { children } from '../syntax/children.ts';
import { type CelType, optionalElement } from '../types/type.ts';
import { toDuration, toTimestamp } from '../values/convert.ts';
import type { CheckedExpression } from './checked.ts';

/** Functions whose literal argument can be judged when compiling. */
const VALIDATED: Readonly<Record<string, (literal: unknown) => unknown>> = {
  duration: toDuration,
  timestamp: toTimestamp,
  matches: (pattern) => compilePattern(String(pattern)),
};

/** Within the arguments of these functions literals may mix types. */
const MIXED_ARGUMENTS: ReadonlySet<string> = new Set(['format']);

/** Types that each clause of a format can show; any value for those that are not listed. */
const CLAUSE_KINDS: Readonly<Record<string, readonly CelType['kind'][]>> = {
  d: ['int', 'uint'],
  f: ['double', 'string'],
  e: ['double', 'string'],
  b: ['int', 'uint', 'bool'],
  o: ['int', 'uint'],
  x: ['int', 'uint', 'string', 'bytes'],
  X: ['int', 'uint', 'string', 'bytes'],
};

/** What is wrong with literals: durations, timestamps, patterns, formats, and lists and maps of mixed types. */
export function validateLiterals(source: string, checked: CheckedExpression): CelIssue[] {
  const issues: CelIssue[] = [];
  const report = (node: { readonly offset: number }, message: string): void => {
    issues.push({ type: 'check', message, ...positionAt(source, node.offset) });
  };
  const pending = [{ node: checked.expression, mayMix: false }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, mayMix } = next;
    if (node.type === 'call') validateCall(checked, node, report);
    if (node.type === 'list' && !mayMix) validateList(checked, node, report);
    if (node.type === 'map' && !mayMix) validateMap(checked, node, report);
    const isExempt = mayMix || (node.type === 'call' && MIXED_ARGUMENTS.has(node.name));
    for (const child of children(node)) pending.push({ node: child, mayMix: isExempt });
  }
  return issues;
}

type Report = (node: { readonly offset: number }, message: string) => void;

function validateCall(checked: CheckedExpression, call: CallExpression, report: Report): void {
  const [literal] = call.args;
  if (call.name === 'format') validateFormat(checked, call, report);
  if (!Object.hasOwn(VALIDATED, call.name) || literal?.type !== 'literal') return;
  const problem = problemOf(() => VALIDATED[call.name]?.(literal.value));
  if (problem !== undefined) report(literal, `invalid ${call.name} argument`);
}

function problemOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (error instanceof CelError) return error.message;
    throw error;
  }
}

function validateList(checked: CheckedExpression, list: ListExpression, report: Report): void {
  let expected: CelType | undefined;
  for (const [index, element] of list.elements.entries()) {
    const type = elementType(checked, element, list.optionals.has(index));
    expected ??= type;
    if (type.display === expected.display) continue;
    report(element, mixedTypes(expected, type));
    return;
  }
}

function validateMap(checked: CheckedExpression, map: MapExpression, report: Report): void {
  const [first] = map.entries;
  if (first === undefined) return;
  const keyType = checked.typeOf(first.key);
  const valueType = elementType(checked, first.value, first.isOptional);
  for (const { key, value, isOptional } of map.entries) {
    const type = elementType(checked, value, isOptional);
    if (checked.typeOf(key).display !== keyType.display) report(key, mixedTypes(keyType, checked.typeOf(key)));
    if (type.display !== valueType.display) report(value, mixedTypes(valueType, type));
  }
}

function elementType(checked: CheckedExpression, element: Expression, isOptional: boolean): CelType {
  const type = checked.typeOf(element);
  return isOptional ? (optionalElement(type) ?? type) : type;
}

function mixedTypes(expected: CelType, actual: CelType): string {
  return `expected type '${expected.display}' but found '${actual.display}'`;
}

/** A literal format with its arguments written out. */
function validateFormat(checked: CheckedExpression, call: CallExpression, report: Report): void {
  const { target } = call;
  const [list] = call.args;
  if (target?.type !== 'literal' || typeof target.value !== 'string' || list?.type !== 'list') return;
  const pattern = target.value;
  const problem = problemOf(() => parseFormat(pattern));
  if (problem !== undefined) return report(call, problem);
  let used = 0;
  for (const part of parseFormat(pattern)) {
    if (typeof part === 'string') continue;
    const arg = list.elements[used];
    if (arg === undefined) return report(call, `index ${used} out of range`);
    used++;
    const type = checked.typeOf(arg);
    const kinds = CLAUSE_KINDS[part.verb];
    if (kinds === undefined || type.kind === 'dyn' || kinds.includes(type.kind)) continue;
    return report(arg, mismatchText(part.verb, type.name));
  }
  if (used < list.elements.length) {
    const counts = `expected ${used}, got ${list.elements.length}`;
    report(call, `too many arguments supplied to string.format (${counts})`);
  }
}
