import type { NodeInfo } from '../../core/node-info.ts';
import type { PodInfo } from '../../core/pod-info.ts';
import { MAX_SCORE, type Plugin, type Rejection } from '../../framework/plugin.ts';

/** A pod goes where its requests fit, preferably where most is free. */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  prepareFilter: ({ pod }) => {
    const others = Object.entries(pod.requests.others).filter(([, amount]) => amount > 0);
    const { cpuMillis, memoryBytes, ephemeralStorageBytes } = pod.requests;
    const fits = (node: NodeInfo): boolean => {
      const { used, allocatable } = node;
      return (
        node.pods.length + 1 <= allocatable.pods &&
        (cpuMillis === 0 || cpuMillis <= allocatable.cpuMillis - used.cpuMillis) &&
        (memoryBytes === 0 || memoryBytes <= allocatable.memoryBytes - used.memoryBytes) &&
        (ephemeralStorageBytes === 0 ||
          ephemeralStorageBytes <= allocatable.ephemeralStorageBytes - used.ephemeralStorageBytes) &&
        others.every(([name, amount]) => amount <= (allocatable.others[name] ?? 0) - (used.others[name] ?? 0))
      );
    };
    return (node) => (fits(node) ? undefined : explain(pod, node));
  },
  prepareScore: ({ pod }) => ({ score: (node) => leastAllocated(pod, node) }),
  isHelpedBy: (event) => {
    switch (event.type) {
      case 'nodeAdded':
        return true;
      case 'nodeUpdated':
        return event.before.status?.allocatable !== event.node.status?.allocatable;
      case 'podRemoved':
        // Every end of a pod frees at least its place among the node's pods.
        return true;
      case 'podBound':
      case 'podRelabelled':
        return false;
    }
  },
};

function leastAllocated(pod: PodInfo, node: NodeInfo): number {
  const { allocatable, usedForScoring } = node;
  const cpu = free(usedForScoring.cpuMillis + pod.scoring.cpuMillis, allocatable.cpuMillis);
  const memory = free(usedForScoring.memoryBytes + pod.scoring.memoryBytes, allocatable.memoryBytes);
  if (allocatable.cpuMillis === 0 || allocatable.memoryBytes === 0) return cpu + memory;
  return Math.floor((cpu + memory) / 2);
}

function free(requested: number, capacity: number): number {
  if (capacity === 0 || requested > capacity) return 0;
  return Math.floor(((capacity - requested) * MAX_SCORE) / capacity);
}

/** All that is missing, not only the first. A request beyond the node's size cannot be met by removing pods. */
function explain(pod: PodInfo, { pods, used, allocatable }: NodeInfo): Rejection {
  const reasons: string[] = [];
  let isUnresolvable = false;
  if (pods.length + 1 > allocatable.pods) reasons.push('Too many pods');
  const check = (name: string, wanted: number, taken: number, total: number): void => {
    if (wanted === 0 || wanted <= total - taken) return;
    reasons.push(`Insufficient ${name}`);
    if (wanted > total) isUnresolvable = true;
  };
  const { requests } = pod;
  check('cpu', requests.cpuMillis, used.cpuMillis, allocatable.cpuMillis);
  check('memory', requests.memoryBytes, used.memoryBytes, allocatable.memoryBytes);
  check(
    'ephemeral-storage',
    requests.ephemeralStorageBytes,
    used.ephemeralStorageBytes,
    allocatable.ephemeralStorageBytes,
  );
  for (const [name, wanted] of Object.entries(requests.others)) {
    check(name, wanted, used.others[name] ?? 0, allocatable.others[name] ?? 0);
  }
  return { reasons, isUnresolvable };
}
