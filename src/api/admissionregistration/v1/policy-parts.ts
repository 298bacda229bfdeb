import { forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName } from '#machinery/validation/names.ts';
import { column } from '../../columns/common.ts';
import type { MatchResources, ParamKind, ParamRef, Variable } from '../../generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { KindColumn } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { EXPECTED, type PolicyExpressions } from './policy-expressions.ts';
import { checkMatching } from './rule-validation.ts';

export const failurePolicies = ['Fail', 'Ignore'];
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const reservedWords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** What validating and mutating policies have in common. */
export function checkPolicyHead(
  spec: { failurePolicy?: string; paramKind?: ParamKind; matchConstraints?: MatchResources; variables?: Variable[] },
  path: FieldPath,
  errors: FieldErrors,
): void {
  const { failurePolicy, paramKind, matchConstraints } = spec;
  const policyPath = path.child('failurePolicy');
  if (failurePolicy === undefined) errors.push(required(policyPath, ''));
  else if (!failurePolicies.includes(failurePolicy)) {
    errors.push(notSupported(policyPath, failurePolicy, failurePolicies));
  }
  if (paramKind !== undefined) checkParamKind(paramKind, path.child('paramKind'), errors);
  const constraints = path.child('matchConstraints');
  if (matchConstraints === undefined) errors.push(required(constraints, ''));
  else {
    checkMatching(matchConstraints, constraints, errors);
    // Without a rule nothing says what types expressions see.
    if ((matchConstraints.resourceRules ?? []).length === 0) {
      errors.push(required(constraints.child('resourceRules'), ''));
    }
  }
}

export function checkVariables(
  variables: readonly Variable[],
  path: FieldPath,
  { expressions, errors }: { expressions: PolicyExpressions; errors: FieldErrors },
): void {
  for (const [index, { name = '', expression = '' }] of variables.entries()) {
    const at = path.index(index);
    if (name === '') errors.push(required(at.child('name'), 'name is not specified'));
    else if (!IDENTIFIER.test(name) || reservedWords.has(name)) {
      errors.push(invalidValue(at.child('name'), name, 'name is not a valid CEL identifier'));
    }
    checkExpression(expression, at.child('expression'), errors);
    expressions.check(expression, at.child('expression'), { expected: EXPECTED.variable, errors });
    expressions.declare(name, expression);
  }
}

export function checkExpression(expression: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if ((expression ?? '').trim() === '')
    errors.push(required(path, `${path.toString().split('.').at(-1) ?? ''} is not specified`));
}

function checkParamKind({ apiVersion = '', kind = '' }: ParamKind, path: FieldPath, errors: FieldErrors): void {
  const versionPath = path.child('apiVersion');
  const [first = '', second, ...more] = apiVersion.split('/');
  if (apiVersion === '') errors.push(required(versionPath, ''));
  else if (more.length > 0) {
    errors.push(invalidValue(versionPath, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  } else {
    const version = second ?? first;
    if (second !== undefined && first !== '') checkMessages(isDns1123Subdomain(first), first, versionPath, errors);
    if (version === '') errors.push(invalidValue(versionPath, apiVersion, 'version must be specified'));
    else checkMessages(isDns1035Label(version), version, versionPath, errors);
  }
  if (kind === '') errors.push(required(path.child('kind'), ''));
  else {
    const messages = isDns1035Label(kind.toLowerCase());
    if (messages.length > 0) {
      const detail = `may have mixed case, but should otherwise match: ${messages.join(',')}`;
      errors.push(invalidValue(path.child('kind'), kind, detail));
    }
  }
}

export function checkPolicyName(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') errors.push(required(path, ''));
  else checkMessages(isDns1123Subdomain(name), name, path, errors);
}

/** Parameters of a binding: one object by name, or those that a selector finds. */
export function checkParamRef(ref: ParamRef, path: FieldPath, errors: FieldErrors): void {
  const { name = '', selector, parameterNotFoundAction: action } = ref;
  if (name !== '') {
    checkMessages(isPathSegmentName(name), name, path.child('name'), errors);
    if (selector !== undefined) {
      errors.push(forbiddenValue(path.child('name'), 'name and selector are mutually exclusive'));
    }
  }
  if (selector !== undefined) {
    errors.push(...validateLabelSelector(selector, path.child('selector'), {}));
    if (name !== '') errors.push(forbiddenValue(path.child('selector'), 'name and selector are mutually exclusive'));
  }
  if (name === '' && selector === undefined) {
    errors.push(required(path, 'one of name or selector must be specified'));
  }
  const actionPath = path.child('parameterNotFoundAction');
  if (action === undefined || action === '') errors.push(required(actionPath, ''));
  else if (action !== 'Allow' && action !== 'Deny') errors.push(notSupported(actionPath, action, ['Deny', 'Allow']));
}

/** How many expressions a policy has, and what parameterizes it. */
export function paramKindColumn<T extends KubeObject>(read: (policy: T) => ParamKind | undefined): KindColumn<T> {
  return column('ParamKind', 'ParamKind specifies the kind of resources used to parameterize this policy', (policy) => {
    const paramKind = read(policy);
    return paramKind === undefined ? '<unset>' : `${paramKind.apiVersion ?? ''}/${paramKind.kind ?? ''}`;
  });
}

export function paramRefColumn<T extends KubeObject>(read: (binding: T) => ParamRef | undefined): KindColumn<T> {
  return column('ParamRef', 'ParamRef indicates the param resource which sets the configration param', (binding) => {
    const ref = read(binding);
    if (ref === undefined) return '<unset>';
    if (ref.selector !== undefined) return '<selector>';
    return `${ref.namespace ?? '*'}/${ref.name ?? ''}`;
  });
}
