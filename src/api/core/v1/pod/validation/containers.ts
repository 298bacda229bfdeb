import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label } from '#machinery/validation/names.ts';
import type { Container, EphemeralContainer, PodSpec, Volume } from '../../../../generated/types.ts';
import { checkMessages, checkOneOf, checkOptionalOneOf, type FieldErrors } from '../../../../validation/basics.ts';
import { isRestartableInitContainer } from '../conditions.ts';
import { checkEnvironment } from './environment.ts';
import { checkVolumeDevices, checkVolumeMounts } from './mounts.ts';
import type { PodSpecOptions } from './options.ts';
import { checkHostPortConflicts, checkPorts } from './ports.ts';
import { checkLifecycle, checkProbes } from './probes.ts';
import { checkContainerResources } from './resources.ts';
import { checkSecurityContext } from './security-context.ts';

/** What the checks of one container need of its pod. */
export interface ContainerContext {
  readonly spec: PodSpec;
  /** The pod's valid volumes by name. */
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly options: PodSpecOptions;
}

const messagePolicies = ['FallbackToLogsOnError', 'File'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const restartPolicies = ['Always', 'Never', 'OnFailure'];

export function checkContainers(
  containers: readonly Container[],
  path: FieldPath,
  context: ContainerContext,
  errors: FieldErrors,
): void {
  if (containers.length === 0) {
    errors.push(required(path, ''));
    return;
  }
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    checkCommon(container, at, context, errors);
    if (names.has(container.name)) errors.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    checkOptionalOneOf(container.restartPolicy, restartPolicies, at.child('restartPolicy'), errors);
    checkRunning(container, at, context, errors);
  }
  checkHostPortConflicts(containers, path, errors);
}

export function checkInitContainers(
  containers: readonly Container[] | undefined,
  path: FieldPath,
  context: ContainerContext,
  errors: FieldErrors,
): void {
  if (containers === undefined) return;
  const names = new Set(context.spec.containers.map((container) => container.name));
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    checkCommon(container, at, context, errors);
    if (names.has(container.name)) errors.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    checkHostPortConflicts([container], path, errors);
    checkOptionalOneOf(container.restartPolicy, restartPolicies, at.child('restartPolicy'), errors);
    if (isRestartableInitContainer(container)) {
      checkRunning(container, at, context, errors);
      continue;
    }
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] === undefined) continue;
      const detail = 'may not be set for init containers without restartPolicy=Always';
      errors.push(forbiddenValue(at.child(field), detail));
    }
  }
}

export function checkEphemeralContainers(
  containers: readonly EphemeralContainer[] | undefined,
  path: FieldPath,
  context: ContainerContext,
  errors: FieldErrors,
): void {
  if (containers === undefined) return;
  const { spec } = context;
  const others = new Set([...spec.containers, ...(spec.initContainers ?? [])].map((container) => container.name));
  const names = new Set(others);
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    checkCommon(container, at, context, errors);
    if (names.has(container.name)) errors.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    const target = container.targetContainerName ?? '';
    if (target !== '' && !others.has(target)) {
      errors.push(notFoundValue(at.child('targetContainerName'), target));
    }
    for (const field of ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const) {
      if (container[field] !== undefined) {
        errors.push(forbiddenValue(at.child(field), 'cannot be set for an Ephemeral Container'));
      }
    }
    const { limits, requests } = container.resources ?? {};
    if (limits !== undefined || requests !== undefined) {
      errors.push(forbiddenValue(at.child('resources'), 'cannot be set for an Ephemeral Container'));
    }
  }
}

/** What every kind of container has, in upstream's order. */
function checkCommon(
  container: Container | EphemeralContainer,
  path: FieldPath,
  context: ContainerContext,
  errors: FieldErrors,
): void {
  const namePath = path.child('name');
  if ((container.name ?? '') === '') errors.push(required(namePath, ''));
  else checkMessages(isDns1123Label(container.name), container.name, namePath, errors);
  checkImage(container.image, path.child('image'), errors);
  checkOneOf(container.terminationMessagePolicy, messagePolicies, path.child('terminationMessagePolicy'), errors);
  checkPorts(container.ports, path.child('ports'), errors);
  checkEnvironment(container, path, errors);
  checkVolumeMounts(container, path.child('volumeMounts'), context.volumes, errors);
  checkVolumeDevices(container, path.child('volumeDevices'), context.volumes, errors);
  checkOneOf(container.imagePullPolicy, pullPolicies, path.child('imagePullPolicy'), errors);
  checkContainerResources(container, path.child('resources'), context.spec, errors);
  checkResizePolicy(container, path, errors);
  checkSecurityContext(container.securityContext, path.child('securityContext'), errors);
}

function checkImage(image: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (image === undefined || image === '') errors.push(required(path, ''));
  else if (image.trim() !== image) {
    errors.push(invalidValue(path, image, 'must not have leading or trailing whitespace'));
  }
}

function checkResizePolicy(container: Container | EphemeralContainer, path: FieldPath, errors: FieldErrors): void {
  if (container.resizePolicy === undefined) return;
  const names = new Set<string>();
  for (const [index, policy] of container.resizePolicy.entries()) {
    const at = path.child('resizePolicy').index(index);
    if (names.has(policy.resourceName)) errors.push(duplicateValue(at, policy.resourceName));
    names.add(policy.resourceName);
    checkOneOf(policy.resourceName, ['cpu', 'memory'], at.child('resourceName'), errors);
    const policies = ['NotRequired', 'RestartContainer'];
    if (policy.restartPolicy === '') errors.push(required(at.child('restartPolicy'), ''));
    else if (!policies.includes(policy.restartPolicy)) {
      errors.push(notSupported(at.child('restartPolicy'), policy.restartPolicy, policies));
    }
  }
}

/** What only containers that keep running have: hooks and probes. */
function checkRunning(container: Container, path: FieldPath, context: ContainerContext, errors: FieldErrors): void {
  const graceSeconds = context.spec.terminationGracePeriodSeconds ?? 30;
  if (container.lifecycle !== undefined) {
    checkLifecycle(container.lifecycle, { path: path.child('lifecycle'), graceSeconds, errors });
  }
  checkProbes(container, path, errors);
}
