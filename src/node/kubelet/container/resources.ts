import type { Container, Pod } from '#api/generated/types.ts';
import type { CgroupLimits } from '../../host/host.ts';
import type { LinuxContainerResources } from '../../runtime/contract.ts';
import { isSidecar } from '../pod/pod.ts';
import { amount, podRequest, qosClass } from '../pod/qos.ts';

const SHARES_MIN = 2;
const SHARES_MAX = 262_144;
const QUOTA_PERIOD_MICROS = 100_000;
const QUOTA_MIN_MICROS = 1000;
const NODE_CRITICAL_PRIORITY = 2_000_001_000;

const PROTECTED_OOM_SCORE = -997;
const BEST_EFFORT_OOM_SCORE = 1000;

/** What the kernel enforces for a container. */
export function containerResources(pod: Pod, container: Container, nodeMemoryBytes: number): LinuxContainerResources {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const cpuLimit = amount(limits['cpu']);
  const cpuRequest = requests['cpu'] === undefined ? cpuLimit : amount(requests['cpu']);
  const memoryLimit = amount(limits['memory']) / 1000;
  return {
    cpuShares: cpuShares(cpuRequest),
    cpuPeriod: QUOTA_PERIOD_MICROS,
    ...(cpuLimit === 0 ? {} : { cpuQuota: cpuQuota(cpuLimit) }),
    ...(memoryLimit === 0 ? {} : { memoryLimitInBytes: Math.ceil(memoryLimit) }),
    oomScoreAdj: oomScore(pod, container, nodeMemoryBytes),
  };
}

export function cpuShares(cpuMillis: number): number {
  return Math.min(Math.max(Math.floor((cpuMillis * 1024) / 1000), SHARES_MIN), SHARES_MAX);
}

export function cpuQuota(cpuMillis: number): number {
  return Math.max(Math.floor((cpuMillis * QUOTA_PERIOD_MICROS) / 1000), QUOTA_MIN_MICROS);
}

/** The more memory a container asked for, the later the kernel kills it. */
export function oomScore(pod: Pod, container: Container, nodeMemoryBytes: number): number {
  if ((pod.spec.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return PROTECTED_OOM_SCORE;
  const quality = qosClass(pod);
  if (quality === 'Guaranteed') return PROTECTED_OOM_SCORE;
  if (quality === 'BestEffort') return BEST_EFFORT_OOM_SCORE;
  // A sidecar must not be killed before the containers that it serves.
  const served = isSidecar(container) ? pod.spec.containers : [container];
  return Math.min(...served.map((one) => burstableScore(one, nodeMemoryBytes)));
}

function burstableScore(container: Container, nodeMemoryBytes: number): number {
  const { requests, limits } = container.resources ?? {};
  const memoryBytes = amount(requests?.['memory'] ?? limits?.['memory']) / 1000;
  const score = 1000 - Math.floor((1000 * memoryBytes) / nodeMemoryBytes);
  if (score < 1000 + PROTECTED_OOM_SCORE) return 1000 + PROTECTED_OOM_SCORE;
  return score === BEST_EFFORT_OOM_SCORE ? BEST_EFFORT_OOM_SCORE - 1 : score;
}

/** `/kubepods/burstable/podUID`: the group above a pod's containers; guaranteed pods stand directly in `kubepods`. */
export function podCgroupPath(pod: Pod, root: string): string {
  const quality = qosClass(pod);
  const middle = quality === 'Guaranteed' ? '' : `/${quality.toLowerCase()}`;
  return `${root}/kubepods${middle}/pod${pod.metadata.uid ?? ''}`;
}

/** What all containers of a pod may use together; a limit only where each of them has one. */
export function podCgroupLimits(pod: Pod): CgroupLimits {
  const cpuLimit = podLimit(pod, 'cpu');
  const memoryLimit = podLimit(pod, 'memory');
  return {
    cpuShares: cpuShares(podRequest(pod, 'cpu')),
    ...(cpuLimit === undefined ? {} : { cpuQuotaMicros: cpuQuota(cpuLimit), cpuPeriodMicros: QUOTA_PERIOD_MICROS }),
    ...(memoryLimit === undefined ? {} : { memoryBytes: Math.ceil(memoryLimit / 1000) }),
  };
}

function podLimit(pod: Pod, resource: string): number | undefined {
  const explicit = pod.spec.resources?.limits?.[resource];
  if (explicit !== undefined) return amount(explicit);
  const own = (container: Container) => amount(container.resources?.limits?.[resource]);
  const everyone = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  if (everyone.some((container) => own(container) === 0)) return undefined;
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  const together = [...sidecars, ...pod.spec.containers].reduce((sum, container) => sum + own(container), 0);
  const init = (pod.spec.initContainers ?? []).map(own);
  return Math.max(together, ...init) + amount(pod.spec.overhead?.[resource]);
}
