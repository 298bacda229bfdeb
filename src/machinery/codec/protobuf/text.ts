import { encodeValue } from '../json.ts';

/** What is no text would not have passed the schema; it is written as JSON has it rather than lost. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : encodeValue(value);
}
