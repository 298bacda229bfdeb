import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { ObjectMeta } from '#machinery/meta/types.ts';
import { validateAnnotations, validateLabels } from '#machinery/validation/metadata.ts';
import { isDns1123Label, isDns1123Subdomain, isIpAddress, isQualifiedName } from '#machinery/validation/names.ts';
import type { Pod, PodSpec, PodTemplateSpec } from '../../../../generated/types.ts';
import {
  checkMessages,
  checkOneOf,
  checkOptionalOneOf,
  type FieldErrors,
  INT32_MAX,
} from '../../../../validation/basics.ts';
import { checkAffinity } from './affinity.ts';
import { checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts';
import { checkDns } from './dns.ts';
import type { PodSpecOptions } from './options.ts';
import { checkPodResources, checkResourceList } from './resources.ts';
import { checkPodSecurityContext } from './security-context.ts';
import { checkTolerations } from './tolerations.ts';
import { checkTopologySpread } from './topology-spread.ts';
import { checkVolumes } from './volumes.ts';

const specPath = new FieldPath('spec');

/** The whole of a pod but its metadata, as on create and on each update. */
export function validatePod(pod: Pod): FieldError[] {
  const errors: FieldErrors = [];
  checkPodSpec(pod.spec, specPath, { isPod: true }, errors);
  return errors;
}

/** Create takes no ephemeral containers: these come through their own subresource. */
export function validatePodCreate(pod: Pod): FieldError[] {
  const errors = validatePod(pod);
  if ((pod.spec.ephemeralContainers ?? []).length > 0) {
    errors.push(forbiddenValue(specPath.child('ephemeralContainers'), 'cannot be set on create'));
  }
  return errors;
}

/** A pod template, such as a Deployment's. */
export function checkPodTemplate(template: PodTemplateSpec, path: FieldPath, errors: FieldErrors): void {
  const metadata: ObjectMeta = template.metadata ?? {};
  errors.push(...validateLabels(metadata.labels, path.child('labels')));
  errors.push(...validateAnnotations(metadata.annotations, path.child('annotations')));
  const spec = template.spec ?? { containers: [] };
  checkPodSpec(spec, path.child('spec'), { isPod: false }, errors);
  if ((spec.ephemeralContainers ?? []).length > 0) {
    const at = path.child('spec', 'ephemeralContainers');
    errors.push(forbiddenValue(at, 'ephemeral containers not allowed in pod template'));
  }
}

export function checkPodSpec(spec: PodSpec, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  const volumes = checkVolumes(spec.volumes, path.child('volumes'), errors);
  checkPodResources(spec, path, errors);
  const context = { spec, volumes, options };
  checkContainers(spec.containers, path.child('containers'), context, errors);
  checkInitContainers(spec.initContainers, path.child('initContainers'), context, errors);
  checkEphemeralContainers(spec.ephemeralContainers, path.child('ephemeralContainers'), context, errors);
  checkOneOf(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], path.child('restartPolicy'), errors);
  checkDns(spec, path, errors);
  if (spec.nodeSelector !== undefined) errors.push(...validateLabels(spec.nodeSelector, path.child('nodeSelector')));
  checkPodSecurityContext(spec, path, options, errors);
  if (spec.affinity !== undefined) checkAffinity(spec.affinity, path.child('affinity'), errors);
  checkGates(spec, path, errors);
  checkTopologySpread(spec.topologySpreadConstraints, path.child('topologySpreadConstraints'), errors);
  checkNames(spec, path, errors);
  checkTolerations(spec.tolerations, path.child('tolerations'), errors);
  checkRest(spec, path, errors);
}

function checkGates(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  for (const [index, gate] of (spec.readinessGates ?? []).entries()) {
    const at = path.child('readinessGates').index(index).child('conditionType');
    checkMessages(isQualifiedName(gate.conditionType), gate.conditionType, at, errors);
  }
  const names = new Set<string>();
  for (const [index, gate] of (spec.schedulingGates ?? []).entries()) {
    const at = path.child('schedulingGates').index(index);
    checkMessages(isQualifiedName(gate.name), gate.name, at.child('name'), errors);
    if (names.has(gate.name)) errors.push(duplicateValue(at.child('name'), gate.name));
    names.add(gate.name);
  }
}

/** Fields that name other objects or the pod's host name. */
function checkNames(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const subdomains = ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const;
  for (const field of subdomains) {
    const value = spec[field];
    if (value !== undefined && value !== '') checkMessages(isDns1123Subdomain(value), value, path.child(field), errors);
    if (field === 'nodeName') checkDeadline(spec, path, errors);
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const value = spec[field];
    if (value !== undefined && value !== '') checkMessages(isDns1123Label(value), value, path.child(field), errors);
  }
}

function checkDeadline(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const seconds = spec.activeDeadlineSeconds;
  if (seconds === undefined || (seconds >= 1 && seconds <= INT32_MAX)) return;
  const detail = `must be between 1 and ${INT32_MAX}, inclusive`;
  errors.push(invalidValue(path.child('activeDeadlineSeconds'), seconds, detail));
}

function checkRest(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    const at = path.child('hostAliases').index(index);
    checkMessages(isIpAddress(alias.ip), alias.ip, at.child('ip'), errors);
    for (const [position, name] of (alias.hostnames ?? []).entries()) {
      checkMessages(isDns1123Subdomain(name), name, at.child('hostnames').index(position), errors);
    }
  }
  const grace = spec.terminationGracePeriodSeconds;
  if (grace !== undefined && grace < 0) {
    errors.push(invalidValue(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than or equal to 0'));
  }
  const policies = ['Never', 'PreemptLowerPriority'];
  checkOptionalOneOf(spec.preemptionPolicy, policies, path.child('preemptionPolicy'), errors);
  if (spec.overhead !== undefined) checkResourceList(spec.overhead, path.child('overhead'), errors);
  if (spec.os !== undefined) {
    const at = path.child('os', 'name');
    if (spec.os.name === '') errors.push(required(at, 'cannot be empty'));
    else checkOptionalOneOf(spec.os.name, ['linux', 'windows'], at, errors);
  }
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if ((secret.name ?? '') === '')
      errors.push(required(path.child('imagePullSecrets').index(index).child('name'), ''));
  }
}
