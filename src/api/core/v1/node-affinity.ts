import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../../generated/types.ts';

type Labels = Readonly<Record<string, string>>;

/** Whether a node is one that the pod's `nodeSelector` and required node affinity allow. */
export function matchesNodeSelector(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const hard = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return hard === undefined || matchesNodeSelectorTerms(hard, node);
}

/** Terms are alternatives; one without requirements matches nothing. */
export function matchesNodeSelectorTerms(selector: NodeSelector, node: Node): boolean {
  return (selector.nodeSelectorTerms ?? []).some((term) => matchesNodeSelectorTerm(term, node));
}

export function matchesNodeSelectorTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((requirement) => matchesRequirement(requirement, labels)) &&
    fields.every((requirement) => matchesRequirement(requirement, { 'metadata.name': node.metadata.name ?? '' }))
  );
}

/** The sum of the weights of the preferred terms that the node matches. */
export function preferredNodeWeight(spec: PodSpec, node: Node): number {
  let weight = 0;
  for (const term of spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (matchesNodeSelectorTerm(term.preference, node)) weight += term.weight;
  }
  return weight;
}

function matchesRequirement(requirement: NodeSelectorRequirement, labels: Labels): boolean {
  const value = labels[requirement.key];
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt':
      return compares(value, values[0], requirement.operator);
    default:
      return false;
  }
}

const integerPattern = /^[+-]?\d+$/;

function compares(value: string | undefined, bound: string | undefined, operator: 'Gt' | 'Lt'): boolean {
  if (value === undefined || bound === undefined) return false;
  if (!integerPattern.test(value) || !integerPattern.test(bound)) return false;
  const order = BigInt(value.replace('+', '')) - BigInt(bound.replace('+', ''));
  return operator === 'Gt' ? order > 0n : order < 0n;
}
