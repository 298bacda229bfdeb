import type { LabelSelector, LabelSelectorRequirement } from '#machinery/meta/types.ts';

const operatorText: Readonly<Record<string, string>> = { In: 'in', NotIn: 'notin' };

/** A set of labels as tables print it: `a=b,c=d`, keys sorted, or `<none>`. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const text = labelPairs(labels).join(',');
  return text === '' ? '<none>' : text;
}

/** A label selector as upstream's `FormatLabelSelector`: requirements sorted by key. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '<none>';
  const requirements = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` })),
    ...(selector.matchExpressions ?? []).map((requirement) => ({
      key: requirement.key,
      text: expressionText(requirement),
    })),
  ];
  requirements.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
  const text = requirements.map((requirement) => requirement.text).join(',');
  return text === '' ? '<none>' : text;
}

function labelPairs(labels: Readonly<Record<string, string>> | undefined): string[] {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .toSorted();
}

function expressionText({ key, operator, values }: LabelSelectorRequirement): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operatorText[operator] ?? operator} (${(values ?? []).toSorted().join(',')})`;
}
