import { fail } from '../errors.ts';
import { keyText } from './key-text.ts';
import { isMapLike, mapGet, mapKeys } from './maps.ts';
import { formatDuration, formatTimestamp } from './time.ts';
import { typeOf } from './type-of.ts';
import { CelDouble, CelDuration, CelOptional, CelTimestamp, CelUint } from './value.ts';

/**
 * The value as JSON: ints beyond the safe range stay bigints, bytes become base64, times their text, absent optionals
 * null. Fails for values that JSON cannot hold, such as types.
 */
export function toJson(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return fail('cannot convert NaN or infinity to JSON');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof CelDouble) return value.value;
  if (value instanceof CelUint) return value.value <= 9_007_199_254_740_991n ? Number(value.value) : value.value;
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value);
  if (value instanceof CelOptional) return value.isPresent ? toJson(value.value) : null;
  if (!isMapLike(value)) return fail(`cannot convert ${typeOf(value).name} to JSON`);
  return Object.fromEntries(mapKeys(value).map((key) => [keyText(key), toJson(mapGet(value, key))]));
}
