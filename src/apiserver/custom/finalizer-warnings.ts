import type { KubeObject } from '#machinery/meta/types.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';

const STANDARD = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

/** Texts about new finalizers that may collide with somebody else's. */
export function finalizerWarnings(next: KubeObject, current: KubeObject | undefined): string[] {
  const known = new Set(current?.metadata.finalizers);
  const added = (next.metadata.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  return added.toSorted().flatMap(warningsOf);
}

function warningsOf(finalizer: string): string[] {
  const head = `metadata.finalizers: ${JSON.stringify(finalizer)}`;
  const warnings = isQualifiedName(finalizer).map((message) => `${head}: ${message}`);
  if (finalizer.includes('/') || STANDARD.has(finalizer)) return warnings;
  const path = finalizer.includes('.') ? ' including a path (/)' : '';
  warnings.push(
    `${head}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`,
  );
  return warnings;
}
