import type { ContainerStatus, Pod, PodCondition, PodStatus } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { type ConditionVerdict, KUBELET_CONDITIONS, podConditions } from './conditions.ts';
import { containerStatuses, type StartFailure } from './container-status.ts';
import { podPhase } from './phase.ts';
import { sandboxNeed } from './plan.ts';
import { isSidecar, isTerminalPhase } from './pod.ts';
import { qosClass } from './qos.ts';
import { isStopped, type PodView } from './view.ts';

export interface StatusInput {
  readonly pod: Pod;
  /** What was last reported; the API's status after a restart. */
  readonly previous: PodStatus;
  readonly view: PodView;
  readonly nowMs: number;
  /** The pod was stopped for good and nothing of it will run again. */
  readonly isTerminated: boolean;
  /** The kubelet ends the pod for this reason (deadline, eviction). */
  readonly verdict?: { readonly phase: 'Failed'; readonly reason: string; readonly message: string };
  readonly runtimeName: string;
  readonly hostIps: readonly string[];
  readonly startFailure: (containerName: string) => StartFailure | undefined;
  /** Whether the startup probe passed (or there is none). */
  readonly isStarted: (containerId: string, containerName: string) => boolean;
  /** Whether the readiness probe passes (or there is none). */
  readonly isReady: (containerId: string, containerName: string) => boolean;
}

/** The status that the API should show: a pure function of what the runtime, the probes and the last report say. */
export function generatePodStatus(input: StatusInput): PodStatus {
  const { pod, previous } = input;
  const shared = { pod, view: input.view, runtimeName: input.runtimeName, startFailure: input.startFailure };
  const { initContainers = [], ephemeralContainers = [] } = pod.spec;
  const regular = containerStatuses({
    ...shared,
    containers: pod.spec.containers,
    previous: previous.containerStatuses ?? [],
    isInit: false,
  });
  const init = containerStatuses({
    ...shared,
    containers: initContainers,
    previous: previous.initContainerStatuses ?? [],
    isInit: true,
  });
  const ephemeral = containerStatuses({
    ...shared,
    containers: ephemeralContainers,
    previous: previous.ephemeralContainerStatuses ?? [],
    isInit: false,
  });
  for (const status of regular) applyProbes(input, status);
  for (const status of init) applyInitProbes(input, status);

  const phase = nextPhase(input, [...regular, ...init]);
  const reason =
    input.verdict?.reason ?? (phase === previous.phase ? (previous.reason ?? pod.status?.reason) : undefined);
  const message =
    input.verdict?.message ?? (phase === previous.phase ? (previous.message ?? pod.status?.message) : undefined);
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: mergeConditions(input, {
      statuses: [...init, ...regular],
      phase,
    }),
    ...(message === undefined || message === '' ? {} : { message }),
    ...(reason === undefined || reason === '' ? {} : { reason }),
    ...addresses(input),
    startTime: previous.startTime ?? formatTime(input.nowMs),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: regular,
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    qosClass: previous.qosClass ?? qosClass(pod),
  };
}

/** Where the pod never gets to run here (node admission refused it). */
export function rejectedStatus(pod: Pod, failure: { reason: string; message: string }, nowMs: number): PodStatus {
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    qosClass: pod.status?.qosClass ?? qosClass(pod),
    phase: 'Failed',
    reason: failure.reason,
    message: `Pod was rejected: ${failure.message}`,
    startTime: pod.status?.startTime ?? formatTime(nowMs),
    ...(pod.status?.conditions === undefined ? {} : { conditions: pod.status.conditions }),
  };
}

function applyProbes(input: StatusInput, status: ContainerStatus): void {
  const id = bareId(status);
  const isRunning = status.state?.running !== undefined;
  status.started = isRunning && input.isStarted(id, status.name);
  status.ready = status.started && input.isReady(id, status.name);
}

function applyInitProbes(input: StatusInput, status: ContainerStatus): void {
  const container = input.pod.spec.initContainers?.find((one) => one.name === status.name);
  if (container !== undefined && isSidecar(container)) return applyProbes(input, status);
  status.started = status.state?.running !== undefined;
  status.ready = status.state?.terminated?.exitCode === 0;
}

function bareId(status: ContainerStatus): string {
  return status.containerID?.replace(/^[^:]*:\/\//, '') ?? '';
}

function nextPhase(input: StatusInput, statuses: ContainerStatus[]): string {
  const { pod, previous } = input;
  if (isTerminalPhase(pod.status?.phase)) return pod.status?.phase ?? 'Failed';
  if (isTerminalPhase(previous.phase)) return previous.phase ?? 'Failed';
  const hasInitialized = pod.spec.containers.some((container) =>
    input.view.containers.some(
      (one) => one.name === container.name && (one.state === 'RUNNING' || one.state === 'EXITED'),
    ),
  );
  const phase = podPhase({ pod, statuses, isTerminated: input.isTerminated, hasInitialized });
  return input.verdict?.phase ?? phase;
}

function mergeConditions(input: StatusInput, made: { statuses: ContainerStatus[]; phase: string }): PodCondition[] {
  const { pod, previous, nowMs } = input;
  const old = previous.conditions ?? [];
  const foreign = (pod.status?.conditions ?? []).filter((one) => !isKubelets(one.type));
  const disruption = old.find((one) => one.type === 'DisruptionTarget');
  if (disruption !== undefined && !foreign.some((one) => one.type === 'DisruptionTarget')) foreign.push(disruption);
  const verdicts = podConditions({
    pod,
    statuses: made.statuses,
    phase: made.phase,
    hasSandbox: !sandboxNeed(pod, input.view).isNeeded,
  });
  const own = [...verdicts].map(([type, verdict]) => stamped(type, { verdict, old, pod, nowMs }));
  return [...foreign, ...own];
}

function stamped(
  type: string,
  { verdict, old, pod, nowMs }: { verdict: ConditionVerdict; old: PodCondition[]; pod: Pod; nowMs: number },
): PodCondition {
  const before = old.find((one) => one.type === type);
  const isSame = before !== undefined && before.status === verdict.status;
  return {
    type,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    status: verdict.status,
    lastTransitionTime: (isSame ? before.lastTransitionTime : undefined) ?? formatTime(nowMs),
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
  };
}

function isKubelets(type: string): boolean {
  return (KUBELET_CONDITIONS as readonly string[]).includes(type);
}

function addresses(input: StatusInput): Pick<PodStatus, 'hostIP' | 'hostIPs' | 'podIP' | 'podIPs'> {
  const { pod, previous, hostIps } = input;
  const [hostIP] = hostIps;
  const host = hostIP === undefined ? {} : { hostIP, hostIPs: hostIps.slice(0, 2).map((ip) => ({ ip })) };
  let ips = input.view.ips;
  if (ips.length === 0 && pod.spec.hostNetwork === true) ips = previous.podIPs?.map(({ ip }) => ip) ?? hostIps;
  // A finished pod keeps showing the address that it had.
  if (ips.length === 0 && input.view.sandboxes.length > 0 && isStopped(input.view)) {
    ips = previous.podIPs?.map(({ ip }) => ip) ?? [];
  }
  const [podIP] = ips;
  return podIP === undefined ? host : { ...host, podIP, podIPs: ips.slice(0, 2).map((ip) => ({ ip })) };
}
