import { duplicateValue, forbiddenValue, invalidValue, notFoundValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label } from '#machinery/validation/names.ts';
import type { Container, EphemeralContainer, PodSpec, Volume } from '../../../../generated/types.ts';
import { checkMessages, checkOneOf, type FieldErrors } from '../../../../validation/basics.ts';
import { isRestartableInitContainer } from '../conditions.ts';
import { checkEnvironment } from './environment.ts';
import { checkRestartPolicy } from './restart-rules.ts';
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

/** In the order that messages list them. */
const messagePolicies = ['File', 'FallbackToLogsOnError'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];

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
    checkRestartPolicy(container, at, errors);
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
    checkRestartPolicy(container, at, errors);
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
    checkNotForEphemeral(container, at, errors);
  }
}

const notForEphemeral = [
  'ports',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;

/** A container for looking around is no part of the workload. */
function checkNotForEphemeral(container: EphemeralContainer, path: FieldPath, errors: FieldErrors): void {
  const refuse = (at: FieldPath): void =>
    void errors.push(forbiddenValue(at, 'cannot be set for an Ephemeral Container'));
  for (const field of notForEphemeral) if (container[field] !== undefined) refuse(path.child(field));
  if (Object.keys(container.resources ?? {}).length > 0) refuse(path.child('resources'));
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = path.child('volumeMounts').index(index);
    if ((mount.subPath ?? '') !== '') refuse(at.child('subPath'));
    if ((mount.subPathExpr ?? '') !== '') refuse(at.child('subPathExpr'));
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
  checkImage(container.image, path.child('image'), context.options, errors);
  checkOneOf(container.terminationMessagePolicy, messagePolicies, path.child('terminationMessagePolicy'), errors);
  checkPorts(container.ports, path.child('ports'), errors);
  checkEnvironment(container, path, errors);
  checkVolumeMounts(container, path.child('volumeMounts'), context.volumes, errors);
  checkVolumeDevices(container, path.child('volumeDevices'), context.volumes, errors);
  checkOneOf(container.imagePullPolicy, pullPolicies, path.child('imagePullPolicy'), errors);
  checkContainerResources(container, path.child('resources'), context.spec, errors);
  checkResizePolicy(container, path.child('resizePolicy'), context.spec, errors);
  checkSecurityContext(container.securityContext, path.child('securityContext'), context.spec, errors);
}

/** A template may hold a blank for what a controller fills in later. */
function checkImage(image: string | undefined, path: FieldPath, { isPod }: PodSpecOptions, errors: FieldErrors): void {
  if (image === undefined || image === '') errors.push(required(path, ''));
  else if (isPod && image.trim() !== image) {
    errors.push(invalidValue(path, image, 'must not have leading or trailing whitespace'));
  }
}

function checkResizePolicy(
  container: Container | EphemeralContainer,
  path: FieldPath,
  spec: PodSpec,
  errors: FieldErrors,
): void {
  if (container.resizePolicy === undefined) return;
  const names = new Set<string>();
  const neverRestarts = spec.restartPolicy === 'Never' && container.restartPolicy === undefined;
  for (const [index, { resourceName, restartPolicy }] of container.resizePolicy.entries()) {
    if (names.has(resourceName)) errors.push(duplicateValue(path.index(index), resourceName));
    names.add(resourceName);
    checkOneOf(resourceName, ['cpu', 'memory'], path, errors);
    checkOneOf(restartPolicy, ['NotRequired', 'RestartContainer'], path, errors);
    if (neverRestarts && restartPolicy !== 'NotRequired') {
      const detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
      errors.push(invalidValue(path, restartPolicy, detail));
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
