import type { Cycle, ProfileEntry } from '../framework/plugin.ts';
import { CycleFilters, type NamedRejection } from './filters.ts';
import type { NodeInfo } from './node-info.ts';

/** What became of a scheduling cycle, with all that led to it. */
export type ScheduleResult =
  | {
      readonly type: 'scheduled';
      readonly node: string;
      readonly evaluated: number;
      readonly scores: readonly NodeScore[];
      readonly rejections: ReadonlyMap<string, NamedRejection>;
    }
  | {
      readonly type: 'unschedulable';
      readonly nodeCount: number;
      readonly rejections: ReadonlyMap<string, NamedRejection>;
      readonly filters: CycleFilters;
    }
  | { readonly type: 'noNodes' };

export interface NodeScore {
  readonly node: string;
  readonly total: number;
  /** Weighted, by plugin. */
  readonly byPlugin: Readonly<Record<string, number>>;
}

export interface ScheduleInput {
  readonly cycle: Cycle;
  readonly profile: readonly ProfileEntry[];
  /** Where in the list of nodes to begin, so that all nodes get their turn. */
  readonly startIndex: number;
  /** Chooses among nodes of equal score: an integer in [0, limit). */
  readonly pick: (limit: number) => number;
}

/** Below this number of nodes all are looked at. */
const NODES_TO_FIND_MIN = 100;
const PERCENTAGE_MIN = 5;

/** How many feasible nodes are enough; upstream's adaptive rule. */
export function nodesToFind(nodeCount: number): number {
  if (nodeCount < NODES_TO_FIND_MIN) return nodeCount;
  const percentage = Math.max(PERCENTAGE_MIN, 50 - Math.trunc(nodeCount / 125));
  return Math.max(NODES_TO_FIND_MIN, Math.trunc((nodeCount * percentage) / 100));
}

/** One scheduling cycle: filter, score, choose. Pure. */
export function schedulePod(input: ScheduleInput): ScheduleResult {
  const { cycle, profile } = input;
  const { nodes } = cycle.snapshot;
  if (nodes.length === 0) return { type: 'noNodes' };
  const filters = new CycleFilters(profile, cycle);
  const rejections = new Map<string, NamedRejection>();
  const feasible = nominatedNode(cycle, filters) ?? findFeasible(input, filters, rejections);
  if (feasible.length === 0) return { type: 'unschedulable', nodeCount: nodes.length, rejections, filters };
  const evaluated = feasible.length + rejections.size;
  if (feasible.length === 1) {
    const node = feasible[0]?.name ?? '';
    return { type: 'scheduled', node, evaluated, scores: [{ node, total: 0, byPlugin: {} }], rejections };
  }
  const { totals, parts } = scoreNodes(cycle, profile, feasible);
  const chosen = highest(totals, input.pick);
  const scores = topScores(feasible, { totals, parts, chosen });
  return { type: 'scheduled', node: feasible[chosen]?.name ?? '', evaluated, scores, rejections };
}

/** Room was made for the pod on this node: where it fits there now, nothing else is looked at. */
function nominatedNode({ pod, snapshot }: Cycle, filters: CycleFilters): NodeInfo[] | undefined {
  const node = snapshot.byName.get(pod.pod.status?.nominatedNodeName ?? '');
  return node !== undefined && filters.check(node) === undefined ? [node] : undefined;
}

function findFeasible(
  { cycle, startIndex }: ScheduleInput,
  filters: CycleFilters,
  rejections: Map<string, NamedRejection>,
): NodeInfo[] {
  const { nodes } = cycle.snapshot;
  const enough = nodesToFind(nodes.length);
  const feasible: NodeInfo[] = [];
  for (let offset = 0; offset < nodes.length && feasible.length < enough; offset++) {
    const node = nodes[(startIndex + offset) % nodes.length];
    if (node === undefined) continue;
    const rejection = filters.check(node);
    if (rejection === undefined) feasible.push(node);
    else rejections.set(node.name, rejection);
  }
  return feasible;
}

interface PluginScores {
  readonly plugin: string;
  readonly weight: number;
  readonly scores: readonly number[];
}

function scoreNodes(
  cycle: Cycle,
  profile: readonly ProfileEntry[],
  nodes: readonly NodeInfo[],
): { totals: number[]; parts: PluginScores[] } {
  const totals: number[] = Array.from({ length: nodes.length }, () => 0);
  const parts: PluginScores[] = [];
  for (const { plugin, weight } of profile) {
    const scorer = plugin.prepareScore?.(cycle, nodes);
    if (scorer === undefined) continue;
    const scores = nodes.map((node) => scorer.score(node));
    scorer.normalize?.(scores);
    for (let index = 0; index < scores.length; index++) {
      totals[index] = (totals[index] ?? 0) + weight * (scores[index] ?? 0);
    }
    parts.push({ plugin: plugin.name, weight, scores });
  }
  return { totals, parts };
}

/** The index of the highest total; chance decides between equal ones. */
function highest(totals: readonly number[], pick: (limit: number) => number): number {
  let best: number[] = [];
  let most = Number.NEGATIVE_INFINITY;
  for (const [index, total] of totals.entries()) {
    if (total > most) {
      most = total;
      best = [index];
    } else if (total === most) {
      best.push(index);
    }
  }
  return best[best.length > 1 ? pick(best.length) : 0] ?? 0;
}

/** How many of the best nodes a decision keeps. */
const SCORES_KEPT = 5;

function topScores(
  nodes: readonly NodeInfo[],
  { totals, parts, chosen }: { totals: readonly number[]; parts: readonly PluginScores[]; chosen: number },
): NodeScore[] {
  const kept = [chosen];
  const floor = totals[chosen] ?? 0;
  for (let index = 0; index < nodes.length && kept.length < SCORES_KEPT; index++) {
    if (index !== chosen && (totals[index] ?? 0) === floor) kept.push(index);
  }
  return kept.map((index) => ({
    node: nodes[index]?.name ?? '',
    total: totals[index] ?? 0,
    byPlugin: Object.fromEntries(parts.map(({ plugin, weight, scores }) => [plugin, weight * (scores[index] ?? 0)])),
  }));
}
