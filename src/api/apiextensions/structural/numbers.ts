import type { JsonSchema } from './json-schema.ts';
import type { ValidationResult } from './validation-result.ts';

interface NumberCheck {
  readonly schema: JsonSchema;
  readonly type: string | undefined;
  readonly format: string;
  readonly path: string;
}

const INT64_MAX = 2n ** 63n;
const INT32_MAX = 2 ** 31;
const FLOAT32_MAX = 3.4028234663852885981170418348451692544e38;

/** Range of the type, multiple and bounds of a number. */
export function checkNumber(
  value: number | bigint,
  { schema, type, format, path }: NumberCheck,
  result: ValidationResult,
): void {
  if (!fits(value, type, format)) {
    const wanted = format === '' ? `${type ?? ''} (default format)` : `${type ?? ''} with format ${format}`;
    result.add({ type: 'general', name: '', text: `Checked value must be of type ${wanted} in ${path}` });
  }
  const { multipleOf, maximum, minimum } = schema;
  const say = (text: string): void => {
    result.add({ type: 'invalid', name: path, value, text: `${path} in body should be ${text}` });
  };
  if (multipleOf !== undefined && !isMultiple(Number(value), multipleOf)) say(`a multiple of ${goNumber(multipleOf)}`);
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum === true ? value <= minimum : value < minimum) {
      say(`${schema.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to'} ${goNumber(minimum)}`);
    }
  }
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum === true ? value >= maximum : value > maximum) {
      say(`${schema.exclusiveMaximum === true ? 'less than' : 'less than or equal to'} ${goNumber(maximum)}`);
    }
  }
  result.matches += 1;
}

function fits(value: number | bigint, type: string | undefined, format: string): boolean {
  if (type === 'integer') {
    if (typeof value === 'number' && !Number.isInteger(value)) return false;
    const whole = BigInt(value);
    return format === 'int32' ? whole >= -INT32_MAX && whole < INT32_MAX : whole >= -INT64_MAX && whole < INT64_MAX;
  }
  return format !== 'float' || Math.abs(Number(value)) <= FLOAT32_MAX;
}

function isMultiple(value: number, factor: number): boolean {
  if (factor <= 0) return false;
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  const whole = Math.round(quotient);
  return Math.abs(quotient - whole) <= 1e-9 * Math.max(1, Math.abs(whole));
}

/** A number as Go's `%v` prints it. */
export function goNumber(value: number): string {
  const isSmall = value !== 0 && Math.abs(value) < 1e-4;
  const text = isSmall ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}
