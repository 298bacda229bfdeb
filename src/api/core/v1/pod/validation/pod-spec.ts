import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  required,
  tooLong,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { ObjectMeta } from '#machinery/meta/types.ts';
import { validateAnnotations, validateLabels } from '#machinery/validation/metadata.ts';
import { isDns1123Label, isDns1123Subdomain, isIpAddress, isQualifiedName } from '#machinery/validation/names.ts';
import type { Pod, PodResourceClaim, PodSpec, PodTemplateSpec } from '../../../../generated/types.ts';
import {
  checkMessages,
  checkOneOf,
  checkOptionalOneOf,
  type FieldErrors,
  INT32_MAX,
} from '../../../../validation/basics.ts';
import { checkAffinity } from './affinity.ts';
import { checkPodAnnotations, isDeletionCost } from './annotations.ts';
import { checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts';
import { checkDns } from './dns.ts';
import type { PodSpecOptions } from './options.ts';
import { checkPodResources, checkResourceList } from './resources.ts';
import { checkPodSecurityContext } from './security-context.ts';
import { checkProfilesMatch } from './security-profiles.ts';
import { checkTolerations } from './tolerations.ts';
import { checkTopologySpread } from './topology-spread.ts';
import { checkVolumes } from './volumes.ts';
import { checkHostProcess, checkOperatingSystem } from './windows.ts';

const specPath = new FieldPath('spec');
const annotationsPath = new FieldPath('metadata').child('annotations');

/** The whole of a pod but its metadata, as on create and on each update. */
export function validatePod(pod: Pod, current?: Pod): FieldError[] {
  const errors: FieldErrors = [];
  const { spec, metadata } = pod;
  const allowsOldDeletionCost = current !== undefined && !isDeletionCost(current.metadata.annotations);
  const options = { isPod: true, podName: metadata.name ?? '', allowsOldDeletionCost };
  checkPodAnnotations(metadata.annotations, { spec, path: annotationsPath, options }, errors);
  checkPodSpec(spec, specPath, options, errors);
  if ((spec.serviceAccountName ?? '') === '') checkNoTokens(spec, errors);
  return errors;
}

/** Without an account there is nobody to make tokens for. */
function checkNoTokens(spec: PodSpec, errors: FieldErrors): void {
  for (const [index, { projected }] of (spec.volumes ?? []).entries()) {
    for (const [position, source] of (projected?.sources ?? []).entries()) {
      if (source.serviceAccountToken === undefined) continue;
      const at = specPath.child('volumes').index(index).child('projected', 'sources').index(position);
      const detail = 'must not be specified when serviceAccountName is not set';
      errors.push(forbiddenValue(at.child('serviceAccountToken'), detail));
    }
  }
}

/** Create takes no ephemeral containers: these come through their own subresource. */
export function validatePodCreate(pod: Pod): FieldError[] {
  const errors = validatePod(pod);
  if ((pod.spec.ephemeralContainers ?? []).length > 0) {
    errors.push(forbiddenValue(specPath.child('ephemeralContainers'), 'cannot be set on create'));
  }
  if ((pod.spec.nodeName ?? '') !== '' && (pod.spec.schedulingGates ?? []).length > 0) {
    const detail = 'cannot be set until all schedulingGates have been cleared';
    errors.push(forbiddenValue(specPath.child('nodeName'), detail));
  }
  const { annotations } = pod.metadata;
  if (annotations !== undefined) checkProfilesMatch(annotations, pod.spec, specPath, errors);
  return errors;
}

/** A pod template, such as a Deployment's. */
export function checkPodTemplate(template: PodTemplateSpec, path: FieldPath, errors: FieldErrors): void {
  const metadata: ObjectMeta = template.metadata ?? {};
  errors.push(...validateLabels(metadata.labels, path.child('labels')));
  errors.push(...validateAnnotations(metadata.annotations, path.child('annotations')));
  const spec = template.spec ?? { containers: [] };
  const options = { isPod: false };
  const { annotations } = metadata;
  checkPodAnnotations(annotations, { spec, path: path.child('annotations'), options }, errors);
  checkPodSpec(spec, path.child('spec'), options, errors);
  if (annotations !== undefined) checkProfilesMatch(annotations, spec, path.child('spec'), errors);
  if ((spec.ephemeralContainers ?? []).length > 0) {
    const at = path.child('spec', 'ephemeralContainers');
    errors.push(forbiddenValue(at, 'ephemeral containers not allowed in pod template'));
  }
}

export function checkPodSpec(spec: PodSpec, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  const volumes = checkVolumes(spec.volumes, path.child('volumes'), options, errors);
  checkResourceClaims(spec.resourceClaims, path.child('resourceClaims'), errors);
  const context = { spec, volumes, options };
  checkContainers(spec.containers, path.child('containers'), context, errors);
  checkInitContainers(spec.initContainers, path.child('initContainers'), context, errors);
  checkEphemeralContainers(spec.ephemeralContainers, path.child('ephemeralContainers'), context, errors);
  checkPodResources(spec, path, errors);
  checkOneOf(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], path.child('restartPolicy'), errors);
  checkDns(spec, path, errors);
  if (spec.nodeSelector !== undefined) errors.push(...validateLabels(spec.nodeSelector, path.child('nodeSelector')));
  checkPodSecurityContext(spec, path, options, errors);
  if (spec.affinity !== undefined) checkAffinity(spec.affinity, path.child('affinity'), errors);
  checkGates(spec, path, errors);
  checkTopologySpread(spec.topologySpreadConstraints, path.child('topologySpreadConstraints'), errors);
  checkHostProcess(spec, path, errors);
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
    checkMessages(isQualifiedName(gate.name), gate.name, at, errors);
    if (names.has(gate.name)) errors.push(duplicateValue(at, gate.name));
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
    checkMessages(isIpAddress(alias.ip ?? ''), alias.ip ?? '', at.child('ip'), errors);
    for (const [position, name] of (alias.hostnames ?? []).entries()) {
      checkMessages(isDns1123Subdomain(name), name, at.child('hostnames').index(position), errors);
    }
  }
  if (spec.terminationGracePeriodSeconds === undefined) {
    errors.push(required(path.child('terminationGracePeriodSeconds'), ''));
  }
  const policies = ['PreemptLowerPriority', 'Never'];
  checkOptionalOneOf(spec.preemptionPolicy, policies, path.child('preemptionPolicy'), errors);
  if (spec.overhead !== undefined) checkResourceList(spec.overhead, path.child('overhead', 'limits'), errors);
  if (spec.hostnameOverride !== undefined) checkHostnameOverride(spec, path.child('hostnameOverride'), errors);
  if (spec.os !== undefined) checkOperatingSystem(spec, path, errors);
}

