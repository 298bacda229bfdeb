import { forbiddenValue, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { PodSpec } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import type { PodSpecOptions } from './options.ts';
import { APPARMOR_CONTAINER, checkProfileAnnotations } from './security-profiles.ts';

export const MIRROR = 'kubernetes.io/config.mirror';
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

type Annotations = Readonly<Record<string, string>>;

/** Annotations that mean something to pods. */
export function checkPodAnnotations(
  annotations: Annotations | undefined,
  { spec, path, options }: { spec: PodSpec; path: FieldPath; options: PodSpecOptions },
  errors: FieldErrors,
): void {
  if (annotations === undefined) return;
  const mirror = annotations[MIRROR];
  if (mirror !== undefined && (spec.nodeName ?? '') === '') {
    const detail = 'must set spec.nodeName if mirror pod annotation is set';
    errors.push(invalidValue(path.key(MIRROR), mirror, detail));
  }
  if (options.allowsOldDeletionCost !== true && !isDeletionCost(annotations)) {
    errors.push(invalidValue(path.key(DELETION_COST), annotations[DELETION_COST], 'must be a 32bit integer'));
  }
  checkProfileAnnotations(annotations, spec, path, errors);
}

/** Whether the cost of deleting the pod, if there is one, is a number. */
export function isDeletionCost(annotations: Annotations | undefined): boolean {
  const text = annotations?.[DELETION_COST];
  if (text === undefined) return true;
  if (!/^(0|-?[1-9][0-9]{0,9})$/.test(text)) return false;
  return Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;
}

/** Mirrors and AppArmor profiles are for life. */
export function checkAnnotationChanges(
  next: Annotations | undefined,
  current: Annotations | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const [key, value] of Object.entries(current ?? {})) {
    if (next?.[key] === value) continue;
    if (key.startsWith(APPARMOR_CONTAINER)) {
      errors.push(forbiddenValue(path.key(key), 'may not remove or update AppArmor annotations'));
    }
    if (key === MIRROR) errors.push(forbiddenValue(path.key(key), 'may not remove or update mirror pod annotation'));
  }
  for (const key of Object.keys(next ?? {})) {
    if (current?.[key] !== undefined) continue;
    if (key.startsWith(APPARMOR_CONTAINER)) {
      errors.push(forbiddenValue(path.key(key), 'may not add AppArmor annotations'));
    }
    if (key === MIRROR) errors.push(forbiddenValue(path.key(key), 'may not add mirror pod annotation'));
  }
}
