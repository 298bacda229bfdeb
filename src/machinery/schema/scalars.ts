import { encodeValue } from '../codec/json.ts';
import { formatTime, parseTime } from '../clock/clock.ts';
import { parseQuantity, QuantityError } from '../quantity/quantity.ts';
import { goType, jsonKind } from './go-types.ts';
import type { Schema } from './schema.ts';

/** The outcome of decoding one scalar: its value, or the text of what is wrong. */
export type ScalarResult =
  | { readonly type: 'value'; readonly value: unknown }
  /** `json: cannot unmarshal … into Go struct field …`: the caller knows the field. */
  | { readonly type: 'mismatch'; readonly kind: string }
  /** The whole message; the value's own decoder complained. */
  | { readonly type: 'error'; readonly message: string };

/** Decodes what is no plain string, boolean or number; `null` was handled before. */
export function decodeScalar(schema: Schema, value: unknown): ScalarResult {
  switch (schema.type) {
    case 'integer':
      return decodeInteger(schema, value);
    case 'intOrString':
      return decodeIntOrString(value);
    case 'quantity':
      return decodeQuantity(value);
    case 'time':
      return decodeTime(value, 'seconds');
    case 'microTime':
      return decodeTime(value, 'micros');
    case 'bytes':
      return decodeBytes(value);
    default:
      return { type: 'mismatch', kind: jsonKind(value) };
  }
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const INT32_MIN = -2_147_483_648;
const INT32_MAX = 2_147_483_647;

function decodeInteger(schema: Schema, value: unknown): ScalarResult {
  if (typeof value === 'bigint') {
    const fits = schema.format !== 'int32' && value >= INT64_MIN && value <= INT64_MAX;
    return fits ? ok(value) : { type: 'mismatch', kind: `number ${value}` };
  }
  if (typeof value !== 'number') return { type: 'mismatch', kind: jsonKind(value) };
  const isInRange = schema.format !== 'int32' || (value >= INT32_MIN && value <= INT32_MAX);
  return Number.isInteger(value) && isInRange ? ok(value) : { type: 'mismatch', kind: `number ${value}` };
}

function decodeIntOrString(value: unknown): ScalarResult {
  if (typeof value === 'string') return ok(value);
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  if (typeof value === 'number' && Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX)
    return ok(value);
  const kind = isNumber ? `number ${value}` : jsonKind(value);
  return { type: 'error', message: `json: cannot unmarshal ${kind} into Go value of type int32` };
}

function decodeQuantity(value: unknown): ScalarResult {
  if (typeof value !== 'string' && typeof value !== 'number') {
    // Upstream parses the raw text of whatever stands there.
    return { type: 'error', message: quantityMessage(encodeValue(value)) };
  }
  try {
    return ok(parseQuantity(value).toString());
  } catch (error) {
    if (error instanceof QuantityError) return { type: 'error', message: error.message };
    throw error;
  }
}

function quantityMessage(text: string): string {
  try {
    parseQuantity(text);
    return '';
  } catch (error) {
    if (error instanceof QuantityError) return error.message;
    throw error;
  }
}

const PLAIN_TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;
const ANY_TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})$/;

function decodeTime(value: unknown, precision: 'seconds' | 'micros'): ScalarResult {
  if (typeof value !== 'string') {
    return { type: 'error', message: `json: cannot unmarshal ${jsonKind(value)} into Go value of type string` };
  }
  const match = ANY_TIME.exec(value);
  const epochMs = match === null ? undefined : parseTime(value);
  if (match === null || epochMs === undefined) return { type: 'error', message: timeMessage(value, precision) };
  if (!isRealDate(value, epochMs)) {
    return { type: 'error', message: `parsing time ${JSON.stringify(value)}: day out of range` };
  }
  if (precision === 'seconds') return ok(PLAIN_TIME.test(value) ? value : formatTime(epochMs));
  const micros = (match[1] ?? '.').slice(1, 7).padEnd(6, '0');
  return ok(`${formatTime(Math.floor(epochMs / 1000) * 1000).slice(0, 19)}.${micros}Z`);
}

/** Date.parse carries the 30th of February over to March. Times with an offset may fall on another day. */
function isRealDate(value: string, epochMs: number): boolean {
  return !value.endsWith('Z') || formatTime(Math.floor(epochMs / 1000) * 1000).slice(0, 19) === value.slice(0, 19);
}

function timeMessage(value: string, precision: 'seconds' | 'micros'): string {
  const layout = precision === 'seconds' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
  const quoted = JSON.stringify(value);
  const rest = /^[0-9]{4}/.test(value) ? value.slice(4) : value;
  const expected = rest === value ? '2006' : '-';
  return `parsing time ${quoted} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as "${expected}"`;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeBytes(value: unknown): ScalarResult {
  if (typeof value !== 'string') return { type: 'mismatch', kind: jsonKind(value) };
  const text = /[\r\n]/.test(value) ? value.replaceAll(/[\r\n]/g, '') : value;
  if (BASE64.test(text)) return ok(text);
  const bad = text.search(/[^A-Za-z0-9+/]/);
  return {
    type: 'error',
    message: `illegal base64 data at input byte ${bad < 0 ? text.length - (text.length % 4) : bad}`,
  };
}

function ok(value: unknown): ScalarResult {
  return { type: 'value', value };
}

/** The message of a value that stands where another type belongs. */
export function mismatchMessage(schema: Schema, kind: string, at: { struct: string; field: string }): string {
  const target = at.field === '' ? `value of type ${goType(schema)}` : fieldText(schema, at);
  return `json: cannot unmarshal ${kind} into Go ${target}`;
}

function fieldText(schema: Schema, at: { struct: string; field: string }): string {
  return `struct field ${at.struct}.${at.field} of type ${goType(schema)}`;
}
