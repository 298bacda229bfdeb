import { isPodAvailable, isPodReady, isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import type { DaemonSet, DaemonSetStatus, Node, Pod } from '#api/generated/types.ts';
import type { EventDetails } from '#client/events/event-recorder.ts';
import { REVISION_HASH_LABEL } from '../shared/controller-revisions.ts';
import { resolveIntOrPercent } from '../shared/int-or-percent.ts';
import { availableInMs } from '../shared/pods.ts';
import { nodeOfPod, placement } from './placement.ts';

/** Most pods that one pass creates or deletes. */
const BURST_PODS = 250;

export interface DaemonInput {
  readonly set: DaemonSet;
  /** Pods it controls, own writes included. */
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  /** The value of `controller-revision-hash` of the current template. */
  readonly hash: string;
  readonly nowMs: number;
  /** Milliseconds until a pod that ended on this node may be replaced. */
  readonly backoffMs: (node: string) => number;
}

export interface DaemonPlan {
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  readonly events: readonly EventDetails[];
  /** Nodes whose daemon failed: their backoff grows. */
  readonly failedOn: readonly string[];
  readonly recheckInMs: number | undefined;
}

export function podsByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  return Map.groupBy(pods, (pod) => nodeOfPod(pod) ?? '');
}

export function planDaemonSet(input: DaemonInput): DaemonPlan {
  const { set, pods, nodes } = input;
  const create: string[] = [];
  const doomed = new Set<Pod>();
  const events: EventDetails[] = [];
  const failedOn: string[] = [];
  const waits: number[] = [];
  if (set.metadata.deletionTimestamp !== undefined) {
    return { create, delete: [], events, failedOn, recheckInMs: undefined };
  }
  const byNode = podsByNode(pods);
  for (const node of nodes) {
    const name = node.metadata.name ?? '';
    const { shouldRun, mayStay } = placement(set, node);
    const there = byNode.get(name) ?? [];
    if (!mayStay) {
      for (const pod of there) if (pod.metadata.deletionTimestamp === undefined) doomed.add(pod);
      continue;
    }
    const ended = there.filter((pod) => isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined);
    for (const pod of ended) {
      const waitMs = pod.status?.phase === 'Failed' ? input.backoffMs(name) : 0;
      if (waitMs > 0) {
        waits.push(waitMs);
        continue;
      }
      events.push(endedEvent(pod, name));
      if (pod.status?.phase === 'Failed') failedOn.push(name);
      doomed.add(pod);
    }
    const alive = there.filter((pod) => !isPodTerminal(pod));
    if (shouldRun && there.length === 0) create.push(name);
    for (const pod of surplusOf(input, alive)) doomed.add(pod);
  }
  const update = set.spec.updateStrategy?.type === 'OnDelete' ? undefined : planUpdate(input, byNode, doomed);
  for (const pod of update?.delete ?? []) doomed.add(pod);
  return {
    create: [...new Set([...create, ...(update?.create ?? [])])].slice(0, BURST_PODS),
    delete: [...doomed].slice(0, BURST_PODS),
    events,
    failedOn,
    recheckInMs: waits.length === 0 ? undefined : Math.min(...waits),
  };
}

function endedEvent(pod: Pod, node: string): EventDetails {
  const isFailed = pod.status?.phase === 'Failed';
  const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
  return isFailed
    ? {
        type: 'Warning',
        reason: 'FailedDaemonPod',
        message: `Found failed daemon pod ${key} on node ${node}, will try to kill it`,
      }
    : {
        type: 'Normal',
        reason: 'SucceededDaemonPod',
        message: `Found succeeded daemon pod ${key} on node ${node}, will try to delete it`,
      };
}

/** Of several daemons on one node the oldest stays; while one surges, the newest of each template. */
function surplusOf(input: DaemonInput, alive: readonly Pod[]): Pod[] {
  const running = alive.filter((pod) => pod.metadata.deletionTimestamp === undefined).toSorted(oldestFirst);
  const { maxSurge } = bounds(input);
  if (maxSurge === 0) return running.slice(1);
  const current = running.filter((pod) => hashOf(pod) === input.hash);
  const old = running.filter((pod) => hashOf(pod) !== input.hash);
  const [newest] = current;
  const isReplaced = newest !== undefined && isAvailable(input, newest);
  return [...current.slice(1), ...(isReplaced ? old : old.slice(1))];
}

