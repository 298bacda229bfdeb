import { encodeValue } from '#machinery/codec/json.ts';
import type { CustomResourceSubresourceScale } from '#api/generated/types.ts';
import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { isObject } from '#api/apiextensions/structural/json-schema.ts';

const INT32_MAX = 2 ** 31 - 1;

/** Replicas that `/scale` could not show are refused wherever they are written. */
export function validateScaleSpec(object: KubeObject, scale: CustomResourceSubresourceScale | undefined): FieldError[] {
  return scale === undefined ? [] : validateReplicas(object, scale.specReplicasPath);
}

export function validateScaleStatus(
  object: KubeObject,
  scale: CustomResourceSubresourceScale | undefined,
): FieldError[] {
  if (scale === undefined) return [];
  const errors = validateReplicas(object, scale.statusReplicasPath);
  const { labelSelectorPath = '' } = scale;
  if (labelSelectorPath === '') return errors;
  const selector = nestedField(object, labelSelectorPath);
  if (selector.type === 'wrong') errors.push(invalidValue(new FieldPath(labelSelectorPath), '', selector.message));
  else if (selector.type === 'value' && typeof selector.value !== 'string') {
    const message = accessorMessage(labelSelectorPath, { value: selector.value, wanted: 'string' });
    errors.push(invalidValue(new FieldPath(labelSelectorPath), '', message));
  }
  return errors;
}

function validateReplicas(object: KubeObject, path: string): FieldError[] {
  const at = new FieldPath(path);
  const found = nestedField(object, path);
  if (found.type === 'absent') return [];
  if (found.type === 'wrong') return [invalidValue(at, 0, found.message)];
  const { value } = found;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return [invalidValue(at, 0, accessorMessage(path, { value, wanted: 'int64' }))];
  }
  if (value < 0) return [invalidValue(at, value, 'should be a non-negative integer')];
  return value > INT32_MAX ? [invalidValue(at, value, `should be less than or equal to ${INT32_MAX}`)] : [];
}

type Found =
  | { readonly type: 'absent' }
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'wrong'; readonly message: string };

/** A field by a path such as `.spec.replicas`. */
function nestedField(object: KubeObject, path: string): Found {
  let value: unknown = object;
  const names = path.replace(/^\./, '').split('.');
  for (const [index, name] of names.entries()) {
    if (!isObject(value)) {
      const message = accessorMessage(names.slice(0, index).join('.'), { value, wanted: 'map[string]interface {}' });
      return { type: 'wrong', message };
    }
    if (!Object.hasOwn(value, name)) return { type: 'absent' };
    value = value[name];
  }
  return { type: 'value', value };
}

function accessorMessage(path: string, { value, wanted }: { value: unknown; wanted: string }): string {
  const at = path.startsWith('.') ? path : `.${path}`;
  return `${at} accessor error: ${typeof value === 'string' ? value : encodeValue(value)} is of the type ${goType(value)}, expected ${wanted}`;
}

function goType(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return 'map[string]interface {}';
  }
}
