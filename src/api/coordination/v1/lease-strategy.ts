import { notSupported } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

export const OLDEST_EMULATION_VERSION = 'OldestEmulationVersion';

/** How the leader is chosen (KEP-4355): in a way that Kubernetes knows, or in one of a domain. */
export function checkLeaseStrategy(strategy: string, path: FieldPath, errors: FieldErrors): void {
  // The name stands twice in upstream's path.
  const at = path.child('strategy');
  if (strategy.includes('/')) checkMessages(isQualifiedName(strategy), strategy, at, errors);
  else if (strategy !== OLDEST_EMULATION_VERSION) errors.push(notSupported(at, strategy, [OLDEST_EMULATION_VERSION]));
}