function oldestFirst(a: Pod, b: Pod): number {
  const isPlaced = (pod: Pod) => ((pod.spec.nodeName ?? '') === '' ? 1 : 0);
  if (isPlaced(a) !== isPlaced(b)) return isPlaced(a) - isPlaced(b);
  const [left = '', right = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (left !== right) return left < right ? -1 : 1;
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}

function hashOf(pod: Pod): string {
  return pod.metadata.labels?.[REVISION_HASH_LABEL] ?? '';
}

function isAvailable({ set, nowMs }: DaemonInput, pod: Pod): boolean {
  const isGoing = pod.metadata.deletionTimestamp !== undefined;
  return !isGoing && isPodAvailable(pod, { minReadySeconds: set.spec.minReadySeconds ?? 0, nowMs });
}

function bounds({ set, nodes }: DaemonInput): { maxUnavailable: number; maxSurge: number } {
  const { rollingUpdate } = set.spec.updateStrategy ?? {};
  const wanted = nodes.filter((node) => placement(set, node).shouldRun).length;
  const maxSurge = resolveIntOrPercent(rollingUpdate?.maxSurge ?? 0, wanted, 'up');
  const maxUnavailable = resolveIntOrPercent(rollingUpdate?.maxUnavailable ?? 1, wanted, 'up');
  return { maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable };
}

/** Replaces daemons of older templates, as many at a time as may be missing, or one more a node where that is asked. */
function planUpdate(
  input: DaemonInput,
  byNode: ReadonlyMap<string, readonly Pod[]>,
  doomed: ReadonlySet<Pod>,
): { create: string[]; delete: Pod[] } {
  const { maxSurge, maxUnavailable } = bounds(input);
  const create: string[] = [];
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  let unavailable = 0;
  let surging = 0;
  for (const node of input.nodes) {
    if (!placement(input.set, node).shouldRun) continue;
    const name = node.metadata.name ?? '';
    const there = (byNode.get(name) ?? []).filter((pod) => !isPodTerminal(pod));
    const running = there.filter((pod) => pod.metadata.deletionTimestamp === undefined && !doomed.has(pod));
    const current = running.filter((pod) => hashOf(pod) === input.hash);
    const [old] = running.filter((pod) => hashOf(pod) !== input.hash);
    if (!running.some((pod) => isAvailable(input, pod))) unavailable++;
    if (old === undefined || (current.length > 0 && maxSurge === 0)) continue;
    if (maxSurge > 0) {
      if (current.length > 0) surging++;
      else if (!isAvailable(input, old)) broken.push(old);
      else create.push(name);
    } else if (isAvailable(input, old)) {
      candidates.push(old);
    } else {
      broken.push(old);
    }
  }
  if (maxSurge > 0) {
    // What does not serve anyway is replaced at once.
    const nodesOfBroken = broken.flatMap((pod) => nodeOfPod(pod) ?? []);
    return { create: [...nodesOfBroken, ...create.slice(0, Math.max(0, maxSurge - surging))], delete: [] };
  }
  return { create: [], delete: [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] };
}

/** The status, from what is there now. */
export function daemonStatus(input: DaemonInput & { readonly collisionCount: number }): DaemonSetStatus {
  const { set, pods, nodes, hash } = input;
  const counts = { desired: 0, current: 0, ready: 0, available: 0, misscheduled: 0, updated: 0 };
  const byNode = podsByNode(pods);
  for (const node of nodes) {
    const there = (byNode.get(node.metadata.name ?? '') ?? []).toSorted(oldestFirst);
    if (!placement(set, node).shouldRun) {
      if (there.length > 0) counts.misscheduled++;
      continue;
    }
    counts.desired++;
    const [pod] = there;
    if (pod === undefined) continue;
    counts.current++;
    const newest = there.findLast((one) => one.metadata.deletionTimestamp === undefined) ?? pod;
    if (isPodReady(newest)) counts.ready++;
    if (isAvailable(input, newest)) counts.available++;
    if (hashOf(newest) === hash) counts.updated++;
  }
  const optional = (field: string, value: number) => (value === 0 ? {} : { [field]: value });
  const { conditions } = set.status ?? {};
  return {
    observedGeneration: set.metadata.generation ?? 0,
    desiredNumberScheduled: counts.desired,
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    ...optional('updatedNumberScheduled', counts.updated),
    ...optional('numberAvailable', counts.available),
    ...optional('numberUnavailable', counts.desired - counts.available),
    ...optional('collisionCount', input.collisionCount),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

/** When the next ready daemon becomes available. */
export function nextAvailableMs({ set, pods, nowMs }: DaemonInput): number | undefined {
  let next: number | undefined;
  for (const pod of pods) {
    const waitMs = availableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs);
    if (waitMs !== undefined && waitMs > 0) next = Math.min(next ?? waitMs, waitMs);
  }
  return next;
}
