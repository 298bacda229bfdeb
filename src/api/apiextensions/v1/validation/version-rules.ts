import { duplicateValue, type FieldError, invalidValue, required, tooMany } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceSubresources,
  SelectableField,
} from '../../../generated/types.ts';
import { findField } from '../../structural/field-reference.ts';
import type { JsonSchema } from '../../structural/json-schema.ts';

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const SELECTABLE_FIELDS_MAX = 8;

export function validateColumns(
  columns: readonly CustomResourceColumnDefinition[] | undefined,
  path: FieldPath,
): FieldError[] {
  return (columns ?? []).flatMap((column, index) => columnErrors(column, path.index(index)));
}

function columnErrors(column: CustomResourceColumnDefinition, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const { format = '' } = column;
  const name = column.name ?? '';
  const type = column.type ?? '';
  const jsonPath = column.jsonPath ?? '';
  if (name === '') errors.push(required(path.child('name'), ''));
  const types = `must be one of ${COLUMN_TYPES.join(',')}`;
  if (type === '') errors.push(required(path.child('type'), types));
  else if (!COLUMN_TYPES.includes(type)) errors.push(invalidValue(path.child('type'), type, types));
  if (format !== '' && !COLUMN_FORMATS.includes(format)) {
    errors.push(invalidValue(path.child('format'), format, `must be one of ${COLUMN_FORMATS.join(',')}`));
  }
  if (jsonPath === '') errors.push(required(path.child('JSONPath'), ''));
  else errors.push(...simplePathErrors(jsonPath, path.child('JSONPath')));
  return errors;
}

export function validateSubresources(
  subresources: CustomResourceSubresources | undefined,
  path: FieldPath,
): FieldError[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const errors = [
    ...replicasErrors(scale.specReplicasPath, path.child('scale.specReplicasPath'), '.spec.'),
    ...replicasErrors(scale.statusReplicasPath, path.child('scale.statusReplicasPath'), '.status.'),
  ];
  const { labelSelectorPath = '' } = scale;
  if (labelSelectorPath === '') return errors;
  const at = path.child('scale.labelSelectorPath');
  const problems = simplePathErrors(labelSelectorPath, at);
  if (problems.length > 0) errors.push(...problems);
  else if (!/^\.(?:spec|status)\./.test(labelSelectorPath)) {
    errors.push(invalidValue(at, labelSelectorPath, 'should be a json path under either .spec or .status'));
  }
  return errors;
}

function replicasErrors(text: string | undefined, path: FieldPath, below: '.spec.' | '.status.'): FieldError[] {
  if (text === undefined || text === '') return [required(path, '')];
  const problems = simplePathErrors(text, path);
  if (problems.length > 0 || text.startsWith(below)) return problems;
  return [invalidValue(path, text, `should be a json path under ${below.slice(0, -1)}`)];
}

function simplePathErrors(text: string, path: FieldPath): FieldError[] {
  return text.startsWith('.') ? [] : [invalidValue(path, text, 'must be a simple json path starting with .')];
}

/** Fields that selectors may name must be in the schema, and must be scalars outside of metadata. */
export function validateSelectableFields(
  fields: readonly SelectableField[] | undefined,
  path: FieldPath,
  { schema, allowsTooMany }: { schema: JsonSchema | undefined; allowsTooMany: boolean },
): FieldError[] {
  if (fields === undefined || fields.length === 0) return [];
  if (schema === undefined) return [invalidValue(path, '', 'may only be set when validations.schema is included')];
  const errors: FieldError[] = [];
  const known = new Set<string>();
  for (const [index, { jsonPath = '' }] of fields.entries()) {
    const at = path.index(index).child('jsonPath');
    if (jsonPath === '') {
      errors.push(required(at, ''));
      continue;
    }
    const found = findField(jsonPath, schema, { allowsBrackets: false });
    if (found.type === 'wrong') {
      errors.push(invalidValue(at, jsonPath, `is an invalid path: ${found.message}`));
      continue;
    }
    if (found.root === 'metadata') errors.push(invalidValue(at, jsonPath, 'must not point to fields in metadata'));
    if (!['string', 'boolean', 'integer'].includes(found.schema?.type ?? '')) {
      const detail =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      errors.push(invalidValue(at, jsonPath, detail));
    }
    const name = found.path.toString();
    if (known.has(name)) errors.push(duplicateValue(at, jsonPath));
    known.add(name);
  }
  if (known.size > SELECTABLE_FIELDS_MAX && !allowsTooMany) {
    errors.push(tooMany(path, known.size, SELECTABLE_FIELDS_MAX));
  }
  return errors;
}
