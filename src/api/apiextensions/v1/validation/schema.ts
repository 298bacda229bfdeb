import { type FieldError, forbiddenValue, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { CustomResourceDefinitionVersion } from '../../../generated/types.ts';
import type { JsonSchema } from '../../structural/json-schema.ts';
import { validateDefaults } from './default-rules.ts';
import { newRuleChecker } from './rule-checker.ts';
import { validateOpenApiSchema } from './schema-rules.ts';
import { validateStructural } from './structural-rules.ts';

/** Levels of one schema within another; far beyond what anybody writes, and well within the stack. */
const DEPTH_MAX = 256;

export interface SchemaOptions {
  readonly hasStatus: boolean;
  /** The schema of this version was the same before: what is too costly now was let pass then. */
  readonly isUnchanged: boolean;
  /** False where the stored definition is not structural either. */
  readonly requiresStructural: boolean;
}

/** Names of upstream's fields that a root schema may have beside a status subresource, in its order. */
const ROOT_FIELDS: readonly (readonly [keyof JsonSchema, string])[] = [
  ['description', 'Description'],
  ['type', 'Type'],
  ['format', 'Format'],
  ['title', 'Title'],
  ['maximum', 'Maximum'],
  ['exclusiveMaximum', 'ExclusiveMaximum'],
  ['minimum', 'Minimum'],
  ['exclusiveMinimum', 'ExclusiveMinimum'],
  ['maxLength', 'MaxLength'],
  ['minLength', 'MinLength'],
  ['pattern', 'Pattern'],
  ['maxItems', 'MaxItems'],
  ['minItems', 'MinItems'],
  ['uniqueItems', 'UniqueItems'],
  ['multipleOf', 'MultipleOf'],
  ['required', 'Required'],
  ['items', 'Items'],
  ['properties', 'Properties'],
  ['externalDocs', 'ExternalDocs'],
  ['example', 'Example'],
  ['x-kubernetes-preserve-unknown-fields', 'XPreserveUnknownFields'],
  ['x-kubernetes-validations', 'XValidations'],
];

/** Checks the schema of one version. */
export function validateSchema(schema: JsonSchema, path: FieldPath, options: SchemaOptions): FieldError[] {
  if (isDeeperThan(schema, DEPTH_MAX)) {
    return [forbiddenValue(path, `must not be nested deeper than ${DEPTH_MAX} levels`)];
  }
  const errors: FieldError[] = [];
  if (options.hasStatus) errors.push(...rootErrors(schema, path));
  if (schema.nullable === true) {
    errors.push(forbiddenValue(path.child('nullable'), 'nullable cannot be true at the root'));
  }
  const structural = options.requiresStructural ? validateStructural(schema, path) : [];
  const defaults = structural.length > 0 ? [] : validateDefaults(schema, path, { requirePruned: !options.isUnchanged });
  errors.push(...structural, ...defaults);
  const isSound = structural.length === 0 && defaults.length === 0;
  const rules = isSound ? newRuleChecker(schema, { path, isUnchanged: options.isUnchanged }) : undefined;
  errors.push(
    ...validateOpenApiSchema(schema, {
      path,
      isRoot: true,
      isInsideMeta: false,
      ...(rules === undefined ? {} : { checkRules: rules.check }),
    }),
    ...(rules?.totals() ?? []),
  );
  return errors;
}

export function isSchemaStructural({ schema }: CustomResourceDefinitionVersion): boolean {
  // Safe: the server decoded it by the schema of JSONSchemaProps.
  const root = schema?.openAPIV3Schema as JsonSchema | undefined;
  return root === undefined || validateStructural(root, new FieldPath()).length === 0;
}

// The schema of the status is taken out of the root's properties: what the root says beyond that would be lost.
function rootErrors(schema: JsonSchema, path: FieldPath): FieldError[] {
  const { type = '' } = schema;
  if (type !== '' && type !== 'object') {
    const detail =
      'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    return [invalidValue(path.child('type'), type, detail)];
  }
  const known = new Set<string>(ROOT_FIELDS.map(([name]) => name));
  if (Object.keys(schema).every((name) => known.has(name) || name === 'nullable')) return [];
  const allowed = ROOT_FIELDS.map(([, name]) => name).join(' ');
  const detail = `only [${allowed}] fields are allowed at the root of the schema if the status subresource is enabled`;
  return [invalidValue(path, schema, detail)];
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((child) => isDeeperThan(child, levels - 1));
}
