import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { RESOURCE_QUOTAS } from '../../generated/resources.ts';
import type { ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { checkQuantity, checkResourceName } from './pod/validation/resources.ts';

const specPath = new FieldPath('spec');
const scopesPath = specPath.child('scopes');

/** Names without a domain that a quota may limit. */
const quotaNames = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'persistentvolumeclaims',
  'configmaps',
  'services.nodeports',
  'services.loadbalancers',
]);

const compute = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
const podResources = new Set(['pods', ...compute]);
const claimResources = new Set(['persistentvolumeclaims', 'requests.storage']);

/** What each scope can count. */
const scopeResources: Readonly<Record<string, ReadonlySet<string>>> = {
  Terminating: podResources,
  NotTerminating: podResources,
  NotBestEffort: podResources,
  PriorityClass: podResources,
  CrossNamespacePodAffinity: podResources,
  BestEffort: new Set(['pods']),
  VolumeAttributesClass: claimResources,
};
const onlyExists = new Set([
  'BestEffort',
  'NotBestEffort',
  'Terminating',
  'NotTerminating',
  'CrossNamespacePodAffinity',
]);
const contradictions = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;
const ONLY_EXISTS =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

export const resourceQuotas = defineKind(RESOURCE_QUOTAS, {
  strategy: {
    ...statusRules,
    validate: ({ spec }) => specErrors(spec),
    validateUpdate(next, current) {
      const errors = specErrors(next.spec);
      const scopes = new Set(next.spec.scopes);
      const before = new Set(current.spec.scopes);
      const isSame = scopes.size === before.size && [...scopes].every((scope) => before.has(scope));
      if (!isSame) errors.push(invalidValue(scopesPath, next.spec.scopes ?? null, IMMUTABLE));
      return errors;
    },
    validateStatusUpdate({ status }) {
      const errors: FieldErrors = [];
      for (const field of ['hard', 'used'] as const) {
        checkAmounts(status?.[field], new FieldPath('status').child(field), errors);
      }
      return errors;
    },
  },
  columns: [
    nameColumn,
    column('Request', 'Used and allowed requests.', (quota) => quotaCell(quota, false)),
    column('Limit', 'Used and allowed limits.', (quota) => quotaCell(quota, true)),
    ageColumn,
  ],
});

/** `requests.cpu: 1/2, …`: used of hard; limits have a column of their own. */
function quotaCell({ status }: ResourceQuota, limits: boolean): string {
  const hard = status?.hard ?? {};
  return Object.keys(hard)
    .toSorted()
    .filter((name) => name.startsWith('limits.') === limits)
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

function specErrors(spec: ResourceQuotaSpec): FieldError[] {
  const errors: FieldErrors = [];
  checkAmounts(spec.hard, specPath.child('hard'), errors);
  checkScopes(spec, errors);
  if (spec.scopeSelector !== undefined) checkSelector(spec, errors);
  return errors;
}

function checkAmounts(
  amounts: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const name in amounts) {
    const at = path.key(name);
    checkResourceName(name, at, errors);
    // Upstream says both of an unknown name.
    if (!name.includes('/') && !isQuotaName(name)) {
      errors.push(invalidValue(at, name, 'must be a standard resource for quota'));
    }
    checkQuantity(name, amounts[name] ?? '0', at, errors);
  }
}

function isQuotaName(name: string): boolean {
  return quotaNames.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-');
}

/** Whether some limited resource is none of those that the scope is about. */
function misfits(scope: string, { hard = {} }: ResourceQuotaSpec): number {
  const known = scopeResources[scope];
  if (known === undefined) return 0;
  return Object.keys(hard).filter((name) => isQuotaName(name) && !known.has(name)).length;
}

function checkScopes(spec: ResourceQuotaSpec, errors: FieldErrors): void {
  const { scopes = [] } = spec;
  for (const scope of scopes) {
    if (scopeResources[scope] === undefined) errors.push(invalidValue(scopesPath, scopes, 'unsupported scope'));
    for (let left = misfits(scope, spec); left > 0; left -= 1) {
      errors.push(invalidValue(scopesPath, scopes, 'unsupported scope applied to resource'));
    }
  }
  checkContradictions(scopes, spec, scopesPath, errors);
}

function checkContradictions(
  scopes: readonly string[],
  spec: ResourceQuotaSpec,
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const pair of contradictions) {
    if (!pair.every((scope) => scopes.includes(scope))) continue;
    errors.push(invalidValue(path, spec.scopes ?? null, 'conflicting scopes'));
  }
}

function checkSelector(spec: ResourceQuotaSpec, errors: FieldErrors): void {
  const path = specPath.child('scopeSelector', 'matchExpressions');
  const expressions = spec.scopeSelector?.matchExpressions ?? [];
  for (const expression of expressions) {
    const { scopeName } = expression;
    if (scopeResources[scopeName] === undefined) {
      errors.push(invalidValue(path.child('scopeName'), scopeName, 'unsupported scope'));
    }
    for (let left = misfits(scopeName, spec); left > 0; left -= 1) {
      // Upstream prints its internal form.
      const value = {
        MatchExpressions: expressions.map((item) => ({
          ScopeName: item.scopeName,
          Operator: item.operator,
          Values: item.values ?? null,
        })),
      };
      errors.push(invalidValue(path, value, 'unsupported scope applied to resource'));
    }
    checkExpression(expression, path, errors);
  }
  const names = expressions.map(({ scopeName }) => scopeName);
  checkContradictions(names, spec, path, errors);
}

function checkExpression(
  { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (onlyExists.has(scopeName) && operator !== 'Exists') {
    errors.push(invalidValue(path.child('operator'), operator, ONLY_EXISTS));
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length > 0) return;
    const detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    errors.push(required(path.child('values'), detail));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length === 0) return;
    const detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    errors.push(invalidValue(path.child('values'), values, detail));
  } else {
    errors.push(invalidValue(path.child('operator'), operator, 'not a valid selector operator'));
  }
}
