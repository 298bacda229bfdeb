import { duplicateValue, forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { PodSpec, SecurityContext } from '../../../../generated/types.ts';
import { checkOptionalOneOf, type FieldErrors, INT32_MAX } from '../../../../validation/basics.ts';
import type { PodSpecOptions } from './options.ts';
import { checkAppArmor, checkSeccomp } from './security-profiles.ts';
import { checkWindowsOptions } from './windows.ts';

const hostNamespaces = [
  ['hostNetwork', 'hostNetwork'],
  ['hostPID', 'HostPID'],
  ['hostIPC', 'HostIPC'],
] as const;

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
    // The paths are spelled as upstream does.
    for (const [field, name] of hostNamespaces) {
      if (spec[field] === true) errors.push(forbiddenValue(path.child(name), 'when `pod.Spec.HostUsers` is false'));
    }
  }
  if (context === undefined) return;
  checkId(context.fsGroup, at.child('fsGroup'), errors);
  checkId(context.runAsUser, at.child('runAsUser'), errors);
  checkId(context.runAsGroup, at.child('runAsGroup'), errors);
  for (const [index, group] of (context.supplementalGroups ?? []).entries()) {
    checkId(group, at.child('supplementalGroups').index(index), errors);
  }
  checkSysctls(spec, at.child('sysctls'), errors);
  const policies = ['Always', 'OnRootMismatch'];
  checkOptionalOneOf(context.fsGroupChangePolicy, policies, at.child('fsGroupChangePolicy'), errors);
  checkOptionalOneOf(
    context.supplementalGroupsPolicy,
    ['Merge', 'Strict'],
    at.child('supplementalGroupsPolicy'),
    errors,
  );
  // `MountOption` needs a gate that is off by default.
  checkOptionalOneOf(context.seLinuxChangePolicy, ['Recursive'], at.child('seLinuxChangePolicy'), errors);
  checkSeccomp(context.seccompProfile, at.child('seccompProfile'), errors);
  checkWindowsOptions(context.windowsOptions, at.child('windowsOptions'), errors);
  checkAppArmor(context.appArmorProfile, at.child('appArmorProfile'), errors);
}

/** In the host's network a container's port is the host's port. */
function checkHostNetworkPorts(spec: PodSpec, path: FieldPath, options: PodSpecOptions, errors: FieldErrors): void {
  for (const [index, container] of spec.containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if ((port.hostPort ?? 0) === 0 && !options.isPod) continue;
      if (port.hostPort === port.containerPort) continue;
      const at = path.child('containers').index(index).child('ports').index(position).child('hostPort');
      errors.push(invalidValue(at, port.hostPort ?? 0, 'must match `containerPort` when `hostNetwork` is true'));
    }
  }
}

function checkId(id: number | undefined, path: FieldPath, errors: FieldErrors): void {
  if (id === undefined || (id >= 0 && id <= INT32_MAX)) return;
  errors.push(invalidValue(path, id, `must be between 0 and ${INT32_MAX}, inclusive`));
}

const SYSCTL_SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const SYSCTL_PATTERN = `^(${SYSCTL_SEGMENT}[\\./])*${SYSCTL_SEGMENT}$`;
const sysctlPattern = new RegExp(SYSCTL_PATTERN);
const SYSCTL_LENGTH_MAX = 253;
/** Kernel parameters of the namespaces that a pod may share with its host. */
const ipcSysctl =
  /^(kernel\.(shmall|shmmax|shmmni|shm_rmid_forced|msgmax|msgmnb|msgmni|sem|msg.*|shm.*)|fs\.mqueue\..*)$/;

function checkSysctls(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const sysctls = spec.securityContext?.sysctls;
  if (sysctls === undefined) return;
  const names = new Set<string>();
  for (const [index, { name = '' }] of sysctls.entries()) {
    const at = path.index(index).child('name');
    if (name === '') errors.push(required(at, ''));
    else if (name.length > SYSCTL_LENGTH_MAX || !sysctlPattern.test(name)) {
      const detail = `must have at most ${SYSCTL_LENGTH_MAX} characters and match regex ${SYSCTL_PATTERN}`;
      errors.push(invalidValue(at, name, detail));
    } else if (names.has(name)) errors.push(duplicateValue(at, name));
    const dotted = name.replaceAll('/', '.');
    if (spec.hostNetwork === true && dotted.startsWith('net.')) {
      errors.push(invalidValue(at, name, "may not be specified when 'hostNetwork' is true"));
    } else if (spec.hostIPC === true && ipcSysctl.test(dotted)) {
      errors.push(invalidValue(at, name, "may not be specified when 'hostIPC' is true"));
    }
    names.add(name);
  }
}

/** A container's own security context. */
export function checkSecurityContext(
  context: SecurityContext | undefined,
  path: FieldPath,
  spec: PodSpec,
  errors: FieldErrors,
): void {
  if (context === undefined) return;
  checkId(context.runAsUser, path.child('runAsUser'), errors);
  checkId(context.runAsGroup, path.child('runAsGroup'), errors);
  checkOptionalOneOf(context.procMount, ['Default', 'Unmasked'], path.child('procMount'), errors);
  if (context.procMount === 'Unmasked' && spec.hostUsers !== false) {
    errors.push(invalidValue(path.child('procMount'), 'Unmasked', '`hostUsers` must be false to use `Unmasked`'));
  }
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
  checkWindowsOptions(context.windowsOptions, path.child('windowsOptions'), errors);
  checkAppArmor(context.appArmorProfile, path.child('appArmorProfile'), errors);
}
