import { encodeValue } from '#machinery/codec/json.ts';
import { deepEqual } from '#machinery/codec/deep.ts';

/** Enough to see what was changed; a message is no place for a whole spec. */
const LINES_MAX = 40;

/** What changed from one spec to another, a line each: `- path: before` and `+ path: after`. */
export function specDifference(before: unknown, after: unknown): string {
  const lines: string[] = [];
  compare(before, after, 'spec', lines);
  return lines.length <= LINES_MAX ? lines.join('\n') : [...lines.slice(0, LINES_MAX), '…'].join('\n');
}

function compare(before: unknown, after: unknown, path: string, lines: string[]): void {
  if (lines.length > LINES_MAX || deepEqual(before, after)) return;
  if (isContainer(before) && isContainer(after) && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(before[key], after[key], Array.isArray(before) ? `${path}[${key}]` : `${path}.${key}`, lines);
    }
    return;
  }
  if (before !== undefined) lines.push(`- ${path}: ${encodeValue(before)}`);
  if (after !== undefined) lines.push(`+ ${path}: ${encodeValue(after)}`);
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
