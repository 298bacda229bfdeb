import { imageLocality } from '../plugins/image-locality/plugin.ts';
import { interPodAffinity } from '../plugins/inter-pod-affinity/plugin.ts';
import { nodeAffinity } from '../plugins/node-affinity/plugin.ts';
import { nodeName } from '../plugins/node-name/plugin.ts';
import { nodePorts } from '../plugins/node-ports/plugin.ts';
import { nodeResourcesBalancedAllocation } from '../plugins/node-resources-balanced-allocation/plugin.ts';
import { nodeResourcesFit } from '../plugins/node-resources-fit/plugin.ts';
import { nodeUnschedulable } from '../plugins/node-unschedulable/plugin.ts';
import { podTopologySpread } from '../plugins/pod-topology-spread/plugin.ts';
import { schedulingGates } from '../plugins/scheduling-gates/plugin.ts';
import { taintToleration } from '../plugins/taint-toleration/plugin.ts';
import type { ProfileEntry } from './plugin.ts';

/** Plugins in the order in which their filters are asked, with the weights of their scores; both are upstream's. */
export const defaultProfile: readonly ProfileEntry[] = [
  { plugin: schedulingGates, weight: 0 },
  { plugin: nodeUnschedulable, weight: 0 },
  { plugin: nodeName, weight: 0 },
  { plugin: taintToleration, weight: 3 },
  { plugin: nodeAffinity, weight: 2 },
  { plugin: nodePorts, weight: 0 },
  { plugin: nodeResourcesFit, weight: 1 },
  { plugin: podTopologySpread, weight: 2 },
  { plugin: interPodAffinity, weight: 2 },
  { plugin: nodeResourcesBalancedAllocation, weight: 1 },
  { plugin: imageLocality, weight: 1 },
];
