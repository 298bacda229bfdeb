import { codePointCount } from '../syntax/source.ts';
import { BOOL, BYTES, type CelType, DOUBLE, DYN, INT, listType, mapType, NULL, STRING } from '../types/type.ts';
import { isMapLike, mapSize } from './maps.ts';
import { CelOptional, CelValue } from './value.ts';

const LIST = listType(DYN);
const MAP = mapType(STRING, DYN);

/** The run-time type of a value. */
export function typeOf(value: unknown): CelType {
  switch (typeof value) {
    case 'boolean':
      return BOOL;
    case 'string':
      return STRING;
    case 'number':
      return Number.isInteger(value) ? INT : DOUBLE;
    case 'bigint':
      return INT;
    default:
      break;
  }
  if (value === null || value === undefined) return NULL;
  if (Array.isArray(value)) return LIST;
  if (value instanceof Uint8Array) return BYTES;
  return value instanceof CelValue ? value.type : MAP;
}

/** Values with a size of their own beyond strings, bytes, lists and maps. */
export interface Sized {
  readonly size: number;
}

/** The size that costs are computed from: 1 for what has none. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return codePointCount(value);
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (value instanceof CelOptional) return value.isPresent ? sizeOf(value.value) : 1;
  if (isMapLike(value)) return mapSize(value);
  return 'size' in value && typeof value.size === 'number' ? value.size : 1;
}
