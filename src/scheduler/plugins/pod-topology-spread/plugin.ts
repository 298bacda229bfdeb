import { countPods, type NodeInfo } from '../../core/node-info.ts';
import type { PodInfo } from '../../core/pod-info.ts';
import { type Cycle, MAX_SCORE, type NodeScorer, type Plugin, type Rejection } from '../../framework/plugin.ts';
import { countsFor, defaultConstraints, HOSTNAME, ownConstraints, type SpreadConstraint } from './constraints.ts';

const rejection: Rejection = {
  reasons: ["node(s) didn't match pod topology spread constraints"],
  isUnresolvable: false,
};
const missingLabel: Rejection = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  isUnresolvable: true,
};

/** Spreads pods evenly over domains: hosts, zones, whatever a label says. */
export const podTopologySpread: Plugin = {
  name: 'PodTopologySpread',
  looksAtOtherNodes: true,
  prepareFilter: (cycle) => {
    const constraints = ownConstraints(cycle.pod, 'DoNotSchedule');
    if (constraints.length === 0) return undefined;
    const domains = constraints.map((constraint) => countDomains(cycle, constraint, constraints));
    return (node) => {
      for (const [index, constraint] of constraints.entries()) {
        const value = node.labels[constraint.topologyKey];
        if (value === undefined) return missingLabel;
        const { counts, least } = domains[index] ?? { counts: new Map<string, number>(), least: 0 };
        const own = constraint.query.selector.matches(cycle.pod.labels) ? 1 : 0;
        if ((counts.get(value) ?? 0) + own - least > constraint.maxSkew) return rejection;
      }
      return undefined;
    };
  },
  prepareScore: (cycle, nodes) => {
    const own = ownConstraints(cycle.pod, 'ScheduleAnyway');
    const constraints = own.length > 0 ? own : defaultConstraints(cycle);
    return constraints.length === 0 ? undefined : spreadScorer(cycle, { nodes, constraints, isOwn: own.length > 0 });
  },
  isHelpedBy: (event, pod) => {
    const constraints = ownConstraints(pod, 'DoNotSchedule');
    switch (event.type) {
      case 'nodeAdded':
        return constraints.every(({ topologyKey }) => event.node.metadata.labels?.[topologyKey] !== undefined);
      case 'nodeUpdated':
        return event.before.metadata.labels !== event.node.metadata.labels;
      case 'podRemoved':
      case 'podBound':
      case 'podRelabelled':
        return event.pod.namespace === pod.namespace && constraints.some((one) => isCounted(one, event.pod));
    }
  },
};

// A pod that does not match any more may have matched before; its new labels say nothing of that.
function isCounted(constraint: SpreadConstraint, pod: PodInfo): boolean {
  return constraint.query.selector.matches(pod.labels);
}

interface Domains {
  readonly counts: ReadonlyMap<string, number>;
  /** What the emptiest domain has; 0 where there are fewer domains than asked for. */
  readonly least: number;
}

function countDomains(
  { pod, snapshot }: Cycle,
  constraint: SpreadConstraint,
  all: readonly SpreadConstraint[],
): Domains {
  const counts = new Map<string, number>();
  for (const node of snapshot.nodes) {
    if (!all.every(({ topologyKey }) => node.labels[topologyKey] !== undefined)) continue;
    if (!countsFor(constraint, pod, node)) continue;
    const value = node.labels[constraint.topologyKey] ?? '';
    counts.set(value, (counts.get(value) ?? 0) + countPods(node, constraint.query));
  }
  const least = counts.size < constraint.minDomains ? 0 : Math.min(...(counts.size === 0 ? [0] : counts.values()));
  return { counts, least };
}

interface Scoring {
  readonly nodes: readonly NodeInfo[];
  readonly constraints: readonly SpreadConstraint[];
  readonly isOwn: boolean;
}

function spreadScorer(cycle: Cycle, { nodes, constraints, isOwn }: Scoring): NodeScorer {
  // With constraints of its own, a node without one of the labels is no place for the pod to count on.
  const isIgnored = (node: NodeInfo) =>
    isOwn && !constraints.every(({ topologyKey }) => node.labels[topologyKey] !== undefined);
  const eligible = nodes.filter((node) => !isIgnored(node));
  const parts = constraints.map((constraint) => prepareConstraint(cycle, constraint, eligible));
  const ignored = new Set(isOwn ? nodes.filter(isIgnored) : []);
  return {
    score: (node) => {
      if (ignored.has(node)) return IGNORED;
      let score = 0;
      for (const { constraint, counts, weight } of parts) {
        const value = node.labels[constraint.topologyKey];
        if (value === undefined) continue;
        const count = counts === undefined ? countPods(node, constraint.query) : (counts.get(value) ?? 0);
        score += count * weight + (constraint.maxSkew - 1);
      }
      return Math.round(score);
    },
    normalize: invert,
  };
}

/** Marks nodes that do not take part in the comparison. */
const IGNORED = -1;

/** The emptiest gets 100. */
function invert(scores: number[]): void {
  const counted = scores.filter((score) => score !== IGNORED);
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const score of counted) {
    if (score < least) least = score;
    if (score > most) most = score;
  }
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] ?? 0;
    if (score === IGNORED) scores[index] = 0;
    else scores[index] = most === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (most + least - score)) / most);
  }
}

interface PreparedConstraint {
  readonly constraint: SpreadConstraint;
  /** Matching pods by domain; absent for hosts, where each node is asked when it is scored. */
  readonly counts: ReadonlyMap<string, number> | undefined;
  /** More domains weigh more, as their counts are smaller. */
  readonly weight: number;
}

function prepareConstraint(
  { pod, snapshot }: Cycle,
  constraint: SpreadConstraint,
  eligible: readonly NodeInfo[],
): PreparedConstraint {
  if (constraint.topologyKey === HOSTNAME) {
    return { constraint, counts: undefined, weight: Math.log(eligible.length + 2) };
  }
  const counts = new Map<string, number>();
  for (const node of eligible) {
    const value = node.labels[constraint.topologyKey];
    if (value !== undefined) counts.set(value, 0);
  }
  if (counts.size > 0) {
    for (const node of snapshot.nodes) {
      const value = node.labels[constraint.topologyKey];
      const before = value === undefined ? undefined : counts.get(value);
      if (value === undefined || before === undefined || !countsFor(constraint, pod, node)) continue;
      counts.set(value, before + countPods(node, constraint.query));
    }
  }
  return { constraint, counts, weight: Math.log(counts.size + 2) };
}
