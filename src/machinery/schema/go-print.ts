import { encodeValue } from '../codec/json.ts';

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The type of a decoded JSON value, as Go's `%T` prints it. */
export function goTypeOf(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value;
}

/** A decoded JSON value as Go's `%v` prints it. */
export function goText(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (typeof value === 'string') return value;
  if (!isFields(value)) return encodeValue(value);
  const fields = value;
  const names = Object.keys(fields).toSorted();
  return `map[${names.map((name) => `${name}:${goText(fields[name])}`).join(' ')}]`;
}

/** A decoded JSON value as Go's `%#v` prints it. */
export function goSyntax(value: unknown): string {
  if (value === null) return 'interface {}(nil)';
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (!isFields(value)) return encodeValue(value);
  const fields = value;
  const names = Object.keys(fields).toSorted();
  return `map[string]interface {}{${names.map((name) => `${JSON.stringify(name)}:${goSyntax(fields[name])}`).join(', ')}}`;
}
