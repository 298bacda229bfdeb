import type { Schema } from './schema.ts';

/** How Go names a definition: `v1.PodSpec` for `io.k8s.api.core.v1.PodSpec`. */
export function goTypeName(definition: string): string {
  return definition.split('.').slice(-2).join('.');
}

/** The bare name: `PodSpec`. */
export function goStructName(definition: string): string {
  return definition.slice(definition.lastIndexOf('.') + 1);
}

/** How Go prints the type of a field; appears in decoding errors. */
export function goType(schema: Schema): string {
  switch (schema.type) {
    case 'array':
      return `[]${goType(schema.items ?? { type: 'any' })}`;
    case 'map':
      return `map[string]${goType(schema.items ?? { type: 'any' })}`;
    case 'ref':
      return goTypeName(schema.ref ?? '');
    case 'integer':
      return schema.format === 'int32' ? 'int32' : 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'bytes':
      return '[]uint8';
    case 'quantity':
      return 'resource.Quantity';
    case 'intOrString':
      return 'intstr.IntOrString';
    case 'time':
      return 'v1.Time';
    case 'microTime':
      return 'v1.MicroTime';
    case 'object':
      return 'map[string]interface {}';
    case 'any':
      return 'interface {}';
    default:
      return schema.type satisfies never;
  }
}

/** How Go's decoder names the kind of a JSON value. */
export function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'number';
    default:
      return typeof value;
  }
}
