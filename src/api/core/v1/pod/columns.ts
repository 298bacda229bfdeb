import { parseTime } from '#machinery/clock/clock.ts';
import { humanDuration } from '#machinery/time/human-duration.ts';
import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import type { Container, ContainerStatus, Pod } from '../../../generated/types.ts';
import type { KindColumn } from '../../../registry/kind.ts';
import { isRestartableInitContainer, isTerminalPhase, podCondition } from './conditions.ts';

/** What the READY, STATUS and RESTARTS cells are made of. */
export interface PodSummary {
  readonly reason: string;
  readonly readyContainers: number;
  readonly totalContainers: number;
  readonly restarts: number;
  /** When a container last ended before its restart, in milliseconds; 0 if never. */
  readonly lastRestartMs: number;
}

export const podColumns: readonly KindColumn<Pod>[] = [
  nameColumn,
  column('Ready', 'The aggregate readiness state of this pod for accepting traffic.', (pod) => {
    const { readyContainers, totalContainers } = summarizePod(pod);
    return `${readyContainers}/${totalContainers}`;
  }),
  column('Status', 'The aggregate status of the containers in this pod.', (pod) => summarizePod(pod).reason),
  column('Restarts', 'How often containers were restarted, and when last.', restartsCell),
  ageColumn,
  column('IP', 'The address of the pod.', (pod) => textOrNone(pod.status?.podIPs?.[0]?.ip), { wide: true }),
  column('Node', 'The node that the pod was given.', (pod) => textOrNone(pod.spec.nodeName), { wide: true }),
  column(
    'Nominated Node',
    'The node where room is being made for the pod.',
    (pod) => textOrNone(pod.status?.nominatedNodeName),
    { wide: true },
  ),
  column('Readiness Gates', 'True readiness gates of all.', readinessGatesCell, { wide: true }),
];

/** The pod's state in the words of `kubectl get pods`. */
export function summarizePod(pod: Pod): PodSummary {
  const inits = summarizeInitContainers(pod);
  let { reason, restarts, lastRestartMs, readyContainers } = inits;
  if (!inits.initializing || podCondition(pod.status, 'Initialized')?.status === 'True') {
    const main = summarizeContainers(pod, reason);
    reason = main.reason;
    restarts = inits.sidecarRestarts + main.restarts;
    lastRestartMs = Math.max(inits.sidecarLastRestartMs, main.lastRestartMs);
    readyContainers += main.readyContainers;
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status?.reason === 'NodeLost') reason = 'Unknown';
    else if (!isTerminalPhase(pod.status?.phase)) reason = 'Terminating';
  }
  const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInitContainer).length;
  const totalContainers = pod.spec.containers.length + sidecars;
  return { reason, readyContainers, totalContainers, restarts, lastRestartMs };
}

function baseReason(pod: Pod): string {
  const gated = podCondition(pod.status, 'PodScheduled')?.reason === 'SchedulingGated';
  if (gated) return 'SchedulingGated';
  const reason = pod.status?.reason ?? '';
  return reason === '' ? (pod.status?.phase ?? '') : reason;
}

interface InitSummary {
  reason: string;
  initializing: boolean;
  readyContainers: number;
  restarts: number;
  lastRestartMs: number;
  sidecarRestarts: number;
  sidecarLastRestartMs: number;
}

function summarizeInitContainers(pod: Pod): InitSummary {
  const summary: InitSummary = {
    reason: baseReason(pod),
    initializing: false,
    readyContainers: 0,
    restarts: 0,
    lastRestartMs: 0,
    sidecarRestarts: 0,
    sidecarLastRestartMs: 0,
  };
  const specs = pod.spec.initContainers ?? [];
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const isSidecar = isRestartableInitContainer(specs.find((spec: Container) => spec.name === status.name));
    const endedMs = lastEndMs(status);
    summary.restarts += status.restartCount;
    summary.lastRestartMs = Math.max(summary.lastRestartMs, endedMs);
    if (isSidecar) {
      summary.sidecarRestarts += status.restartCount;
      summary.sidecarLastRestartMs = Math.max(summary.sidecarLastRestartMs, endedMs);
    }
    if (status.state?.terminated?.exitCode === 0) continue;
    if (isSidecar && status.started === true) {
      if (status.ready) summary.readyContainers++;
      continue;
    }
    summary.reason = initReason(status, index, specs.length);
    summary.initializing = true;
    break;
  }
  return summary;
}

function initReason(status: ContainerStatus, index: number, total: number): string {
  const terminated = status.state?.terminated;
  if (terminated !== undefined) return `Init:${endReason(terminated)}`;
  const waiting = status.state?.waiting?.reason ?? '';
  return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${total}`;
}

function endReason(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason;
  const signal = terminated.signal ?? 0;
  return signal === 0 ? `ExitCode:${terminated.exitCode}` : `Signal:${signal}`;
}

function summarizeContainers(pod: Pod, startReason: string): Omit<PodSummary, 'totalContainers'> {
  let reason = startReason;
  let hasRunning = false;
  let restarts = 0;
  let lastRestartMs = 0;
  let readyContainers = 0;
  // The first container's reason wins, so that the walk starts at the last.
  for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
    restarts += status.restartCount;
    lastRestartMs = Math.max(lastRestartMs, lastEndMs(status));
    const { waiting, terminated, running } = status.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
    else if (terminated !== undefined) reason = endReason(terminated);
    else if (status.ready && running !== undefined) {
      hasRunning = true;
      readyContainers++;
    }
  }
  if (reason === 'Completed' && hasRunning) {
    reason = podCondition(pod.status, 'Ready')?.status === 'True' ? 'Running' : 'NotReady';
  }
  return { reason, restarts, lastRestartMs, readyContainers };
}

function lastEndMs(status: ContainerStatus): number {
  const finishedAt = status.lastState?.terminated?.finishedAt;
  return finishedAt === undefined ? 0 : (parseTime(finishedAt) ?? 0);
}

function restartsCell(pod: Pod, nowMs: number): string {
  const { restarts, lastRestartMs } = summarizePod(pod);
  return restarts === 0 || lastRestartMs === 0
    ? String(restarts)
    : `${restarts} (${humanDuration(nowMs - lastRestartMs)} ago)`;
}

function readinessGatesCell(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const isTrue = gates.filter((gate) => podCondition(pod.status, gate.conditionType)?.status === 'True');
  return `${isTrue.length}/${gates.length}`;
}

function textOrNone(text: string | undefined): string {
  return text === undefined || text === '' ? '<none>' : text;
}
