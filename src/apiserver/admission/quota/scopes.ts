import type { Pod, ResourceQuota } from '#api/generated/types.ts';

/** Whether a quota counts this pod. Quotas without scopes count all. */
export function isInScope(quota: ResourceQuota, pod: Pod): boolean {
  const scopes = (quota.spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: [] }));
  const expressions = quota.spec?.scopeSelector?.matchExpressions ?? [];
  return [...scopes, ...expressions].every((scope) => matches(pod, scope));
}

export function hasScopes({ spec }: ResourceQuota): boolean {
  return (spec?.scopes ?? []).length > 0 || (spec?.scopeSelector?.matchExpressions ?? []).length > 0;
}

function matches(
  pod: Pod,
  { scopeName, operator, values = [] }: { scopeName: string; operator: string; values?: string[] },
): boolean {
  switch (scopeName) {
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'Terminating':
      return pod.spec?.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return pod.spec?.activeDeadlineSeconds === undefined;
    case 'PriorityClass':
      return matchesValue(pod.spec?.priorityClassName ?? '', { operator, values });
    case 'CrossNamespacePodAffinity':
      return usesOtherNamespaces(pod);
    default:
      return false;
  }
}

function isBestEffort({ spec }: Pod): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].every(({ resources }) =>
    ['cpu', 'memory'].every(
      (name) => resources?.requests?.[name] === undefined && resources?.limits?.[name] === undefined,
    ),
  );
}

function matchesValue(value: string, { operator, values }: { operator: string; values: readonly string[] }): boolean {
  switch (operator) {
    case 'In':
      return values.includes(value);
    case 'NotIn':
      return !values.includes(value);
    case 'Exists':
      return value !== '';
    default:
      return value === '';
  }
}

function usesOtherNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) => {
    const terms = [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
    ];
    return terms.some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined);
  });
}
