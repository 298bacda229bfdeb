import { deepCopy, deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { Container, Pod, PodSpec } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import { isRestartableInitContainer } from '../conditions.ts';
import { qosClass } from '../requests.ts';
import { MIRROR } from './annotations.ts';
import { validatePod } from './pod-spec.ts';

const rootPath = new FieldPath('');
const specPath = new FieldPath('spec');
const mutableNames = ['cpu', 'memory'] as const;

/** What a write through `/resize` may change: cpu and memory of running containers, and of the pod as a whole. */
export function validatePodResize(next: Pod, current: Pod): FieldError[] {
  const refusal = unsupported(current);
  if (refusal !== undefined) return [forbiddenValue(rootPath, refusal)];
  const errors = validatePod(next, current);
  const { containers, initContainers = [] } = next.spec;
  const before = current.spec;
  const sameCounts =
    containers.length === before.containers.length && initContainers.length === (before.initContainers ?? []).length;
  if (!sameCounts) return [...errors, forbiddenValue(specPath, 'only cpu and memory resources are mutable')];
  if (qosClass(next) !== (current.status?.qosClass ?? qosClass(current))) {
    const detail = 'Pod QOS Class may not change as a result of resizing';
    errors.push(invalidValue(specPath, next.status?.qosClass ?? '', detail));
  }
  const running = current.status?.containerStatuses?.find(({ state }) => state?.running !== undefined);
  if (running !== undefined && running.resources === undefined) {
    errors.push(forbiddenValue(specPath, 'Pod running on node without support for resize'));
  }
  checkNothingRemoved(next.spec, before, errors);
  checkOnlyMutable(next.spec, before, errors);
  return errors;
}

function unsupported({ metadata, spec }: Pod): string | undefined {
  if (metadata.annotations?.[MIRROR] !== undefined) return 'static pods cannot be resized';
  return spec.os?.name === 'windows' ? 'windows pods cannot be resized' : undefined;
}

function checkNothingRemoved(next: PodSpec, current: PodSpec, errors: FieldErrors): void {
  for (const [index, before] of (current.initContainers ?? []).entries()) {
    if (!isRestartableInitContainer(before)) continue;
    checkKept(next.initContainers?.[index], before, specPath.child('initContainers').index(index), errors);
  }
  for (const [index, before] of current.containers.entries()) {
    checkKept(next.containers[index], before, specPath.child('containers').index(index), errors);
  }
  checkKept(next, current, specPath, errors);
}

type Resourceful = Pick<Container, 'resources'>;

function checkKept(next: Resourceful | undefined, current: Resourceful, path: FieldPath, errors: FieldErrors): void {
  for (const field of ['requests', 'limits'] as const) {
    const list = next?.resources?.[field] ?? {};
    const isRemoved = Object.keys(current.resources?.[field] ?? {}).some((name) => list[name] === undefined);
    if (isRemoved) errors.push(forbiddenValue(path.child('resources', field), `resource ${field} cannot be removed`));
  }
}

/** Everything else must be as before. */
function checkOnlyMutable(next: PodSpec, current: PodSpec, errors: FieldErrors): void {
  const before = errors.length;
  for (const [index, container] of next.containers.entries()) {
    if (isSameButAmounts(container, current.containers[index])) continue;
    errors.push(forbiddenValue(specPath, 'only cpu and memory resources are mutable'));
  }
  for (const [index, container] of (next.initContainers ?? []).entries()) {
    const was = current.initContainers?.[index];
    if (isRestartableInitContainer(container)) {
      if (isSameButAmounts(container, was)) continue;
      errors.push(forbiddenValue(specPath, 'only cpu and memory resources for sidecar containers are mutable'));
    } else if (!deepEqual(container, was)) {
      errors.push(forbiddenValue(specPath, 'resources for non-sidecar init containers are immutable'));
    }
  }
  if (errors.length > before) return;
  const { containers: _containers, initContainers: _init, ...rest } = withoutAmounts(next);
  const { containers: _before, initContainers: _initBefore, ...restBefore } = withoutAmounts(current);
  if (!deepEqual(rest, restBefore)) errors.push(forbiddenValue(specPath, 'only cpu and memory resources are mutable'));
}

function isSameButAmounts(next: Container, current: Container | undefined): boolean {
  if (current === undefined) return false;
  const { resizePolicy: _policy, ...rest } = withoutAmounts(next);
  const { resizePolicy: _policyBefore, ...restBefore } = withoutAmounts(current);
  return deepEqual(rest, restBefore);
}

/** A copy that has neither cpu nor memory, and no list that is empty without them. */
function withoutAmounts<T extends Resourceful>(object: T): T {
  const { resources, ...rest } = object;
  const copy = deepCopy(resources ?? {});
  for (const field of ['requests', 'limits'] as const) {
    const list = copy[field];
    if (list === undefined) continue;
    for (const name of mutableNames) delete list[name];
    if (Object.keys(list).length === 0) delete copy[field];
  }
  return { ...rest, resources: copy } as unknown as T; // Safe: the same object with a shorter list of amounts.
}
