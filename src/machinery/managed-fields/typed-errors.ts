import { encodeValue } from '../codec/json.ts';
import { goSyntax, goText, goTypeOf } from '../schema/go-print.ts';
import { resolveSchema, type Schema, type SchemaSet } from '../schema/schema.ts';
import { isFields } from './field-set.ts';
import { pathText } from './field-tree.ts';

/** Errors told of one configuration; a client that makes more mistakes sees the rest after it mended these. */
const ERRORS_MAX = 50;

/**
 * What makes an applied configuration unfit for its kind, in upstream's words: fields that the schema does not know,
 * values of the wrong type, items of keyed lists without keys or twice. None where it fits.
 */
export function typedErrors(schemas: SchemaSet, schemaName: string, value: unknown): string[] {
  const checker = new TypedChecker(schemas);
  checker.check({ type: 'ref', ref: schemaName }, value);
  return checker.errors;
}

/** Several errors as one message. */
export function typedErrorText(errors: readonly string[]): string {
  return errors.length === 1 ? (errors[0] ?? '') : ['errors:', ...errors.map((error) => `  ${error}`)].join('\n');
}

type Scalar = 'string' | 'number' | 'boolean' | 'any';

const SCALARS: Readonly<Partial<Record<Schema['type'], Scalar>>> = {
  string: 'string',
  bytes: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  intOrString: 'any',
  quantity: 'any',
  time: 'any',
  microTime: 'any',
};

class TypedChecker {
  readonly errors: string[] = [];
  readonly #schemas: SchemaSet;
  readonly #path: string[] = [];

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas;
  }

  check(schema: Schema, value: unknown): void {
    if (value === null || value === undefined || this.errors.length >= ERRORS_MAX) return;
    const definition = resolveSchema(this.#schemas, schema);
    const scalar = SCALARS[definition.type];
    if (scalar !== undefined) return this.#scalar(scalar, value);
    switch (definition.type) {
      case 'object':
        return this.#struct(definition, value);
      case 'map':
        return this.#map(definition, value);
      case 'array':
        return this.#list(definition, value);
      default:
        return undefined;
    }
  }

  #scalar(scalar: Scalar, value: unknown): void {
    const kind = typeof value === 'bigint' ? 'number' : typeof value;
    if (kind === scalar) return undefined;
    switch (scalar) {
      case 'number':
        return this.#fail(`expected numeric (int or float), got ${goTypeOf(value)}`);
      case 'string':
        return this.#fail(`expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
      case 'boolean':
        return this.#fail(`expected boolean, got &{${goText(value)}}`);
      case 'any':
        return kind === 'object' ? this.#fail(`expected any scalar, got &{${goText(value)}}`) : undefined;
      default:
        return scalar satisfies never;
    }
  }

  #struct(definition: Schema, value: unknown): void {
    if (definition.fields === undefined && definition.mapType !== 'atomic') return undefined;
    if (!isFields(value)) return this.#fail(`expected map, got &{${goText(value)}}`);
    const { fields = {} } = definition;
    for (const [name, child] of Object.entries(value)) {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field !== undefined) this.#below(`f:${name}`, () => this.check(field, child));
      else if (definition.preserveUnknown !== true && definition.fields !== undefined) {
        return this.#below(`f:${name}`, () => this.#fail('field not declared in schema'));
      }
    }
    return undefined;
  }

  #map(definition: Schema, value: unknown): void {
    if (!isFields(value)) return this.#fail(`expected map, got &{${goText(value)}}`);
    const items = definition.items ?? { type: 'any' };
    for (const [name, child] of Object.entries(value)) this.#below(`f:${name}`, () => this.check(items, child));
    return undefined;
  }

  #list(definition: Schema, value: unknown): void {
    if (!Array.isArray(value)) return this.#fail(`expected list, got &{${goText(value)}}`);
    const items = definition.items ?? { type: 'any' };
    const isKeyed = definition.listType === 'map' && definition.listMapKeys !== undefined;
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      let element = String(index);
      if (isKeyed || definition.listType === 'set') {
        const found = isKeyed ? this.#keyOf(definition, items, item) : setElement(item);
        if ('problem' in found) return this.#fail(`element ${index}: ${found.problem}`);
        ({ element } = found);
        if (seen.has(element)) this.#fail(`duplicate entries for key ${pathText([element])}`);
        seen.add(element);
      } else element = `i:${index}`;
      this.#below(element, () => this.check(items, item));
    }
    return undefined;
  }

  #keyOf(definition: Schema, items: Schema, item: unknown): Element {
    if (item === null) return { problem: 'associative list with keys may not have a null element' };
    if (!isFields(item)) return { problem: 'associative list with keys may not have non-map elements' };
    const fields = resolveSchema(this.#schemas, items).fields ?? {};
    const names = definition.listMapKeys ?? [];
    const keys: string[] = [];
    for (const name of names.toSorted()) {
      const key = item[name] ?? fields[name]?.default;
      if (key !== undefined && key !== null) keys.push(`${JSON.stringify(name)}:${encodeValue(key)}`);
    }
    if (keys.length > 0) return { element: `k:{${keys.join(',')}}` };
    const listed = names.map((name) => JSON.stringify(name)).join(' ');
    const problem = `associative list with keys has an element that omits all key fields [${listed}] (and doesn't have default values for any key fields)`;
    return { problem };
  }

  #below(element: string, check: () => void): void {
    this.#path.push(element);
    check();
    this.#path.pop();
  }

  #fail(message: string): void {
    const path = pathText(this.#path);
    this.errors.push(path === '' ? message : `${path}: ${message}`);
  }
}

type Element = { readonly element: string } | { readonly problem: string };

function setElement(item: unknown): Element {
  if (item === null) return { problem: "associative list without keys has an element that's an explicit null" };
  if (Array.isArray(item)) return { problem: 'not supported: associative list with lists as elements' };
  if (typeof item === 'object') return { problem: "associative list without keys has an element that's a map type" };
  return { element: `v:${encodeValue(item)}` };
}
