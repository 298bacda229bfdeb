import { deepEqual } from '#machinery/codec/deep.ts';
import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { FLOW_SCHEMAS } from '../../generated/resources.ts';
import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { MANDATORY_SCHEMAS } from './bootstrap.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const PRECEDENCE_MAX = 10_000;
const methods = ['ByNamespace', 'ByUser'];
const subjectKinds = ['Group', 'ServiceAccount', 'User'];
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

export const flowSchemas = defineKind(FLOW_SCHEMAS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults(next) {
      if (next.spec !== undefined) next.spec.matchingPrecedence ||= 1000;
    },
    validate,
    validateUpdate: (next) => validate(next),
    validateStatusUpdate: ({ status }) => conditionErrors(status?.conditions ?? []),
  },
  columns: [
    nameColumn,
    column(
      'PriorityLevel',
      'priorityLevelConfiguration should reference a PriorityLevelConfiguration in the cluster.',
      ({ spec }) => spec?.priorityLevelConfiguration.name ?? '',
    ),
    column(
      'MatchingPrecedence',
      'matchingPrecedence is used to choose among the FlowSchemas that match a given request.',
      ({ spec }) => spec?.matchingPrecedence ?? 1000,
    ),
    column(
      'DistinguisherMethod',
      'distinguisherMethod defines how to compute the flow distinguisher.',
      ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>',
    ),
    ageColumn,
    column('MissingPL', 'references a broken or non-existent PriorityLevelConfiguration', ({ status }) => {
      const dangling = status?.conditions?.find((condition) => condition.type === 'Dangling');
      return dangling?.status ?? '?';
    }),
  ],
});

function validate({ metadata, spec, status }: FlowSchema): FieldError[] {
  const errors: FieldErrors = [];
  const { matchingPrecedence = 0, distinguisherMethod, priorityLevelConfiguration, rules } = spec ?? {};
  const precedence = specPath.child('matchingPrecedence');
  if (matchingPrecedence <= 0) errors.push(invalidValue(precedence, matchingPrecedence, 'must be a positive value'));
  if (matchingPrecedence > PRECEDENCE_MAX) {
    errors.push(invalidValue(precedence, matchingPrecedence, `must not be greater than ${PRECEDENCE_MAX}`));
  }
  if (matchingPrecedence === 1 && metadata.name !== 'exempt') {
    const detail = "only the schema named 'exempt' may have matchingPrecedence 1";
    errors.push(invalidValue(precedence, matchingPrecedence, detail));
  }
  if (distinguisherMethod !== undefined && !methods.includes(distinguisherMethod.type)) {
    // Upstream prints the whole method in its own form.
    const value = { Type: distinguisherMethod.type };
    errors.push(notSupported(specPath.child('distinguisherMethod', 'type'), value, methods));
  }
  const name = priorityLevelConfiguration?.name ?? '';
  const namePath = specPath.child('priorityLevelConfiguration', 'name');
  if (name === '') errors.push(required(namePath, 'must reference a priority level'));
  else checkMessages(isDns1123Subdomain(name), name, namePath, errors);
  for (const [index, rule] of (rules ?? []).entries()) checkRule(rule, specPath.child('rules').index(index), errors);
  const mandatory = MANDATORY_SCHEMAS.find((one) => one.metadata.name === metadata.name);
  if (mandatory !== undefined && !deepEqual(mandatory.spec, spec)) {
    errors.push(invalidValue(specPath, spec, `spec of '${metadata.name ?? ''}' must equal the fixed value`));
  }
  return [...errors, ...conditionErrors(status?.conditions ?? [])];
}

function checkRule(rule: PolicyRulesWithSubjects, path: FieldPath, errors: FieldErrors): void {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = partly(rule);
  if (subjects.length === 0) {
    errors.push(required(path.child('subjects'), 'subjects must contain at least one value'));
  }
  for (const [index, subject] of subjects.entries()) checkSubject(subject, path.child('subjects').index(index), errors);
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  for (const [index, item] of resourceRules.entries()) {
    checkResourceRule(item, path.child('resourceRules').index(index), errors);
  }
  for (const [index, item] of nonResourceRules.entries()) {
    checkPathRule(item, path.child('nonResourceRules').index(index), errors);
  }
}

