import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One test of the official suite, by name; `group` says what it needs (A0: no pods, A1: pods that only seem to run). */
export interface OfficialTest {
  readonly group: string;
  readonly release: string;
  readonly sig: string;
  readonly name: string;
}

export function officialTests(): OfficialTest[] {
  const text = readFileSync(join(import.meta.dirname, '..', 'official-tests.tsv'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [group = '', release = '', name = ''] = line.split('\t');
      return { group, release, name, sig: /^\[([a-z-]+)\]/.exec(name)?.[1] ?? '' };
    });
}
