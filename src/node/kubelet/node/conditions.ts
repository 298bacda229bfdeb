import type { NodeCondition } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

/** What the kubelet measured of its node. */
export interface NodeHealth {
  readonly hasMemoryPressure: boolean;
  readonly hasDiskPressure: boolean;
  readonly hasPidPressure: boolean;
  /** Why pods cannot run here; empty: they can. */
  readonly problems: readonly string[];
}

interface Wording {
  type: string;
  bad: { reason: string; message: string; event: string };
  good: { reason: string; message: string; event: string };
}

const PRESSURES: readonly (Wording & { of: (health: NodeHealth) => boolean })[] = [
  {
    type: 'MemoryPressure',
    of: (health) => health.hasMemoryPressure,
    bad: {
      reason: 'KubeletHasInsufficientMemory',
      message: 'kubelet has insufficient memory available',
      event: 'NodeHasInsufficientMemory',
    },
    good: {
      reason: 'KubeletHasSufficientMemory',
      message: 'kubelet has sufficient memory available',
      event: 'NodeHasSufficientMemory',
    },
  },
  {
    type: 'DiskPressure',
    of: (health) => health.hasDiskPressure,
    bad: { reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure', event: 'NodeHasDiskPressure' },
    good: {
      reason: 'KubeletHasNoDiskPressure',
      message: 'kubelet has no disk pressure',
      event: 'NodeHasNoDiskPressure',
    },
  },
  {
    type: 'PIDPressure',
    of: (health) => health.hasPidPressure,
    bad: {
      reason: 'KubeletHasInsufficientPID',
      message: 'kubelet has insufficient PID available',
      event: 'NodeHasInsufficientPID',
    },
    good: {
      reason: 'KubeletHasSufficientPID',
      message: 'kubelet has sufficient PID available',
      event: 'NodeHasSufficientPID',
    },
  },
];

/** The node's conditions now, Ready last, and the reasons of events for those that turned. */
export function nodeConditions(
  health: NodeHealth,
  previous: readonly NodeCondition[],
  nowMs: number,
): { conditions: NodeCondition[]; events: string[] } {
  const events: string[] = [];
  const now = formatTime(nowMs);
  const stamp = (next: Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>, event: string): NodeCondition => {
    const before = previous.find((one) => one.type === next.type);
    const isSame = before?.status === next.status;
    // A node that comes up ready the first time is no news; one that turns is.
    if (!isSame && (before !== undefined || next.type !== 'Ready')) events.push(event);
    return {
      ...next,
      lastHeartbeatTime: now,
      lastTransitionTime: (isSame ? before?.lastTransitionTime : undefined) ?? now,
    };
  };
  const conditions = PRESSURES.map(({ type, of, bad, good }) => {
    const isBad = of(health);
    const { reason, message, event } = isBad ? bad : good;
    return stamp({ type, status: isBad ? 'True' : 'False', reason, message }, event);
  });
  const isReady = health.problems.length === 0;
  const ready = isReady
    ? { status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
    : { status: 'False', reason: 'KubeletNotReady', message: health.problems.join(', ') };
  conditions.push(stamp({ type: 'Ready', ...ready }, isReady ? 'NodeReady' : 'NodeNotReady'));
  return { conditions, events };
}
