import { toText } from './convert.ts';

/** A key as messages and JSON show it. */
export function keyText(key: unknown): string {
  try {
    return toText(key);
  } catch {
    return String(key);
  }
}
