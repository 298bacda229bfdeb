import { duplicateValue, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { LabelSelector } from '#machinery/meta/types.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import type { TopologySpreadConstraint } from '../../../../generated/types.ts';
import { checkOptionalOneOf, type FieldErrors } from '../../../../validation/basics.ts';

const whenUnsatisfiable = ['DoNotSchedule', 'ScheduleAnyway'];
const inclusionPolicies = ['Honor', 'Ignore'];
const NOT_POSITIVE = 'must be greater than zero';

export function checkTopologySpread(
  constraints: readonly TopologySpreadConstraint[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (constraints === undefined) return;
  for (const [index, constraint] of constraints.entries()) {
    const at = path.index(index);
    const { maxSkew, topologyKey, minDomains } = constraint;
    if (maxSkew <= 0) errors.push(invalidValue(at.child('maxSkew'), maxSkew, NOT_POSITIVE));
    if ((topologyKey ?? '') === '') errors.push(required(at.child('topologyKey'), 'can not be empty'));
    const action = constraint.whenUnsatisfiable ?? '';
    if (!whenUnsatisfiable.includes(action)) {
      errors.push(notSupported(at.child('whenUnsatisfiable'), action, whenUnsatisfiable));
    }
    const isRepeated = constraints
      .slice(index + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === action);
    if (isRepeated) {
      const pair = `{${topologyKey ?? ''}, ${action}}`;
      errors.push(duplicateValue(at.child('{topologyKey, whenUnsatisfiable}'), pair));
    }
    if (minDomains !== undefined) checkMinDomains(minDomains, { action, path: at.child('minDomains'), errors });
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      checkOptionalOneOf(constraint[field], inclusionPolicies, at.child(field), errors);
    }
    checkMatchLabelKeys(constraint, at.child('matchLabelKeys'), errors);
    if (constraint.labelSelector !== undefined) {
      errors.push(...validateLabelSelector(constraint.labelSelector, at.child('labelSelector'), {}));
    }
  }
}

function checkMinDomains(
  minDomains: number,
  { action, path, errors }: { action: string; path: FieldPath; errors: FieldErrors },
): void {
  if (minDomains <= 0) errors.push(invalidValue(path, minDomains, NOT_POSITIVE));
  if (action !== 'DoNotSchedule') {
    const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
    errors.push(invalidValue(path, minDomains, detail));
  }
}

function checkMatchLabelKeys(constraint: TopologySpreadConstraint, path: FieldPath, errors: FieldErrors): void {
  const keys = constraint.matchLabelKeys ?? [];
  if (keys.length === 0) return;
  if (constraint.labelSelector === undefined) {
    errors.push(forbiddenValue(path, 'must not be specified when labelSelector is not set'));
  }
  for (const [index, key] of keys.entries()) errors.push(...validateLabelName(key, path.index(index)));
  checkKeysNotSelected(keys, constraint.labelSelector, path, errors);
}

/** By now the selector has a requirement for each of the keys; two of one key mean that the client set it, too. */
export function checkKeysNotSelected(
  keys: readonly string[],
  selector: LabelSelector | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  const seen = new Set(Object.keys(selector?.matchLabels ?? {}));
  for (const { key } of selector?.matchExpressions ?? []) {
    const index = keys.lastIndexOf(key);
    if (index >= 0 && seen.has(key)) {
      errors.push(invalidValue(path.index(index), key, 'exists in both matchLabelKeys and labelSelector'));
    }
    seen.add(key);
  }
}
