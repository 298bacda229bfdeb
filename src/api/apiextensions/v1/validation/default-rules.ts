import { deepCopy, deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateEmbedded } from '../../structural/embedded.ts';
import { isEmbedded, isObject, itemsOf, type JsonSchema, META_FIELDS } from '../../structural/json-schema.ts';
import { prune } from '../../structural/prune.ts';
import { validateValue } from '../../structural/validate.ts';

/** Checks that defaults are values that their schema admits, without fields that it does not know. */
export function validateDefaults(
  schema: JsonSchema,
  path: FieldPath,
  { requirePruned }: { requirePruned: boolean },
): FieldError[] {
  const errors: FieldError[] = [];
  check(schema, { path, isResource: true, isInsideMeta: false, requirePruned }, errors);
  return errors;
}

interface Place {
  readonly path: FieldPath;
  readonly isResource: boolean;
  readonly isInsideMeta: boolean;
  readonly requirePruned: boolean;
}

function check(schema: JsonSchema, place: Place, errors: FieldError[]): void {
  const isInsideMeta = place.isInsideMeta && !isEmbedded(schema);
  const { path } = place;
  if (schema.default !== undefined) errors.push(...problemsOf(schema, { ...place, isInsideMeta }));
  // Values of maps are not looked at: there can be no defaults.
  const items = itemsOf(schema);
  if (items !== undefined) {
    check(items, { ...place, path: path.child('items'), isResource: isEmbedded(items), isInsideMeta }, errors);
  }
  const isResource = place.isResource || isEmbedded(schema);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const inner = {
      path: path.child('properties').key(name),
      isResource: isEmbedded(property),
      isInsideMeta: isInsideMeta || (isResource && META_FIELDS.has(name)),
      requirePruned: place.requirePruned,
    };
    check(property, inner, errors);
  }
}

function problemsOf(schema: JsonSchema, { path, isInsideMeta, requirePruned }: Place): FieldError[] {
  const at = path.child('default');
  const value = schema.default;
  const errors: FieldError[] = [];
  if (!isInsideMeta && requirePruned && (isObject(value) || Array.isArray(value))) {
    const pruned = deepCopy(value);
    prune(pruned, schema, { isRoot: false });
    if (!deepEqual(pruned, value)) errors.push(invalidValue(at, value, 'must not have unknown fields'));
  }
  const embedded = isInsideMeta ? [] : validateEmbedded(value, schema, { path: at });
  if (embedded.length > 0) return [...errors, ...embedded];
  return [...errors, ...validateValue(value, schema, { path: at })];
}