function checkSubject(subject: FlowcontrolSubject, path: FieldPath, errors: FieldErrors): void {
  const { kind } = subject;
  if (!subjectKinds.includes(kind)) {
    errors.push(notSupported(path.child('kind'), kind, subjectKinds));
    return;
  }
  const fields = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;
  for (const [owner, field] of Object.entries(fields)) {
    const at = path.child(field);
    const value = subject[field];
    if (owner !== kind) {
      if (value !== undefined) {
        errors.push(forbiddenValue(at, `${field} is forbidden when subject kind is not '${owner}'`));
      }
    } else if (value === undefined) {
      errors.push(required(at, `${field} is required when subject kind is '${owner}'`));
    } else if ((value.name ?? '') === '') errors.push(required(at.child('name'), ''));
    else if (owner === 'ServiceAccount' && value.name !== '*') {
      checkMessages(isDns1123Subdomain(value.name), value.name, at.child('name'), errors);
    }
  }
  if (kind !== 'ServiceAccount' || subject.serviceAccount === undefined) return;
  const namespace = subject.serviceAccount.namespace ?? '';
  const at = path.child('serviceAccount', 'namespace');
  if (namespace === '') errors.push(required(at, 'must specify namespace for service account'));
  else checkMessages(isDns1123Label(namespace), namespace, at, errors);
}

function checkVerbs(given: readonly string[] | undefined, path: FieldPath, errors: FieldErrors): void {
  const list = given ?? [];
  if (list.length === 0) errors.push(required(path, 'verbs must contain at least one value'));
  else if (list.includes('*')) {
    if (list.length > 1) errors.push(invalidValue(path, list, "if '*' is present, must not specify other verbs"));
  } else if (!list.every((verb) => verbs.includes(verb))) errors.push(notSupported(path, list, verbs));
}

function checkResourceRule(rule: ResourcePolicyRule, path: FieldPath, errors: FieldErrors): void {
  checkVerbs(rule.verbs, path.child('verbs'), errors);
  const lists = [
    { field: 'apiGroups', one: 'api group', many: 'api groups' },
    { field: 'resources', one: 'resource', many: 'resources' },
  ] as const;
  for (const { field, one, many } of lists) {
    const list = rule[field] ?? [];
    const at = path.child(field);
    if (list.length === 0) errors.push(required(at, `resource rules must supply at least one ${one}`));
    else if (list.length > 1 && list.includes('*')) {
      errors.push(invalidValue(at, list, `if '*' is present, must not specify other ${many}`));
    }
  }
  const namespaces = rule.namespaces ?? [];
  const at = path.child('namespaces');
  if (namespaces.length === 0 && rule.clusterScope !== true) {
    errors.push(required(at, 'resource rules that are not cluster scoped must supply at least one namespace'));
  } else if (namespaces.includes('*')) {
    if (namespaces.length > 1) {
      errors.push(invalidValue(at, namespaces, "if '*' is present, must not specify other namespaces"));
    }
  } else {
    for (const [index, namespace] of namespaces.entries()) {
      const intro = "each member of this list must be '*' or a DNS-1123 label; ";
      const messages = isDns1123Label(namespace).map((message) => intro + message);
      checkMessages(messages, namespace, at.index(index), errors);
    }
  }
}

function checkPathRule(rule: NonResourcePolicyRule, path: FieldPath, errors: FieldErrors): void {
  checkVerbs(rule.verbs, path.child('verbs'), errors);
  const urls = rule.nonResourceURLs ?? [];
  const at = path.child('nonResourceURLs');
  if (urls.length === 0) errors.push(required(at, 'nonResourceURLs must contain at least one value'));
  else if (urls.includes('*')) {
    if (urls.length > 1) {
      errors.push(invalidValue(at, urls, "if '*' is present, must not specify other non-resource URLs"));
    }
  } else {
    for (const [index, url] of urls.entries()) {
      const message = pathMessage(url);
      if (message !== undefined) errors.push(invalidValue(at.index(index), url, message));
    }
  }
}

function pathMessage(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const stars = url.split('*').length - 1;
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}

/** Conditions of both kinds of this group: each type once. */
export function conditionErrors(conditions: readonly { readonly type?: string }[]): FieldError[] {
  const errors: FieldErrors = [];
  const types = new Set<string>();
  for (const [index, { type = '' }] of conditions.entries()) {
    const path = new FieldPath('status').child('conditions').index(index).child('type');
    if (types.has(type)) errors.push(duplicateValue(path, type));
    types.add(type);
    if (type === '') errors.push(required(path, 'must not be empty'));
  }
  return errors;
}
