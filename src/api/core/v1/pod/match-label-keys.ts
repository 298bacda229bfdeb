import type { LabelSelector } from '#machinery/meta/types.ts';
import type { Pod, PodAffinityTerm } from '../../../generated/types.ts';

/**
 * Turns `matchLabelKeys` of affinity terms and spread constraints into requirements on the values that the new pod has
 * (KEP-3633, KEP-3243): the selectors then hold for the pod's lifetime.
 */
export function mergeMatchLabelKeys(pod: Pod): void {
  const labels = pod.metadata.labels ?? {};
  for (const term of affinityTerms(pod)) {
    if (term.labelSelector === undefined) continue;
    extend(term.labelSelector, { keys: term.matchLabelKeys, operator: 'In', labels });
    extend(term.labelSelector, { keys: term.mismatchLabelKeys, operator: 'NotIn', labels });
  }
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) {
    if (constraint.labelSelector === undefined) continue;
    extend(constraint.labelSelector, { keys: constraint.matchLabelKeys, operator: 'In', labels });
  }
}

function affinityTerms(pod: Pod): PodAffinityTerm[] {
  const terms: PodAffinityTerm[] = [];
  for (const affinity of [pod.spec.affinity?.podAffinity, pod.spec.affinity?.podAntiAffinity]) {
    terms.push(...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []));
    for (const weighted of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      terms.push(weighted.podAffinityTerm);
    }
  }
  return terms;
}

function extend(
  selector: LabelSelector,
  options: { keys: readonly string[] | undefined; operator: 'In' | 'NotIn'; labels: Readonly<Record<string, string>> },
): void {
  for (const key of options.keys ?? []) {
    const value = options.labels[key];
    if (value === undefined) continue;
    selector.matchExpressions = [
      ...(selector.matchExpressions ?? []),
      { key, operator: options.operator, values: [value] },
    ];
  }
}
