import { deepEqual } from '#machinery/codec/deep.ts';
import { duplicateValue, invalidValue, notSupported, required, tooMany } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { isPathSegmentName, isQualifiedName } from '#machinery/validation/names.ts';
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { EXPECTED, type PolicyExpressions } from './policy-expressions.ts';

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];
export const matchPolicies = ['Equivalent', 'Exact'];
const CONDITIONS_MAX = 64;

/** Which requests a webhook or policy is for. */
export function checkRule(rule: RuleWithOperations, path: FieldPath, errors: FieldErrors): void {
  checkList(rule.operations, path.child('operations'), { what: 'operations', errors });
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (operations.includes(operation)) continue;
    errors.push(notSupported(path.child('operations').index(index), operation, operations));
  }
  checkList(rule.apiGroups, path.child('apiGroups'), { what: 'API groups', errors });
  const versionsPath = path.child('apiVersions');
  checkList(rule.apiVersions, versionsPath, { what: 'API versions', errors });
  for (const [index, version] of (rule.apiVersions ?? []).entries()) {
    if (version === '') errors.push(required(versionsPath.index(index), ''));
  }
  checkResources(rule.resources ?? [], path.child('resources'), errors);
  if (rule.scope !== undefined && !scopes.includes(rule.scope)) {
    errors.push(notSupported(path.child('scope'), rule.scope, scopes));
  }
}

function checkList(
  list: readonly string[] | undefined,
  path: FieldPath,
  { what, errors }: { what: string; errors: FieldErrors },
): void {
  if (list === undefined || list.length === 0) errors.push(required(path, ''));
  else if (list.length > 1 && list.includes('*')) {
    errors.push(invalidValue(path, list, `if '*' is present, must not specify other ${what}`));
  }
}

/** `pods`, `pods/status`, `pods/*`, `*` and `*` before and after the slash; what one entry covers no other may name. */
function checkResources(resources: readonly string[], path: FieldPath, errors: FieldErrors): void {
  if (resources.length === 0) errors.push(required(path, ''));
  const covered = { resources: new Set<string>(), subresources: new Set<string>() };
  let hasPlain = false;
  for (const [index, entry] of resources.entries()) {
    const at = path.index(index);
    if (entry === '') errors.push(required(at, ''));
    const slash = entry.indexOf('/');
    if (slash < 0) {
      hasPlain = entry !== '*';
      continue;
    }
    const resource = entry.slice(0, slash);
    const subresource = entry.slice(slash + 1);
    if (covered.resources.has(resource)) {
      errors.push(invalidValue(at, entry, `if '${resource}/*' is present, must not specify ${entry}`));
    }
    if (covered.subresources.has(subresource)) {
      errors.push(invalidValue(at, entry, `if '*/${subresource}' is present, must not specify ${entry}`));
    }
    if (subresource === '*') covered.resources.add(resource);
    if (resource === '*') covered.subresources.add(subresource);
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (resources.includes('*') && hasPlain) {
    const detail = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalidValue(path, resources, detail));
  }
}

/** Defaults of what a policy or binding matches. */
export function defaultMatching(resources: MatchResources | undefined): void {
  if (resources === undefined) return;
  resources.matchPolicy ??= 'Equivalent';
  resources.namespaceSelector ??= {};
  resources.objectSelector ??= {};
  for (const rule of [...(resources.resourceRules ?? []), ...(resources.excludeResourceRules ?? [])]) {
    rule.scope ??= '*';
  }
}

export function checkMatching(resources: MatchResources, path: FieldPath, errors: FieldErrors): void {
  for (const field of ['namespaceSelector', 'objectSelector'] as const) {
    const selector = resources[field];
    if (selector === undefined) errors.push(required(path.child(field), ''));
    else errors.push(...validateLabelSelector(selector, path.child(field), {}));
  }
  for (const field of ['resourceRules', 'excludeResourceRules'] as const) {
    for (const [index, rule] of (resources[field] ?? []).entries()) {
      checkNamedRule(rule, path.child(field).index(index), errors);
    }
  }
  const { matchPolicy } = resources;
  if (matchPolicy === undefined) errors.push(required(path.child('matchPolicy'), ''));
  else if (!matchPolicies.includes(matchPolicy)) {
    errors.push(notSupported(path.child('matchPolicy'), matchPolicy, matchPolicies));
  }
}

function checkNamedRule(rule: NamedRuleWithOperations, path: FieldPath, errors: FieldErrors): void {
  const names = rule.resourceNames ?? [];
  for (const [index, name] of names.entries()) {
    const at = path.child('resourceNames').index(index);
    checkMessages(isPathSegmentName(name), name, at, errors);
    if (names.indexOf(name) < index) errors.push(duplicateValue(at, name));
  }
  checkRule(rule, path, errors);
}

/** Conditions in CEL under which a webhook or policy is asked at all; what did not change is not looked at again. */
export function checkConditions(
  conditions: readonly MatchCondition[],
  path: FieldPath,
  {
    before,
    expressions,
    errors,
  }: { before: readonly MatchCondition[] | undefined; expressions: PolicyExpressions; errors: FieldErrors },
): void {
  if (before !== undefined && deepEqual(conditions, before)) return;
  if (conditions.length > CONDITIONS_MAX) errors.push(tooMany(path, conditions.length, CONDITIONS_MAX));
  for (const [index, { name = '', expression = '' }] of conditions.entries()) {
    const at = path.index(index);
    if (expression.trim() === '') errors.push(required(at.child('expression'), ''));
    else expressions.check(expression, at.child('expression'), { expected: EXPECTED.condition, errors });
    if (name === '') errors.push(required(at.child('name'), ''));
    else checkMessages(isQualifiedName(name), name, at.child('name'), errors);
    if (name !== '' && conditions.findIndex((other) => other.name === name) < index) {
      errors.push(duplicateValue(at.child('name'), name));
    }
  }
}
