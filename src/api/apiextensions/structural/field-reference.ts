import { FieldPath } from '#machinery/field/field-path.ts';
import { type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

export type FoundField =
  | { readonly type: 'found'; readonly path: FieldPath; readonly schema: JsonSchema | undefined; readonly root: string }
  | { readonly type: 'wrong'; readonly message: string };

/** Finds the field that a path such as `.spec.labels['a.b']` names in a schema. */
export function findField(
  text: string,
  schema: JsonSchema,
  { allowsBrackets = true }: { allowsBrackets?: boolean } = {},
): FoundField {
  const tokens = text.match(/'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]]+/g) ?? [];
  let path = new FieldPath();
  let current: JsonSchema | undefined = schema;
  let root = '';
  for (let index = 0; index < tokens.length; ) {
    const token = tokens[index];
    const isBracket = token === '[';
    if (!isBracket && token !== '.') return wrong(`expected [ or . but got: ${token ?? ''}`);
    if (isBracket && !allowsBrackets) return wrong('array notation is not allowed');
    let name = tokens[index + 1];
    if (name === undefined) return wrong('unexpected end of JSON path');
    if (isBracket) {
      if (name.length < 2 || !name.startsWith("'") || !name.endsWith("'")) {
        return wrong(`expected single quoted string but got ${name}`);
      }
      name = name.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    }
    const isNamed: boolean = current?.properties !== undefined;
    const next: JsonSchema | undefined =
      current === undefined ? undefined : isNamed ? propertyOf(current, name) : valuesOf(current);
    if (next === undefined) return wrong('does not refer to a valid field');
    path = isNamed ? path.child(name) : path.key(name);
    if (root === '') root = name;
    current = next;
    index += 2;
    if (!isBracket) continue;
    if (tokens[index] === undefined) return wrong('unexpected end of JSON path');
    if (tokens[index] !== ']') return wrong(`expected ] but got ${tokens[index] ?? ''}`);
    index += 1;
  }
  return { type: 'found', path, schema: current, root };
}

function wrong(message: string): FoundField {
  return { type: 'wrong', message };
}
