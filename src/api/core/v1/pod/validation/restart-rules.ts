import { notSupported, required, tooMany } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { Container } from '../../../../generated/types.ts';
import { checkOptionalOneOf, type FieldErrors } from '../../../../validation/basics.ts';

const policies = ['Always', 'Never', 'OnFailure'];
const actions = ['Restart', 'RestartAllContainers'];
const RULES_MAX = 20;
const EXIT_CODES_MAX = 255;

/** A container's own policy of restarts, and its exceptions by exit code (KEP-5307). */
export function checkRestartPolicy(container: Container, path: FieldPath, errors: FieldErrors): void {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  const policyPath = path.child('restartPolicy');
  checkOptionalOneOf(restartPolicy, policies, policyPath, errors);
  if (rules.length === 0) return;
  if (restartPolicy === undefined) {
    errors.push(required(policyPath, 'must specify restartPolicy when restart rules are used'));
  }
  const rulesPath = path.child('restartPolicyRules');
  if (rules.length > RULES_MAX) errors.push(tooMany(rulesPath, rules.length, RULES_MAX));
  for (const [index, { action, exitCodes }] of rules.entries()) {
    const at = rulesPath.index(index);
    if (!actions.includes(action)) errors.push(notSupported(at.child('action'), action ?? '', actions));
    const codesPath = at.child('exitCodes');
    if (exitCodes === undefined) {
      errors.push(required(codesPath, 'must be specified'));
      continue;
    }
    const operator = exitCodes.operator ?? '';
    if (operator !== 'In' && operator !== 'NotIn') {
      errors.push(notSupported(codesPath.child('operator'), operator, ['In', 'NotIn']));
    }
    const count = exitCodes.values?.length ?? 0;
    if (count > EXIT_CODES_MAX) errors.push(tooMany(codesPath.child('values'), count, EXIT_CODES_MAX));
  }
}
