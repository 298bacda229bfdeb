import { invalidValue, notSupported } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import { isValidLabelValue } from '#machinery/validation/names.ts';
import type { Toleration } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;

export function checkTolerations(
  tolerations: readonly Toleration[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (tolerations === undefined) return;
  for (const [index, toleration] of tolerations.entries()) checkToleration(toleration, path.index(index), errors);
}

function checkToleration(toleration: Toleration, path: FieldPath, errors: FieldErrors): void {
  const key = toleration.key ?? '';
  const operator = toleration.operator ?? '';
  const effect = toleration.effect ?? '';
  const value = toleration.value ?? '';
  if (key !== '') errors.push(...validateLabelName(key, path.child('key')));
  else if (operator !== 'Exists') {
    const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalidValue(path.child('operator'), operator, detail));
  }
  if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
    const detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    errors.push(invalidValue(path.child('effect'), effect, detail));
  }
  if (operator === 'Equal' || operator === '') {
    // Upstream reports a bad value at the operator.
    const messages = isValidLabelValue(value);
    if (messages.length > 0) errors.push(invalidValue(path.child('operator'), value, messages.join(';')));
  } else if (operator === 'Exists') {
    if (value !== '') {
      errors.push(invalidValue(path.child('operator'), value, "value must be empty when `operator` is 'Exists'"));
    }
  } else {
    errors.push(notSupported(path.child('operator'), operator, ['Equal', 'Exists']));
  }
  if (effect !== '' && !taintEffects.some((known) => known === effect)) {
    errors.push(notSupported(path.child('effect'), effect, taintEffects));
  }
}
