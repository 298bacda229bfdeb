import { MAX_SCORE, type Plugin } from '../../framework/plugin.ts';

/** Prefers nodes whose cpu and memory would be used to about the same share. */
export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  prepareScore: ({ pod }) => {
    const { cpuMillis, memoryBytes } = pod.requests;
    if (cpuMillis === 0 && memoryBytes === 0) return undefined;
    return {
      score: ({ used, allocatable }) => {
        const cpu = share(used.cpuMillis + cpuMillis, allocatable.cpuMillis);
        const memory = share(used.memoryBytes + memoryBytes, allocatable.memoryBytes);
        // With two shares, the standard deviation is half their distance.
        return Math.floor((1 - Math.abs(cpu - memory) / 2) * MAX_SCORE);
      },
    };
  },
};

function share(used: number, capacity: number): number {
  return capacity === 0 ? 1 : Math.min(1, used / capacity);
}
