import { type FieldError, forbiddenValue, invalidValue, required } from '../field/field-error.ts';
import type { FieldPath } from '../field/field-path.ts';
import type { LabelSelector } from '../meta/types.ts';
import { each, validateLabelName, validateLabels } from '../validation/metadata.ts';
import { isValidLabelValue } from '../validation/names.ts';

/** Checks a label selector inside an object. `allowInvalidLabelValue` keeps old objects with bad values writable. */
export function validateLabelSelector(
  selector: LabelSelector | undefined,
  path: FieldPath,
  options: { allowInvalidLabelValue?: boolean } = {},
): FieldError[] {
  const errors = validateLabels(selector?.matchLabels, path.child('matchLabels'));
  for (const [index, requirement] of (selector?.matchExpressions ?? []).entries()) {
    const at = path.child('matchExpressions').index(index);
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length > 0) break;
        errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length === 0) break;
        errors.push(
          forbiddenValue(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
        break;
      default:
        errors.push(invalidValue(at.child('operator'), requirement.operator, 'not a valid selector operator'));
    }
    errors.push(...validateLabelName(requirement.key ?? '', at.child('key')));
    if (options.allowInvalidLabelValue === true) continue;
    for (const [position, value] of values.entries()) {
      errors.push(...each(at.child('values').index(position), value, isValidLabelValue(value)));
    }
  }
  return errors;
}
