import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';

const STANDARD: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Finalizers of Kubernetes' own kinds are its own, or begin with a domain; those of custom resources may be any. */
export function validateFinalizerNames(finalizers: readonly string[], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, finalizer] of finalizers.entries()) {
    if (finalizer.includes('/') || STANDARD.has(finalizer)) continue;
    const detail = 'name is neither a standard finalizer name nor is it fully qualified';
    errors.push(invalidValue(path.index(index), finalizer, detail));
  }
  return errors;
}
