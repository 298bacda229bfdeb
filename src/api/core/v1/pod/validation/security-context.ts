import { duplicateValue, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile, SecurityContext } from '../../../../generated/types.ts';
import { checkOptionalOneOf, type FieldErrors, INT32_MAX } from '../../../../validation/basics.ts';
import { checkDescendingPath } from './paths.ts';
import type { PodSpecOptions } from './options.ts';

export function checkPodSecurityContext(
  spec: PodSpec,
  path: FieldPath,
  options: PodSpecOptions,
  errors: FieldErrors,
): void {
  if (spec.hostNetwork === true) checkHostNetworkPorts(spec, path, options, errors);
  const context = spec.securityContext;
  const at = path.child('securityContext');
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const detail = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalidValue(at.child('shareProcessNamespace'), true, detail));
  }
  if (spec.hostUsers === false) {
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
      if (spec[field] === true) {
        errors.push(forbiddenValue(path.child(field), 'when `hostUsers` is false'));
      }
    }
  }
  if (context === undefined) return;
  checkId(context.fsGroup, at.child('fsGroup'), errors);
  checkId(context.runAsUser, at.child('runAsUser'), errors);
  checkId(context.runAsGroup, at.child('runAsGroup'), errors);
  for (const [index, group] of (context.supplementalGroups ?? []).entries()) {
    checkId(group, at.child('supplementalGroups').index(index), errors);
  }
  checkSysctls(context.sysctls, at.child('sysctls'), errors);
  const policies = ['Always', 'OnRootMismatch'];
  checkOptionalOneOf(context.fsGroupChangePolicy, policies, at.child('fsGroupChangePolicy'), errors);
  checkOptionalOneOf(
    context.supplementalGroupsPolicy,
    ['Merge', 'Strict'],
    at.child('supplementalGroupsPolicy'),
    errors,
  );
  checkSeccomp(context.seccompProfile, at.child('seccompProfile'), errors);
  checkAppArmor(context.appArmorProfile, at.child('appArmorProfile'), errors);
}

/** In the host's network a container's port is the host's port. */
function checkHostNetworkPorts(spec: PodSpec, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  for (const [index, container] of spec.containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if ((port.hostPort ?? 0) === 0 && !options.isPod) continue;
      if (port.hostPort === port.containerPort) continue;
      const at = path.child('containers').index(index).child('ports').index(position).child('containerPort');
      errors.push(invalidValue(at, port.containerPort, 'must match `hostPort` when `hostNetwork` is true'));
    }
  }
}

function checkId(id: number | undefined, path: FieldPath, errors: FieldErrors): void {
  if (id === undefined || (id >= 0 && id <= INT32_MAX)) return;
  errors.push(invalidValue(path, id, `must be between 0 and ${INT32_MAX}, inclusive`));
}

const sysctlPattern = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const SYSCTL_LENGTH_MAX = 253;

function checkSysctls(
  sysctls: readonly { name: string; value: string }[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (sysctls === undefined) return;
  const names = new Set<string>();
  for (const [index, { name }] of sysctls.entries()) {
    const at = path.index(index).child('name');
    if ((name ?? '') === '') errors.push(required(at, ''));
    else if (name.length > SYSCTL_LENGTH_MAX || !sysctlPattern.test(name)) {
      const detail = `must have at most ${SYSCTL_LENGTH_MAX} characters and match regex ${sysctlPattern.source}`;
      errors.push(invalidValue(at, name, detail));
    } else if (names.has(name)) {
      errors.push(duplicateValue(at, name));
    }
    names.add(name);
  }
}

function checkSeccomp(profile: SeccompProfile | undefined, path: FieldPath, errors: FieldErrors): void {
  if (profile === undefined) return;
  checkProfile(profile, path, { types: ['Localhost', 'RuntimeDefault', 'Unconfined'], errors });
  if (profile.type === 'Localhost' && (profile.localhostProfile ?? '') !== '') {
    checkDescendingPath(profile.localhostProfile ?? '', path.child('localhostProfile'), errors);
  }
}

function checkAppArmor(profile: AppArmorProfile | undefined, path: FieldPath, errors: FieldErrors): void {
  if (profile !== undefined) {
    checkProfile(profile, path, { types: ['Localhost', 'RuntimeDefault', 'Unconfined'], errors });
  }
}

function checkProfile(
  profile: { type: string; localhostProfile?: string },
  path: FieldPath,
  { types, errors }: { types: readonly string[]; errors: FieldErrors },
): void {
  const at = path.child('localhostProfile');
  if ((profile.type ?? '') === '')
    errors.push(required(path.child('type'), 'type is required when seccompProfile is set'));
  else if (!types.includes(profile.type)) errors.push(notSupported(path.child('type'), profile.type, types));
  else if (profile.type === 'Localhost') {
    if ((profile.localhostProfile ?? '') === '') {
      errors.push(required(at, 'must be set when seccomp type is Localhost'));
    }
  } else if (profile.localhostProfile !== undefined) {
    errors.push(invalidValue(at, profile, 'can only be set when seccomp type is Localhost'));
  }
}

/** A container's own security context. */
export function checkSecurityContext(context: SecurityContext | undefined, path: FieldPath, errors: FieldErrors): void {
  if (context === undefined) return;
  checkId(context.runAsUser, path.child('runAsUser'), errors);
  checkId(context.runAsGroup, path.child('runAsGroup'), errors);
  checkOptionalOneOf(context.procMount, ['Default', 'Unmasked'], path.child('procMount'), errors);
  checkSeccomp(context.seccompProfile, path.child('seccompProfile'), errors);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true) {
      const detail = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
      errors.push(invalidValue(path, context, detail));
    }
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true) {
      const detail = 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN';
      errors.push(invalidValue(path, context, detail));
    }
  }
  checkAppArmor(context.appArmorProfile, path.child('appArmorProfile'), errors);
}
