import { resourceAmount } from '#api/core/v1/pod/requests.ts';
import type { Node } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { LabelMatcher } from '#machinery/selectors/label-selector.ts';
import type { HostPort, PodInfo, Resources } from './pod-info.ts';
import { PodList } from './pod-list.ts';

/**
 * A node with its pods, as the scheduler sees it. Immutable: a change makes another one, so that a snapshot is a list
 * of these and stays true.
 */
export interface NodeInfo {
  readonly name: string;
  readonly node: Node;
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: PodList;
  /** Sum of the pods' requests. */
  readonly used: Resources;
  readonly usedForScoring: { readonly cpuMillis: number; readonly memoryBytes: number };
  readonly allocatable: Resources & { readonly pods: number };
  readonly ports: readonly HostPort[];
  /** Pods with any affinity or anti-affinity, and those with required anti-affinity. */
  readonly affinityPods: readonly PodInfo[];
  readonly antiAffinityPods: readonly PodInfo[];
  /** Bytes of the images on the node by name. */
  readonly images: ReadonlyMap<string, number>;
  /** Counts of matching pods, computed on demand; valid as long as this object is, as it never changes. */
  readonly countMemo: Map<string, number>;
}

const NOTHING: Resources = { cpuMillis: 0, memoryBytes: 0, ephemeralStorageBytes: 0, others: {} };

export function nodeInfoOf(node: Node, pods: readonly PodInfo[] = []): NodeInfo {
  const empty: NodeInfo = {
    name: node.metadata.name ?? '',
    node,
    labels: node.metadata.labels ?? {},
    pods: PodList.empty,
    used: NOTHING,
    usedForScoring: { cpuMillis: 0, memoryBytes: 0 },
    allocatable: allocatableOf(node),
    ports: [],
    affinityPods: [],
    antiAffinityPods: [],
    images: imagesOf(node),
    countMemo: new Map(),
  };
  return pods.reduce((info, pod) => withPod(info, pod), empty);
}

/** The same pods on a changed node. */
export function withNode(info: NodeInfo, node: Node): NodeInfo {
  return {
    ...info,
    node,
    labels: node.metadata.labels ?? {},
    allocatable: allocatableOf(node),
    images: node.status?.images === info.node.status?.images ? info.images : imagesOf(node),
    countMemo: new Map(),
  };
}

export function withPod(info: NodeInfo, pod: PodInfo): NodeInfo {
  return {
    ...info,
    pods: info.pods.with(pod),
    used: addResources(info.used, pod.requests, 1),
    usedForScoring: {
      cpuMillis: info.usedForScoring.cpuMillis + pod.scoring.cpuMillis,
      memoryBytes: info.usedForScoring.memoryBytes + pod.scoring.memoryBytes,
    },
    ports: pod.hostPorts.length === 0 ? info.ports : [...info.ports, ...pod.hostPorts],
    affinityPods: hasAffinity(pod) ? [...info.affinityPods, pod] : info.affinityPods,
    antiAffinityPods: pod.requiredAntiAffinity.length > 0 ? [...info.antiAffinityPods, pod] : info.antiAffinityPods,
    countMemo: new Map(),
  };
}

/**
 * With a newer view of a pod in the place of the one that is there. Most changes are of a pod's status, and leave what the
 * node counts as it is.
 */
export function withChangedPod(info: NodeInfo, before: PodInfo, after: PodInfo): NodeInfo {
  if (!countsTheSame(before, after)) return withPod(withoutPod(info, before), after);
  const replaced = (list: readonly PodInfo[]) => list.map((candidate) => (candidate === before ? after : candidate));
  const pods = info.pods.replaced(before, after);
  if (!hasAffinity(after)) return { ...info, pods };
  return {
    ...info,
    pods,
    affinityPods: replaced(info.affinityPods),
    antiAffinityPods: after.requiredAntiAffinity.length > 0 ? replaced(info.antiAffinityPods) : info.antiAffinityPods,
  };
}

