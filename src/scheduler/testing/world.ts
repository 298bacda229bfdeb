import type { Node, Pod, PodSpec } from '#api/generated/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { nodeInfoOf } from '../core/node-info.ts';
import { type PodInfo, podInfoOf } from '../core/pod-info.ts';
import { type ScheduleResult, schedulePod } from '../core/schedule-pod.ts';
import { SchedulerCache } from '../core/scheduler-cache.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { defaultProfile } from '../framework/default-profile.ts';

/** Clusters for the tests of this room: nodes and pods in a cache, and cycles on them. */

export function testNode(
  name: string,
  options: { labels?: Record<string, string>; spec?: Node['spec']; allocatable?: Record<string, string> } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...options.labels } },
    spec: options.spec ?? {},
    status: { allocatable: options.allocatable ?? { cpu: '4', memory: '8Gi', pods: '110' } },
  };
}

export function testPod(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
    spec: { containers: [{ name: 'main', image: 'image:1' }], ...spec },
  };
}

export function requesting(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: 'main', image: 'image:1', resources: { requests } }] };
}

export class SchedulerWorld {
  readonly cache = new SchedulerCache();
  nominated = new Map<string, PodInfo[]>();
  startIndex = 0;

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) this.cache.setNode(node);
  }

  place(pod: Pod, node: string): void {
    this.cache.setPod(podInfoOf({ ...pod, spec: { ...pod.spec, nodeName: node } }));
  }

  snapshot(): Snapshot {
    return {
      ...this.cache.view(),
      imageNodeCount: (image) => this.cache.imageNodeCount(image),
      namespaceLabels: (namespace) => ({ 'kubernetes.io/metadata.name': namespace }),
      defaultSelector: (pod) => {
        const app = pod.labels['app'];
        return app === undefined
          ? undefined
          : { key: `app=${app}`, selector: compileLabelSelector({ matchLabels: { app } }) };
      },
      nominated: (node) => this.nominated.get(node) ?? [],
    };
  }

  try(pod: Pod): ScheduleResult {
    const cycle = { pod: podInfoOf(pod), snapshot: this.snapshot() };
    return schedulePod({ cycle, profile: defaultProfile, startIndex: this.startIndex, pick: () => 0 });
  }

  /** Finds a node and puts the pod there; the node's name, or the reasons against each node. */
  schedule(pod: Pod): string | Record<string, string> {
    const result = this.try(pod);
    if (result.type === 'noNodes') return {};
    if (result.type === 'scheduled') {
      this.cache.assume(podInfoOf(pod), result.node);
      return result.node;
    }
    return Object.fromEntries([...result.rejections].map(([node, { reasons }]) => [node, reasons.join(', ')]));
  }

  /** The sums that the cache keeps, computed anew from its pods. */
  recount(name: string): { kept: unknown; expected: unknown } {
    const info = this.cache.node(name);
    if (info === undefined) return { kept: undefined, expected: undefined };
    const expected = nodeInfoOf(
      info.node,
      info.pods.filter(() => true),
    );
    const sums = ({ used, usedForScoring, ports, affinityPods, antiAffinityPods }: typeof info) => ({
      used: { ...used, others: Object.fromEntries(Object.entries(used.others).filter(([, amount]) => amount !== 0)) },
      usedForScoring,
      ports,
      affinityPods,
      antiAffinityPods,
    });
    return { kept: sums(info), expected: sums(expected) };
  }
}
