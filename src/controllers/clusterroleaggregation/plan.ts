import type { ClusterRole, PolicyRule } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';

/** The rules that an aggregating role should have, or undefined where it has them. */
export function planAggregation(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] | undefined {
  if (role.aggregationRule === undefined) return undefined;
  const rules = new Map<string, PolicyRule>();
  for (const selector of role.aggregationRule.clusterRoleSelectors ?? []) {
    const matcher = compileLabelSelector(selector);
    const selected = all
      .filter((other) => other.metadata.name !== role.metadata.name && matcher.matches(other.metadata.labels))
      .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
    for (const rule of selected.flatMap((other) => other.rules ?? [])) {
      const key = JSON.stringify(rule);
      if (!rules.has(key)) rules.set(key, rule);
    }
  }
  const next = [...rules.values()];
  return deepEqual(role.rules ?? [], next) ? undefined : next;
}
