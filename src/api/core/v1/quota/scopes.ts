import type { PersistentVolumeClaim, Pod, ResourceQuota } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { CountedResource } from './usage.ts';

interface Scope {
  readonly scopeName: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** Whether a quota counts this object. Quotas without scopes count all, with scopes only what the scopes are about. */
export function isInScope(quota: ResourceQuota, { group, resource }: CountedResource, object: KubeObject): boolean {
  const all = scopesOf(quota);
  if (all.length === 0) return true;
  if (group !== '') return false;
  // Safe: the resource says what kind the object is.
  if (resource === 'pods') return all.every((scope) => matchesPod(object as Pod, scope));
  if (resource !== 'persistentvolumeclaims') return false;
  return all.every((scope) => matchesClaim(object as PersistentVolumeClaim, scope));
}

function scopesOf({ spec }: ResourceQuota): Scope[] {
  const scopes = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: [] }));
  return [...scopes, ...(spec?.scopeSelector?.matchExpressions ?? [])];
}

function matchesPod(pod: Pod, { scopeName, operator, values = [] }: Scope): boolean {
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

/** A claim that moves from one class to another counts for each of them. */
function matchesClaim({ spec, status }: PersistentVolumeClaim, { scopeName, operator, values = [] }: Scope): boolean {
  if (scopeName !== 'VolumeAttributesClass') return false;
  const names = new Set([
    spec?.volumeAttributesClassName ?? '',
    status?.currentVolumeAttributesClassName ?? '',
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName ?? '',
  ]);
  if (names.size > 1) names.delete('');
  return [...names].some((name) => matchesValue(name, { operator, values }));
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