/** Whether all that a node sums up or remembers of its pods is the same for both. */
function countsTheSame(before: PodInfo, after: PodInfo): boolean {
  return (
    before.namespace === after.namespace &&
    before.pod.metadata.deletionTimestamp === after.pod.metadata.deletionTimestamp &&
    deepEqual(before.labels, after.labels) &&
    deepEqual(before.requests, after.requests) &&
    deepEqual(before.scoring, after.scoring) &&
    deepEqual(before.hostPorts, after.hostPorts) &&
    deepEqual(before.pod.spec.affinity, after.pod.spec.affinity)
  );
}

/** Without a pod that is there. */
export function withoutPod(info: NodeInfo, pod: PodInfo): NodeInfo {
  const others = (list: readonly PodInfo[]) => list.filter((candidate) => candidate !== pod);
  const pods = info.pods.without(pod);
  return {
    ...info,
    pods,
    used: addResources(info.used, pod.requests, -1),
    usedForScoring: {
      cpuMillis: info.usedForScoring.cpuMillis - pod.scoring.cpuMillis,
      memoryBytes: info.usedForScoring.memoryBytes - pod.scoring.memoryBytes,
    },
    ports: pod.hostPorts.length === 0 ? info.ports : pods.filter(() => true).flatMap(({ hostPorts }) => hostPorts),
    affinityPods: hasAffinity(pod) ? others(info.affinityPods) : info.affinityPods,
    antiAffinityPods: pod.requiredAntiAffinity.length > 0 ? others(info.antiAffinityPods) : info.antiAffinityPods,
    countMemo: new Map(),
  };
}

/** Which pods to count: those of a namespace that a selector matches. */
export interface PodQuery {
  readonly namespace: string;
  readonly selector: LabelMatcher;
  /** Names the query; equal queries have equal names. */
  readonly memoKey: string;
}

export function podQuery(namespace: string, selector: LabelMatcher, key = selector.toString()): PodQuery {
  return { namespace, selector, memoKey: `${namespace}/${key}` };
}

/** How many pods of the node, not on their way out, a query matches. */
export function countPods(info: NodeInfo, query: PodQuery): number {
  const known = info.countMemo.get(query.memoKey);
  if (known !== undefined) return known;
  const count = info.pods.count(
    ({ namespace, pod, labels }) =>
      namespace === query.namespace && pod.metadata.deletionTimestamp === undefined && query.selector.matches(labels),
  );
  info.countMemo.set(query.memoKey, count);
  return count;
}

export function portsConflict(wanted: readonly HostPort[], used: readonly HostPort[]): boolean {
  const anyIp = (port: HostPort) => port.ip === '0.0.0.0';
  return wanted.some((want) =>
    used.some(
      (has) =>
        has.port === want.port && has.protocol === want.protocol && (has.ip === want.ip || anyIp(has) || anyIp(want)),
    ),
  );
}

function hasAffinity(pod: PodInfo): boolean {
  return pod.pod.spec.affinity?.podAffinity !== undefined || pod.pod.spec.affinity?.podAntiAffinity !== undefined;
}

function addResources(sum: Resources, part: Resources, sign: 1 | -1): Resources {
  let others = sum.others;
  for (const name in part.others) {
    others = { ...others, [name]: (others[name] ?? 0) + sign * (part.others[name] ?? 0) };
  }
  return {
    cpuMillis: sum.cpuMillis + sign * part.cpuMillis,
    memoryBytes: sum.memoryBytes + sign * part.memoryBytes,
    ephemeralStorageBytes: sum.ephemeralStorageBytes + sign * part.ephemeralStorageBytes,
    others,
  };
}

function allocatableOf(node: Node): NodeInfo['allocatable'] {
  const list = node.status?.allocatable ?? {};
  const others: Record<string, number> = {};
  const amount = (name: string): number => {
    const text = list[name];
    return text === undefined ? 0 : resourceAmount(name, text);
  };
  for (const name of Object.keys(list)) if (!BASIC.has(name)) others[name] = amount(name);
  return {
    cpuMillis: amount('cpu'),
    memoryBytes: amount('memory'),
    ephemeralStorageBytes: amount('ephemeral-storage'),
    pods: amount('pods'),
    others,
  };
}

const BASIC: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods']);

function imagesOf(node: Node): ReadonlyMap<string, number> {
  const images = new Map<string, number>();
  for (const image of node.status?.images ?? []) {
    for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0);
  }
  return images;
}