const HOSTNAME_LENGTH_MAX = 64;

/** A host name that takes the place of all others (KEP-4762). */
function checkHostnameOverride(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const name = spec.hostnameOverride ?? '';
  checkMessages(isDns1123Subdomain(name), name, path, errors);
  if (name.length > HOSTNAME_LENGTH_MAX) errors.push(tooLong(path, HOSTNAME_LENGTH_MAX));
  if (spec.setHostnameAsFQDN === true) {
    errors.push(forbiddenValue(path, 'may not be specified when setHostnameAsFQDN is true'));
  }
  if (spec.hostNetwork === true) errors.push(forbiddenValue(path, 'may not be specified when hostNetwork is true'));
}

function checkResourceClaims(
  claims: readonly PodResourceClaim[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (claims === undefined) return;
  const names = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    const at = path.index(index);
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (name === '') errors.push(required(at.child('name'), ''));
    else if (names.has(name)) errors.push(duplicateValue(at.child('name'), name));
    else checkMessages(isDns1123Label(name), name, at.child('name'), errors);
    names.add(name);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const detail = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified';
      errors.push(invalidValue(at, claim, detail));
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      const detail = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`';
      errors.push(invalidValue(at, claim, detail));
    }
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const value = claim[field];
      if (value !== undefined) checkMessages(isDns1123Subdomain(value), value, at.child(field), errors);
    }
  }
}
