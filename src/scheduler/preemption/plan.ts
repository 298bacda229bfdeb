import type { PodDisruptionBudget } from '#api/generated/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { fitMessage } from '../core/diagnosis.ts';
import type { CycleFilters, NamedRejection } from '../core/filters.ts';
import { type NodeInfo, withoutPod, withPod } from '../core/node-info.ts';
import type { PodInfo } from '../core/pod-info.ts';
import type { Rejection } from '../framework/plugin.ts';

/** What was observed: a pod that fits nowhere, and why. */
export interface PreemptionInput {
  readonly filters: CycleFilters;
  readonly rejections: ReadonlyMap<string, NamedRejection>;
  readonly budgets: readonly PodDisruptionBudget[];
  /** Where among the candidates to begin: an integer in [0, limit). */
  readonly pick: (limit: number) => number;
}

export type PreemptionPlan =
  | { readonly type: 'preempt'; readonly node: string; readonly victims: readonly PodInfo[] }
  /** The text for the event, without the word `preemption`. */
  | { readonly type: 'none'; readonly message: string };

interface Candidate {
  readonly node: string;
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

const CANDIDATES_MIN = 100;
const CANDIDATES_PERCENT = 10;

const notHelpful: Pick<Rejection, 'reasons'> = { reasons: ['Preemption is not helpful for scheduling'] };
const noVictims: Pick<Rejection, 'reasons'> = { reasons: ['No preemption victims found for incoming pod'] };

/** Looks for the node where making room costs least. */
export function planPreemption(input: PreemptionInput): PreemptionPlan {
  const { filters, rejections } = input;
  const { pod, snapshot } = filters.cycle;
  const ineligible = whyNotEligible(pod, snapshot.byName);
  if (ineligible !== undefined) return { type: 'none', message: ineligible };
  const verdicts = new Map<string, Pick<Rejection, 'reasons'>>();
  const potential: NodeInfo[] = [];
  for (const node of snapshot.nodes) {
    if (rejections.get(node.name)?.isUnresolvable === false) potential.push(node);
    else verdicts.set(node.name, notHelpful);
  }
  const candidates = findCandidates(input, potential, verdicts);
  const [best] = candidates.toSorted(compareCandidates);
  if (best === undefined) {
    return { type: 'none', message: fitMessage(snapshot.nodes.length, verdicts.values()) };
  }
  return { type: 'preempt', node: best.node, victims: best.victims };
}

function whyNotEligible(pod: PodInfo, byName: ReadonlyMap<string, NodeInfo>): string | undefined {
  if (pod.pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = byName.get(pod.pod.status?.nominatedNodeName ?? '');
  const underWay = nominated?.pods.count(
    (other) => other.pod.metadata.deletionTimestamp !== undefined && other.priority < pod.priority,
  );
  return (underWay ?? 0) > 0 ? 'not eligible due to a terminating pod on the nominated node.' : undefined;
}

function findCandidates(
  input: PreemptionInput,
  potential: readonly NodeInfo[],
  verdicts: Map<string, Pick<Rejection, 'reasons'>>,
): Candidate[] {
  const enough = Math.max(CANDIDATES_MIN, Math.trunc((potential.length * CANDIDATES_PERCENT) / 100));
  const start = potential.length > enough ? input.pick(potential.length) : 0;
  const found: Candidate[] = [];
  for (let offset = 0; offset < potential.length && found.length < enough; offset++) {
    const node = potential[(start + offset) % potential.length];
    if (node === undefined) continue;
    const outcome = selectVictims(input, node);
    if ('victims' in outcome) found.push(outcome);
    else verdicts.set(node.name, outcome);
  }
  return found;
}

/** The fewest, least important pods whose end lets the pod in; pods that a budget protects are spared first. */
function selectVictims({ filters, budgets }: PreemptionInput, node: NodeInfo): Candidate | Pick<Rejection, 'reasons'> {
  const { pod } = filters.cycle;
  const lower = node.pods.filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return noVictims;
  let remaining = lower.reduce((info, other) => withoutPod(info, other), node);
  const rejection = filters.checkChanged(remaining);
  if (rejection !== undefined) return rejection;
  const { protectedPods, others } = splitByBudget(lower.toSorted(byImportance), budgets);
  const victims: PodInfo[] = [];
  let violations = 0;
  for (const candidate of [...protectedPods, ...others]) {
    const spared = withPod(remaining, candidate);
    if (filters.checkChanged(spared) === undefined) {
      remaining = spared;
    } else {
      victims.push(candidate);
      if (protectedPods.includes(candidate)) violations++;
    }
  }
  return { node: node.name, victims: victims.toSorted(byImportance), violations };
}

function splitByBudget(
  pods: readonly PodInfo[],
  budgets: readonly PodDisruptionBudget[],
): { protectedPods: PodInfo[]; others: PodInfo[] } {
  const left = budgets.map((budget) => ({
    namespace: budget.metadata.namespace ?? '',
    selector: compileLabelSelector(budget.spec.selector),
    allowed: budget.status?.disruptionsAllowed ?? 0,
    disrupted: budget.status?.disruptedPods ?? {},
  }));
  const protectedPods: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of pods) {
    let isProtected = false;
    for (const budget of left) {
      if (budget.namespace !== pod.namespace || !budget.selector.matches(pod.labels)) continue;
      if (budget.disrupted[pod.pod.metadata.name ?? ''] !== undefined) continue;
      budget.allowed--;
      if (budget.allowed < 0) isProtected = true;
    }
    (isProtected ? protectedPods : others).push(pod);
  }
  return { protectedPods, others };
}

/** The most important first: higher priority, then started earlier. */
function byImportance(a: PodInfo, b: PodInfo): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  return startTime(a) < startTime(b) ? -1 : Number(startTime(a) > startTime(b));
}

function startTime(pod: PodInfo): string {
  return pod.pod.status?.startTime ?? '9999';
}

/** Fewest broken budgets; then the least important victims; then the fewest; then those that started last. */
function compareCandidates(a: Candidate, b: Candidate): number {
  const highest = (one: Candidate) => one.victims[0]?.priority ?? Number.NEGATIVE_INFINITY;
  const sum = (one: Candidate) => one.victims.reduce((total, pod) => total + pod.priority, 0);
  const difference =
    a.violations - b.violations ||
    Math.sign(highest(a) - highest(b)) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length;
  if (difference !== 0) return difference;
  const earliest = (one: Candidate) => {
    const top = one.victims.filter((pod) => pod.priority === highest(one));
    return top.map(startTime).toSorted()[0] ?? '';
  };
  return earliest(a) > earliest(b) ? -1 : Number(earliest(a) < earliest(b));
}
