import { CelError, type CelIssue } from '../errors.ts';
import { compilePattern } from '../library/regex-cache.ts';
import { visit } from '../syntax/visit.ts';
import { positionAt } from '../syntax/source.ts';
import { toDuration, toTimestamp } from '../values/convert.ts';
import type { CheckedExpression } from './checked.ts';

/** Functions whose literal argument can be judged when compiling. */
const VALIDATED: Readonly<Record<string, (literal: unknown) => unknown>> = {
  duration: toDuration,
  timestamp: toTimestamp,
  matches: (pattern) => compilePattern(String(pattern)),
};

/** What is wrong with literal durations, timestamps and patterns. */
export function validateLiterals(source: string, checked: CheckedExpression): CelIssue[] {
  const issues: CelIssue[] = [];
  visit(checked.expression, (node) => {
    if (node.type !== 'call' || !Object.hasOwn(VALIDATED, node.name)) return;
    const [literal] = node.args;
    if (literal?.type !== 'literal') return;
    try {
      VALIDATED[node.name]?.(literal.value);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      issues.push({ type: 'check', message: `invalid ${node.name} argument`, ...positionAt(source, literal.offset) });
    }
  });
  return issues;
}
