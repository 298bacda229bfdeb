export type TypeKind =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'list'
  | 'map'
  | 'struct'
  | 'opaque'
  | 'type'
  | 'parameter';

/** A CEL type. Immutable; two types are the same where their displayed names are. */
export interface CelType {
  readonly kind: TypeKind;
  /** As `type(x)` names it at run time: `int`, `google.protobuf.Timestamp`, `list`, `optional_type`. */
  readonly name: string;
  /** Of a list its element; of a map key and value; of an opaque type or a type's type what it is made of. */
  readonly parameters: readonly CelType[];
  /** As error messages show it: `list(int)`, `map(string, dyn)`, `timestamp`. */
  readonly display: string;
  /** A wrapper type: null belongs to it too. */
  readonly isNullable: boolean;
  /** How raw JSON becomes a value of this type; absent where the JSON is the value. */
  readonly convert?: (raw: unknown) => unknown;
  /** How values compare where it is not the usual way: lists that a schema makes sets or maps. */
  readonly isEqual?: (left: unknown, right: unknown) => boolean;
  /** How lists of this type are added where it is not the usual way. */
  readonly concat?: (left: readonly unknown[], right: readonly unknown[]) => unknown[];
}

/** Types bigger than this on display become `dyn`: maps of maps could otherwise double with each step. */
const DISPLAY_LENGTH_MAX = 4_000;

function simple(kind: TypeKind, name: string, display = name): CelType {
  return { kind, name, parameters: [], display, isNullable: false };
}

export const DYN = simple('dyn', 'dyn');
/** The type of what has failed to check; fits everywhere, so that one mistake is reported once. */
export const ERROR = simple('error', '*error*', '!error!');
export const NULL = simple('null', 'null_type', 'null');
export const BOOL = simple('bool', 'bool');
export const INT = simple('int', 'int');
export const UINT = simple('uint', 'uint');
export const DOUBLE = simple('double', 'double');
export const STRING = simple('string', 'string');
export const BYTES = simple('bytes', 'bytes');
export const TIMESTAMP = simple('timestamp', 'google.protobuf.Timestamp', 'timestamp');
export const DURATION = simple('duration', 'google.protobuf.Duration', 'duration');
/** The type of types, where it does not matter of which. */
export const TYPE: CelType = simple('type', 'type');

export function listType(element: CelType): CelType {
  return composed('list', 'list', [element]);
}

export function mapType(key: CelType, value: CelType): CelType {
  return composed('map', 'map', [key, value]);
}

export function typeType(of: CelType): CelType {
  return composed('type', 'type', [of]);
}

/** A type known by its name alone, such as `kubernetes.URL`; may have parameters. */
export function opaqueType(name: string, ...parameters: CelType[]): CelType {
  return composed('opaque', name, parameters);
}

export function optionalType(value: CelType): CelType {
  return opaqueType('optional_type', value);
}

/** An object type; its fields are known to the type provider. */
export function structType(name: string): CelType {
  return simple('struct', name);
}

export function typeParameter(name: string): CelType {
  return simple('parameter', name);
}

/** The type or null: protobuf's wrappers, and fields that may be null. */
export function nullableType(type: CelType): CelType {
  return { ...type, isNullable: true, display: `wrapper(${type.display})` };
}

function composed(kind: TypeKind, name: string, parameters: readonly CelType[]): CelType {
  const inner = parameters.map((parameter) => parameter.display).join(', ');
  if (inner.length > DISPLAY_LENGTH_MAX) {
    return composed(
      kind,
      name,
      parameters.map(() => DYN),
    );
  }
  return { kind, name, parameters, display: parameters.length === 0 ? name : `${name}(${inner})`, isNullable: false };
}

/** The same type made of other parameters; its special ways of conversion and comparison are lost. */
export function withParameters(type: CelType, parameters: readonly CelType[]): CelType {
  return composed(type.kind, type.name, parameters);
}

export function isDyn(type: CelType): boolean {
  return type.kind === 'dyn';
}

export function isOptionalType(type: CelType): boolean {
  return type.kind === 'opaque' && type.name === 'optional_type';
}

/** The element of an optional type; undefined where it is not one. */
export function optionalElement(type: CelType): CelType | undefined {
  return isOptionalType(type) ? type.parameters[0] : undefined;
}

/** `(int, string)`, `list(int).(string)`: the arguments of a call as error messages show them. */
export function displaySignature(args: readonly CelType[], isMember: boolean): string {
  const names = args.map((arg) => arg.display);
  if (!isMember) return `(${names.join(', ')})`;
  return `${names[0] ?? ''}.(${names.slice(1).join(', ')})`;
}
