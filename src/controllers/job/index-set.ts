import { parseIndexes } from '#api/batch/v1/indexes.ts';

/** The indexes that a text such as `1,3-5` names; of a malformed text none, as validation keeps it out. */
export function indexesOf(text: string | undefined, completions: number): Set<number> {
  const intervals = parseIndexes(text ?? '', completions);
  const result = new Set<number>();
  if (typeof intervals === 'string') return result;
  for (const [first, last] of intervals) for (let index = first; index <= last; index++) result.add(index);
  return result;
}

/** The text of a set of indexes: three or more in a row are written as `3-5`, two as upstream does: `1,2`. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const parts: string[] = [];
  let first: number | undefined;
  let last = 0;
  const flush = () => {
    if (first === undefined) return;
    if (first === last) parts.push(String(first));
    else parts.push(last === first + 1 ? `${first},${last}` : `${first}-${last}`);
  };
  for (const index of [...indexes].toSorted((a, b) => a - b)) {
    if (first !== undefined && index === last + 1) {
      last = index;
      continue;
    }
    flush();
    first = index;
    last = index;
  }
  flush();
  return parts.join(',');
}
