/** Indexes of an indexed job as text: `1,3-5,7`. */

export type IndexInterval = readonly [first: number, last: number];

/** The intervals, or what is wrong with the text, in upstream's words. */
export function parseIndexes(text: string, completions: number): readonly IndexInterval[] | string {
  if (text === '') return [];
  const intervals: IndexInterval[] = [];
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions);
    if (typeof interval === 'string') return interval;
    const previous = intervals.at(-1)?.[1];
    if (previous !== undefined && previous >= interval[0]) {
      return `non-increasing order, previous: ${previous}, current: ${interval[0]}`;
    }
    intervals.push(interval);
  }
  return intervals;
}

function parseInterval(text: string, completions: number): IndexInterval | string {
  const limits = text.split('-');
  if (limits.length > 2) {
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  for (const limit of limits) {
    const quoted = JSON.stringify(limit);
    if (!/^\+?\d{1,19}$/.test(limit)) return `cannot convert string to integer for index: ${quoted}`;
    if (Number(limit) >= completions) return `too large index: ${quoted}`;
  }
  const first = Number(limits[0]);
  if (limits.length === 1) return [first, first];
  const last = Number(limits[1]);
  return first >= last ? `non-increasing order, previous: ${first}, current: ${last}` : [first, last];
}

export function countIndexes(intervals: readonly IndexInterval[]): number {
  return intervals.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** The first index that is in both; both are in order. */
export function firstCommonIndex(left: readonly IndexInterval[], right: readonly IndexInterval[]): number | undefined {
  let i = 0;
  let j = 0;
  for (;;) {
    const a = left[i];
    const b = right[j];
    if (a === undefined || b === undefined) return undefined;
    if (a[0] <= b[1] && b[0] <= a[1]) return Math.max(a[0], b[0]);
    if (a[1] < b[0]) i++;
    else j++;
  }
}
