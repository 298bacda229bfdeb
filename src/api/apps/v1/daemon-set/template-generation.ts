import { deepEqual } from '#machinery/codec/deep.ts';
import type { DaemonSet } from '../../../generated/types.ts';

/** Versions before apps/v1 counted the templates of a set in its spec; the count lives on as an annotation. */
const ANNOTATION = 'deprecated.daemonset.template.generation';

export function startTemplateGeneration(set: DaemonSet): void {
  annotate(set, Math.max(1, templateGeneration(set)));
}

/** Only the server counts: one more for each new template. */
export function keepTemplateGeneration(next: DaemonSet, current: DaemonSet): void {
  const isSame = deepEqual(next.spec.template, current.spec.template);
  annotate(next, templateGeneration(current) + (isSame ? 0 : 1));
}

function templateGeneration({ metadata }: DaemonSet): number {
  const text = metadata.annotations?.[ANNOTATION] ?? '';
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}

function annotate({ metadata }: DaemonSet, count: number): void {
  metadata.annotations = { ...metadata.annotations, [ANNOTATION]: String(count) };
}
