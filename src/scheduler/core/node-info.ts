import { resourceAmount } from '#api/core/v1/pod/requests.ts';
import type { Node } from '#api/generated/types.ts';
import type { LabelMatcher } from '#machinery/selectors/label-selector.ts';
import type { HostPort, PodInfo, Resources } from './pod-info.ts';

/**
 * A node with its pods, as the scheduler sees it. Immutable: a change makes another one, so that a snapshot is a list
 * of these and stays true.
 */
export interface NodeInfo {
  readonly name: string;
  readonly node: Node;
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: readonly PodInfo[];
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
    pods: [],
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
    pods: [...info.pods, pod],
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

/** Without the pod of this uid; the same node where it is not there. */
export function withoutPod(info: NodeInfo, uid: string): NodeInfo {
  const pod = info.pods.find((candidate) => candidate.uid === uid);
  if (pod === undefined) return info;
  const others = (list: readonly PodInfo[]) => list.filter((candidate) => candidate !== pod);
  const pods = others(info.pods);
  return {
    ...info,
    pods,
    used: addResources(info.used, pod.requests, -1),
    usedForScoring: {
      cpuMillis: info.usedForScoring.cpuMillis - pod.scoring.cpuMillis,
      memoryBytes: info.usedForScoring.memoryBytes - pod.scoring.memoryBytes,
    },
    ports: pod.hostPorts.length === 0 ? info.ports : pods.flatMap((candidate) => candidate.hostPorts),
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
  let count = 0;
  for (const candidate of info.pods) {
    if (candidate.namespace !== query.namespace || candidate.pod.metadata.deletionTimestamp !== undefined) continue;
    if (query.selector.matches(candidate.labels)) count++;
  }
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
