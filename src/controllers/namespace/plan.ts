import type { Namespace, NamespaceCondition } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

/** What a pass over a namespace's content found and did. */
export interface ContentReport {
  /** Objects left, by `resource.group`. */
  readonly remaining: ReadonlyMap<string, number>;
  /** How many of them carry a finalizer, by finalizer. */
  readonly finalizers: ReadonlyMap<string, number>;
  readonly discoveryFailures: readonly string[];
  readonly deletionFailures: readonly string[];
}

type Verdict = Pick<NamespaceCondition, 'type' | 'status' | 'reason' | 'message'>;

/** The conditions of a namespace on its way out; the same array where nothing changes. */
export function planNamespaceConditions(
  namespace: Namespace,
  report: ContentReport,
  nowMs: number,
): NamespaceCondition[] {
  let conditions = namespace.status?.conditions ?? [];
  for (const verdict of verdictsOf(report)) {
    const current = conditions.find((condition) => condition.type === verdict.type);
    const isSame =
      current?.status === verdict.status && current.reason === verdict.reason && current.message === verdict.message;
    if (isSame) continue;
    const transition = current?.status === verdict.status ? current.lastTransitionTime : undefined;
    const next = { ...verdict, lastTransitionTime: transition ?? formatTime(nowMs) };
    conditions =
      current === undefined ? [...conditions, next] : conditions.map((one) => (one === current ? next : one));
  }
  return conditions;
}

function verdictsOf(report: ContentReport): Verdict[] {
  const verdict = (
    type: string,
    failure: { reason: string; message: string } | undefined,
    success: { reason: string; message: string },
  ): Verdict => ({ type, status: failure === undefined ? 'False' : 'True', ...(failure ?? success) });
  const { remaining, finalizers, discoveryFailures, deletionFailures } = report;
  return [
    verdict(
      'NamespaceDeletionDiscoveryFailure',
      discoveryFailures.length === 0
        ? undefined
        : { reason: 'DiscoveryFailed', message: `Discovery failed for some groups, ${failureList(discoveryFailures)}` },
      { reason: 'ResourcesDiscovered', message: 'All resources successfully discovered' },
    ),
    verdict('NamespaceDeletionGroupVersionParsingFailure', undefined, {
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    }),
    verdict(
      'NamespaceDeletionContentFailure',
      deletionFailures.length === 0
        ? undefined
        : {
            reason: 'ContentDeletionFailed',
            message: `Failed to delete all resource types, ${failureList(deletionFailures)}`,
          },
      {
        reason: 'ContentDeleted',
        message: 'All content successfully deleted, may be waiting on finalization',
      },
    ),
    verdict(
      'NamespaceContentRemaining',
      remaining.size === 0
        ? undefined
        : {
            reason: 'SomeResourcesRemain',
            message: `Some resources are remaining: ${remainingText(remaining)}`,
          },
      { reason: 'ContentRemoved', message: 'All content successfully removed' },
    ),
    verdict(
      'NamespaceFinalizersRemaining',
      finalizers.size === 0
        ? undefined
        : {
            reason: 'SomeFinalizersRemain',
            message: `Some content in the namespace has finalizers remaining: ${finalizersText(finalizers)}`,
          },
      { reason: 'ContentHasNoFinalizers', message: 'All content-preserving finalizers finished' },
    ),
  ];
}

function failureList(failures: readonly string[]): string {
  return `${failures.length} remaining: ${failures.toSorted().join(', ')}`;
}

function remainingText(remaining: ReadonlyMap<string, number>): string {
  return counts(remaining, (name, count) => `${name} has ${count} resource instances`);
}

function finalizersText(finalizers: ReadonlyMap<string, number>): string {
  return counts(finalizers, (name, count) => `${name} in ${count} resource instances`);
}

function counts(of: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string {
  return [...of]
    .filter(([, count]) => count > 0)
    .map(([name, count]) => text(name, count))
    .toSorted()
    .join(', ');
}
