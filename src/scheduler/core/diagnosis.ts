import type { Rejection } from '../framework/plugin.ts';

/** Upstream's text for a cluster without nodes. */
export const NO_NODES = 'no nodes available to schedule pods';

/** `0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient cpu.` and what came after it. */
export function fitMessage(nodeCount: number, rejections: Iterable<Pick<Rejection, 'reasons'>>, after = ''): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).toSorted();
  const summary = texts.length === 0 ? '' : ` ${texts.join(', ')}.`;
  return `0/${nodeCount} nodes are available:${summary}${after === '' ? '' : ` ${after}`}`;
}
