import { duplicateValue, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { validateLabelName } from '#machinery/validation/metadata.ts';
import type { TopologySpreadConstraint } from '../../../../generated/types.ts';
import { checkOptionalOneOf, type FieldErrors } from '../../../../validation/basics.ts';

const whenUnsatisfiable = ['DoNotSchedule', 'ScheduleAnyway'];
const inclusionPolicies = ['Honor', 'Ignore'];

export function checkTopologySpread(
  constraints: readonly TopologySpreadConstraint[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (constraints === undefined) return;
  const seen = new Set<string>();
  for (const [index, constraint] of constraints.entries()) {
    const at = path.index(index);
    const { maxSkew, topologyKey, minDomains } = constraint;
    if (maxSkew <= 0) errors.push(invalidValue(at.child('maxSkew'), maxSkew, 'must be greater than zero'));
    if ((topologyKey ?? '') === '') errors.push(required(at.child('topologyKey'), 'can not be empty'));
    else errors.push(...validateLabelName(topologyKey, at.child('topologyKey')));
    const action = constraint.whenUnsatisfiable ?? '';
    if (!whenUnsatisfiable.includes(action)) {
      errors.push(notSupported(at.child('whenUnsatisfiable'), action, whenUnsatisfiable));
    }
    const pair = `{${topologyKey ?? ''}, ${action}}`;
    if (seen.has(pair)) errors.push(duplicateValue(at.child('{topologyKey, whenUnsatisfiable}'), pair));
    seen.add(pair);
    if (minDomains !== undefined) checkMinDomains(minDomains, { action, path: at.child('minDomains'), errors });
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      checkOptionalOneOf(constraint[field], inclusionPolicies, at.child(field), errors);
    }
    checkMatchLabelKeys(constraint, at, errors);
    if (constraint.labelSelector !== undefined) {
      errors.push(...validateLabelSelector(constraint.labelSelector, at.child('labelSelector'), {}));
    }
  }
}

function checkMinDomains(
  minDomains: number,
  { action, path, errors }: { action: string; path: FieldPath; errors: FieldErrors },
): void {
  if (minDomains <= 0) errors.push(invalidValue(path, minDomains, 'must be greater than 0'));
  if (action !== 'DoNotSchedule') {
    const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
    errors.push(invalidValue(path, minDomains, detail));
  }
}

function checkMatchLabelKeys(constraint: TopologySpreadConstraint, path: FieldPath, errors: FieldErrors): void {
  const keys = constraint.matchLabelKeys;
  if (keys === undefined) return;
  const at = path.child('matchLabelKeys');
  if (constraint.labelSelector === undefined) {
    errors.push(forbiddenValue(at, 'must not be specified when labelSelector is not set'));
  }
  for (const [index, key] of keys.entries()) errors.push(...validateLabelName(key, at.index(index)));
}
