import { type AffinityTerm, type PodInfo, termMatches } from '../../core/pod-info.ts';
import type { NodeInfo } from '../../core/node-info.ts';
import { type Cycle, MAX_SCORE, type NodeFilter, type Plugin, type Rejection } from '../../framework/plugin.ts';

const affinity: Rejection = { reasons: ["node(s) didn't match pod affinity rules"], isUnresolvable: true };
const antiAffinity: Rejection = { reasons: ["node(s) didn't match pod anti-affinity rules"], isUnresolvable: false };
const existing: Rejection = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  isUnresolvable: false,
};

/** How much another pod's required affinity counts as a preference for this pod; upstream's default. */
const HARD_AFFINITY_WEIGHT = 1;

/** Counts of matching pods by `key=value` of a topology label. */
type Pairs = Map<string, number>;

/** Pods that want to be near others, or far from them. */
export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  looksAtOtherNodes: true,
  prepareFilter: (cycle) => {
    const { pod, snapshot } = cycle;
    const isPlain = pod.requiredAffinity.length === 0 && pod.requiredAntiAffinity.length === 0;
    if (isPlain && snapshot.withAntiAffinity.length === 0) return undefined;
    const filters = [affinityFilter(cycle), antiAffinityFilter(cycle), existingAntiAffinityFilter(cycle)].filter(
      (filter) => filter !== undefined,
    );
    if (filters.length === 0) return undefined;
    return (node) => {
      for (const filter of filters) {
        const rejection = filter(node);
        if (rejection !== undefined) return rejection;
      }
      return undefined;
    };
  },
  prepareScore: (cycle) => {
    const pairs = preferencePairs(cycle);
    if (pairs.size === 0) return undefined;
    return {
      score: (node) => {
        let score = 0;
        for (const [key, values] of pairs) {
          const value = node.labels[key];
          if (value !== undefined) score += values.get(value) ?? 0;
        }
        return score;
      },
      normalize: spread,
    };
  },
  isHelpedBy: (event, pod) => {
    if (event.type === 'nodeAdded') return true;
    if (event.type === 'nodeUpdated') return event.before.metadata.labels !== event.node.metadata.labels;
    // What the labels of namespaces say is not known here: a term with a namespace selector may be about any pod.
    const isAbout = (term: AffinityTerm) =>
      term.namespaceSelector !== undefined ||
      (term.namespaces.has(event.pod.namespace) && term.selector.matches(event.pod.labels));
    if (event.type === 'podRemoved') {
      return pod.requiredAntiAffinity.some(isAbout) || event.pod.requiredAntiAffinity.length > 0;
    }
    return pod.requiredAffinity.some(isAbout);
  },
};

function pair(key: string, value: string): string {
  return `${key}=${value}`;
}

function add(pairs: Pairs, node: NodeInfo, term: AffinityTerm, count: number): void {
  const value = node.labels[term.topologyKey];
  if (value === undefined) return;
  const key = pair(term.topologyKey, value);
  pairs.set(key, (pairs.get(key) ?? 0) + count);
}

function affinityFilter({ pod, snapshot }: Cycle): NodeFilter | undefined {
  const terms = pod.requiredAffinity;
  if (terms.length === 0) return undefined;
  const matchesAll = (other: PodInfo) => terms.every((term) => termMatches(term, other, snapshot.namespaceLabels));
  const pairs: Pairs = new Map();
  for (const node of snapshot.nodes) {
    const count = node.pods.count(matchesAll);
    if (count > 0) for (const term of terms) add(pairs, node, term, count);
  }
  // The first pod of a group that wants to be together may go anywhere.
  const isFirst = pairs.size === 0 && matchesAll(pod);
  return (node) => {
    for (const term of terms) {
      const value = node.labels[term.topologyKey];
      if (value === undefined) return affinity;
      if (!isFirst && (pairs.get(pair(term.topologyKey, value)) ?? 0) === 0) return affinity;
    }
    return undefined;
  };
}

function antiAffinityFilter({ pod, snapshot }: Cycle): NodeFilter | undefined {
  const terms = pod.requiredAntiAffinity;
  if (terms.length === 0) return undefined;
  const pairs: Pairs = new Map();
  for (const node of snapshot.nodes) {
    for (const term of terms) {
      const count = node.pods.count((other) => termMatches(term, other, snapshot.namespaceLabels));
      if (count > 0) add(pairs, node, term, count);
    }
  }
  return forbids(
    pairs,
    terms.map((term) => term.topologyKey),
    antiAffinity,
  );
}

function existingAntiAffinityFilter({ pod, snapshot }: Cycle): NodeFilter | undefined {
  const pairs: Pairs = new Map();
  const keys = new Set<string>();
  for (const node of snapshot.withAntiAffinity) {
    for (const other of node.antiAffinityPods) {
      for (const term of other.requiredAntiAffinity) {
        if (!termMatches(term, pod, snapshot.namespaceLabels)) continue;
        add(pairs, node, term, 1);
        keys.add(term.topologyKey);
      }
    }
  }
  return forbids(pairs, [...keys], existing);
}

function forbids(pairs: Pairs, keys: readonly string[], rejection: Rejection): NodeFilter | undefined {
  if (pairs.size === 0) return undefined;
  return (node) => {
    const isForbidden = keys.some((key) => {
      const value = node.labels[key];
      return value !== undefined && (pairs.get(pair(key, value)) ?? 0) > 0;
    });
    return isForbidden ? rejection : undefined;
  };
}

/** Sums of weights by topology key and value: what this pod prefers, and what pods that run already prefer of it. */
function preferencePairs({ pod, snapshot }: Cycle): Map<string, Map<string, number>> {
  const sums = new Map<string, Map<string, number>>();
  const note = (node: NodeInfo, topologyKey: string, weight: number): void => {
    const value = node.labels[topologyKey];
    if (value === undefined || weight === 0) return;
    const values = sums.get(topologyKey) ?? new Map<string, number>();
    sums.set(topologyKey, values.set(value, (values.get(value) ?? 0) + weight));
  };
  const prefers = pod.preferredAffinity.length > 0 || pod.preferredAntiAffinity.length > 0;
  for (const node of prefers ? snapshot.nodes : snapshot.withAffinity) {
    const noteTerms = (terms: readonly AffinityTerm[], about: PodInfo, sign: number, weight?: number): void => {
      for (const term of terms) {
        if (termMatches(term, about, snapshot.namespaceLabels)) {
          note(node, term.topologyKey, sign * (weight ?? term.weight));
        }
      }
    };
    const others = prefers ? node.pods : node.affinityPods;
    others.forEach((other) => {
      noteTerms(pod.preferredAffinity, other, 1);
      noteTerms(pod.preferredAntiAffinity, other, -1);
      noteTerms(other.requiredAffinity, pod, 1, HARD_AFFINITY_WEIGHT);
      noteTerms(other.preferredAffinity, pod, 1);
      noteTerms(other.preferredAntiAffinity, pod, -1);
    });
  }
  return sums;
}

/** The worst gets 0 and the best 100. */
function spread(scores: number[]): void {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    if (score < least) least = score;
    if (score > most) most = score;
  }
  const range = most - least;
  for (let index = 0; index < scores.length; index++) {
    scores[index] = range > 0 ? Math.floor((MAX_SCORE * ((scores[index] ?? 0) - least)) / range) : 0;
  }
}
