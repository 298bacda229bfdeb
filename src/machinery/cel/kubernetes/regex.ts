import type { CelLibrary } from '../environment.ts';
import { declare, member } from '../library/declaration.ts';
import { compilePattern } from '../library/regex-cache.ts';
import { INT, listType, STRING } from '../types/type.ts';

/** `find` and `findAll`; patterns are RE2's and match in linear time. */
export const REGEX: CelLibrary = {
  functions: [
    declare('find', member('string_find_string', [STRING, STRING], STRING, find)),
    declare(
      'findAll',
      member('string_find_all_string', [STRING, STRING], listType(STRING), findAll),
      member('string_find_all_string_int', [STRING, STRING, INT], listType(STRING), findAll),
    ),
  ],
};

function find(text: string, pattern: string): string {
  const matcher = compilePattern(pattern).matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

function findAll(text: string, pattern: string, limit: number | bigint = -1): string[] {
  const matcher = compilePattern(pattern).matcher(text);
  const found: string[] = [];
  const count = Number(limit);
  while ((count < 0 || found.length < count) && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}
