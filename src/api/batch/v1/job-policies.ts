import {
  duplicateValue,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { byteLength, isQualifiedName } from '#machinery/validation/names.ts';
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '../../generated/types.ts';
import { checkMessages, checkNotNegative, type FieldErrors, invalidField } from '../../validation/basics.ts';
import { countIndexes, parseIndexes } from './indexes.ts';

const RULES_MAX = 20;
const EXIT_CODES_MAX = 255;
const PATTERNS_MAX = 20;
const INDEXES_BYTES_MAX = 64 * 1024;
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const statuses = ['False', 'True', 'Unknown'];

/** Required, and one of these; the list is printed as Go prints one. */
function checkEnum(
  value: string | undefined,
  supported: readonly string[],
  path: FieldPath,
  errors: FieldErrors,
): void {
  const list = supported.map((text) => JSON.stringify(text)).join(' ');
  if ((value ?? '') === '') errors.push(required(path, `valid values: [${list}]`));
  else if (!supported.includes(value ?? '')) errors.push(notSupported(path, value, supported));
}

/** What a pod's failure means for its job (KEP-3329). */
export function checkFailurePolicy(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const rulesPath = path.child('rules');
  if (rules.length > RULES_MAX) errors.push(tooMany(rulesPath, rules.length, RULES_MAX));
  for (const [index, rule] of rules.entries()) checkFailureRule(rule, spec, rulesPath.index(index), errors);
}

function checkFailureRule(rule: PodFailurePolicyRule, spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const actionPath = path.child('action');
  if (rule.action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined) {
      errors.push(invalidValue(actionPath, rule.action, 'requires the backoffLimitPerIndex to be set'));
    }
  } else checkEnum(rule.action, actions, actionPath, errors);
  const { onExitCodes, onPodConditions = [] } = rule;
  if (onExitCodes !== undefined) checkExitCodes(onExitCodes, spec, path.child('onExitCodes'), errors);
  checkConditionPatterns(onPodConditions, path.child('onPodConditions'), errors);
  if (onExitCodes !== undefined && onPodConditions.length > 0) {
    errors.push(invalidField(path, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (onExitCodes === undefined && onPodConditions.length === 0) {
    errors.push(invalidField(path, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
}

function checkConditionPatterns(
  patterns: readonly PodFailurePolicyOnPodConditionsPattern[],
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (patterns.length > PATTERNS_MAX) errors.push(tooMany(path, patterns.length, PATTERNS_MAX));
  for (const [index, { type, status }] of patterns.entries()) {
    const at = path.index(index);
    checkMessages(isQualifiedName(type), type, at.child('type'), errors);
    checkEnum(status, statuses, at.child('status'), errors);
  }
}

function checkExitCodes(
  codes: PodFailurePolicyOnExitCodesRequirement,
  spec: JobSpec,
  path: FieldPath,
  errors: FieldErrors,
): void {
  checkEnum(codes.operator, operators, path.child('operator'), errors);
  const { containerName, values } = codes;
  const { containers = [], initContainers = [] } = spec.template.spec ?? {};
  if (containerName !== undefined && ![...containers, ...initContainers].some(({ name }) => name === containerName)) {
    const detail = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalidValue(path.child('containerName'), containerName, detail));
  }
  const valuesPath = path.child('values');
  const list = values ?? [];
  if (list.length === 0) errors.push(invalidValue(valuesPath, values, 'at least one value is required'));
  else if (list.length > EXIT_CODES_MAX) errors.push(tooMany(valuesPath, list.length, EXIT_CODES_MAX));
  const seen = new Set<number>();
  for (const [index, code] of list.entries()) {
    const at = valuesPath.index(index);
    if (codes.operator === 'In' && code === 0) errors.push(invalidValue(at, code, 'must not be 0 for the In operator'));
    if (seen.has(code)) errors.push(duplicateValue(at, code));
    seen.add(code);
  }
  if (list.some((code, index) => index > 0 && (list[index - 1] ?? code) > code)) {
    errors.push(invalidValue(valuesPath, list, 'must be ordered'));
  }
}

/** When an indexed job has succeeded before all its indexes have (KEP-3998). */
export function checkSuccessPolicy(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const rules = spec.successPolicy?.rules ?? [];
  const rulesPath = path.child('rules');
  if (rules.length === 0) {
    errors.push(required(rulesPath, 'at least one rules must be specified when the successPolicy is specified'));
  }
  if (rules.length > RULES_MAX) errors.push(tooMany(rulesPath, rules.length, RULES_MAX));
  for (const [index, rule] of rules.entries()) {
    checkSuccessRule(rule, spec.completions ?? 0, rulesPath.index(index), errors);
  }
}

function checkSuccessRule(rule: SuccessPolicyRule, completions: number, path: FieldPath, errors: FieldErrors): void {
  const { succeededCount: count, succeededIndexes: text } = rule;
  if (count === undefined && text === undefined) {
    errors.push(required(path, 'at least one of succeededCount or succeededIndexes must be specified'));
  }
  let total = 0;
  if (text !== undefined) {
    const at = path.child('succeededIndexes');
    if (byteLength(text) > INDEXES_BYTES_MAX) errors.push(tooLong(at, INDEXES_BYTES_MAX));
    const indexes = parseIndexes(text, completions);
    if (typeof indexes === 'string') {
      errors.push(invalidValue(at, text, `error parsing succeededIndexes: ${indexes}`));
    } else total = countIndexes(indexes);
  }
  if (count === undefined) return;
  const at = path.child('succeededCount');
  checkNotNegative(count, at, errors);
  const atMost = (limit: number, what: string): void => {
    if (count > limit)
      errors.push(invalidValue(at, count, `must be less than or equal to ${limit} (the number of ${what})`));
  };
  atMost(completions, 'specified completions');
  if (text !== undefined) atMost(total, 'indexes in the specified succeededIndexes field');
}
