import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isIpAddress } from '#machinery/validation/names.ts';
import type { Container, ContainerStatus, Pod, PodSpec, Toleration } from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors, INT32_MAX } from '../../../../validation/basics.ts';
import { specDifference } from './difference.ts';
import { validatePod } from './pod-spec.ts';

const updatableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
];

const specPath = new FieldPath('spec');
const statusPath = new FieldPath('status');

/** What a main update of a pod may change: little more than images and tolerations. */
export function validatePodUpdate(next: Pod, current: Pod): FieldError[] {
  const errors = validatePod(next);
  const nextSpec = next.spec;
  const currentSpec = current.spec;
  if (!checkSameContainers(nextSpec.containers, currentSpec.containers, specPath.child('containers'), errors)) {
    return errors;
  }
  const initPath = specPath.child('initContainers');
  if (!checkSameContainers(nextSpec.initContainers ?? [], currentSpec.initContainers ?? [], initPath, errors)) {
    return errors;
  }
  if (!checkDeadline(nextSpec, currentSpec, errors)) return errors;
  checkAddedTolerations(nextSpec.tolerations ?? [], currentSpec.tolerations ?? [], errors);
  checkDeletedGates(nextSpec, currentSpec, errors);
  if (deepEqual(nextSpec, currentSpec)) return errors;
  const munged = munge(nextSpec, currentSpec);
  if (!deepEqual(munged, currentSpec)) {
    const difference = specDifference(currentSpec, munged);
    const detail = `pod updates may not change fields other than ${updatableFields.join(',')}\n${difference}`;
    errors.push(forbiddenValue(specPath, detail));
  }
  return errors;
}

/** Gives false where comparing further makes no sense. */
function checkSameContainers(
  next: readonly Container[],
  current: readonly Container[],
  path: FieldPath,
  errors: FieldErrors,
): boolean {
  if (next.length !== current.length) {
    errors.push(forbiddenValue(path, 'pod updates may not add or remove containers'));
    return false;
  }
  for (const [index, container] of next.entries()) {
    if ((container.image ?? '').trim() === '') errors.push(required(path.index(index).child('image'), ''));
  }
  return true;
}

function checkDeadline(next: PodSpec, current: PodSpec, errors: FieldErrors): boolean {
  const path = specPath.child('activeDeadlineSeconds');
  const seconds = next.activeDeadlineSeconds;
  if (seconds === undefined) {
    if (current.activeDeadlineSeconds === undefined) return true;
    errors.push(invalidValue(path, undefined, 'must not update from a positive integer to nil value'));
    return true;
  }
  if (seconds < 0 || seconds > INT32_MAX) {
    errors.push(invalidValue(path, seconds, `must be between 0 and ${INT32_MAX}, inclusive`));
    return false;
  }
  if (current.activeDeadlineSeconds !== undefined && current.activeDeadlineSeconds < seconds) {
    errors.push(invalidValue(path, seconds, 'must be less than or equal to previous value'));
    return false;
  }
  return true;
}

function checkAddedTolerations(next: readonly Toleration[], current: readonly Toleration[], errors: FieldErrors): void {
  for (const toleration of current) {
    const { tolerationSeconds: _current, ...rest } = toleration;
    const kept = next.some(({ tolerationSeconds: _next, ...candidate }) => deepEqual(candidate, rest));
    if (kept) continue;
    const detail = 'existing toleration can not be modified except its tolerationSeconds';
    errors.push(forbiddenValue(specPath.child('tolerations'), detail));
    return;
  }
}

function checkDeletedGates(next: PodSpec, current: PodSpec, errors: FieldErrors): void {
  const known = new Set((current.schedulingGates ?? []).map((gate) => gate.name));
  for (const gate of next.schedulingGates ?? []) {
    if (known.has(gate.name)) continue;
    const detail = `only deletion is allowed, but found new scheduling gate '${gate.name}'`;
    errors.push(forbiddenValue(specPath.child('schedulingGates'), detail));
  }
}

/** The new spec with everything that may change put back, so that the rest can be compared. */
function munge(next: PodSpec, current: PodSpec): PodSpec {
  const munged: Record<string, unknown> = { ...next };
  munged['containers'] = withImages(next.containers, current.containers);
  if (next.initContainers !== undefined) {
    munged['initContainers'] = withImages(next.initContainers, current.initContainers ?? []);
  }
  const changeable = ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'];
  const grace = next.terminationGracePeriodSeconds;
  const currentGrace = current.terminationGracePeriodSeconds ?? 0;
  if (currentGrace < 0 && grace === 1) changeable.push('terminationGracePeriodSeconds');
  // A gated pod's placement may still be narrowed.
  if ((current.schedulingGates ?? []).length > 0) changeable.push(...narrowedPlacement(next, current));
  const from = current as unknown as Record<string, unknown>; // Safe: a read-only view of a JSON object by name.
  for (const field of changeable) {
    if (from[field] === undefined) delete munged[field];
    else munged[field] = from[field];
  }
  return munged as unknown as PodSpec; // Safe: it has the fields of the two specs.
}

function narrowedPlacement(next: PodSpec, current: PodSpec): string[] {
  const narrowed: string[] = [];
  const selector = next.nodeSelector ?? {};
  const keptAll = Object.entries(current.nodeSelector ?? {}).every(([key, value]) => selector[key] === value);
  if (keptAll) narrowed.push('nodeSelector');
  if (current.affinity?.nodeAffinity === undefined) narrowed.push('affinity');
  return narrowed;
}

function withImages(next: readonly Container[], current: readonly Container[]): Container[] {
  return next.map((container, index) => {
    const image = current[index]?.image;
    const { image: _image, ...rest } = container;
    return image === undefined ? rest : { ...rest, image };
  });
}

/** The checks of a write through `/status`. */
export function validatePodStatusUpdate(next: Pod, current: Pod): FieldError[] {
  const errors: FieldErrors = [];
  const seen = new Set<string>();
  for (const [index, podIp] of (next.status?.podIPs ?? []).entries()) {
    const path = statusPath.child('podIPs').index(index);
    const address = podIp.ip ?? '';
    checkMessages(isIpAddress(address), address, path, errors);
    if (seen.has(address))
      errors.push(invalidValue(path, address, 'may specify no more than one IP for each IP family'));
    seen.add(address);
  }
  if (next.spec.restartPolicy !== 'Always') {
    const path = statusPath.child('containerStatuses');
    checkTransitions(next.status?.containerStatuses, current.status?.containerStatuses, {
      path,
      mayRestart: (status) => next.spec.restartPolicy === 'OnFailure' && exitCodeOf(status) !== 0,
      errors,
    });
  }
  return errors;
}

function exitCodeOf(status: ContainerStatus): number | undefined {
  return status.state?.terminated?.exitCode;
}

/** A container that ended for good may not run again in its status. */
function checkTransitions(
  next: readonly ContainerStatus[] | undefined,
  current: readonly ContainerStatus[] | undefined,
  options: { path: FieldPath; mayRestart: (status: ContainerStatus) => boolean; errors: FieldErrors },
): void {
  for (const before of current ?? []) {
    if (before.state?.terminated === undefined || options.mayRestart(before)) continue;
    const index = (next ?? []).findIndex((status) => status.name === before.name);
    const after = next?.[index];
    if (after === undefined || after.state?.terminated !== undefined) continue;
    const path = options.path.index(index).child('state');
    options.errors.push(forbiddenValue(path, 'may not be transitioned to non-terminated state'));
  }
}
