import type { ContainerStatus, Pod, PodCondition } from '#api/generated/types.ts';
import { isSidecar } from './pod.ts';

/** The conditions that the kubelet owns, in the order in which it writes them. All others belong to others. */
export const KUBELET_CONDITIONS = [
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
] as const;

export type ConditionVerdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;

export interface ConditionInput {
  readonly pod: Pod;
  /** Init containers first. Absent: nothing is known. */
  readonly statuses: readonly ContainerStatus[] | undefined;
  readonly phase: string;
  readonly hasSandbox: boolean;
}

/** The kubelet's verdicts; times and generations are filled in by whoever compares them with the old ones. */
export function podConditions(input: ConditionInput): Map<string, ConditionVerdict> {
  const containersReady = containersReadyVerdict(input);
  return new Map<string, ConditionVerdict>([
    ['PodReadyToStartContainers', { status: input.hasSandbox ? 'True' : 'False' }],
    ['Initialized', initializedVerdict(input)],
    ['Ready', containersReady.status === 'True' ? readinessGates(input.pod) : containersReady],
    ['ContainersReady', containersReady],
    ['PodScheduled', { status: 'True' }],
  ]);
}

function containersReadyVerdict({ pod, statuses, phase }: ConditionInput): ConditionVerdict {
  if (statuses === undefined) return { status: 'False', reason: 'UnknownContainerStatuses' };
  const relevant = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  const unknown: string[] = [];
  const unready: string[] = [];
  for (const { name } of relevant) {
    const status = statuses.find((one) => one.name === name);
    if (status === undefined) unknown.push(name);
    else if (!status.ready) unready.push(name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const message = sentence(unknown, { what: 'unready', names: unready });
  return message === '' ? { status: 'True' } : { status: 'False', reason: 'ContainersNotReady', message };
}

function readinessGates(pod: Pod): ConditionVerdict {
  const problems: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const condition = pod.status?.conditions?.find((one) => one.type === conditionType);
    if (condition === undefined) {
      problems.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    } else if (condition.status !== 'True') {
      problems.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`);
    }
  }
  if (problems.length === 0) return { status: 'True' };
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: problems.join(', ') };
}

function initializedVerdict({ pod, statuses, phase }: ConditionInput): ConditionVerdict {
  const init = pod.spec.initContainers ?? [];
  if (statuses === undefined && init.length > 0) return { status: 'False', reason: 'UnknownContainerStatuses' };
  const known = statuses ?? [];
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const container of init) {
    const status = known.find((one) => one.name === container.name);
    if (status === undefined) unknown.push(container.name);
    else if (isSidecar(container) ? status.started !== true : !status.ready) incomplete.push(container.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'True', reason: 'PodCompleted' };
  if (hasRegularContainerStarted(pod, known)) return { status: 'True' };
  const message = sentence(unknown, { what: 'incomplete', names: incomplete });
  return message === '' ? { status: 'True' } : { status: 'False', reason: 'ContainersNotInitialized', message };
}

/** Once a regular container ran, the pod stays initialized even while sidecars restart. */
function hasRegularContainerStarted(pod: Pod, statuses: readonly ContainerStatus[]): boolean {
  return pod.spec.containers.some(({ name }) => {
    const status = statuses.find((one) => one.name === name);
    return (
      status !== undefined &&
      (status.state?.running !== undefined ||
        status.state?.terminated !== undefined ||
        status.lastState?.terminated !== undefined)
    );
  });
}

function sentence(unknown: readonly string[], other: { what: string; names: readonly string[] }): string {
  const parts: string[] = [];
  if (unknown.length > 0) parts.push(`containers with unknown status: [${unknown.join(' ')}]`);
  if (other.names.length > 0) parts.push(`containers with ${other.what} status: [${other.names.join(' ')}]`);
  return parts.join(', ');
}
