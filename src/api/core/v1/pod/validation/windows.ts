import { forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { byteLength, isDns1123Subdomain } from '#machinery/validation/names.ts';
import type {
  Container,
  EphemeralContainer,
  PodSpec,
  WindowsSecurityContextOptions,
} from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../../validation/basics.ts';

const CREDENTIAL_SPEC_KIB_MAX = 64;
const DOMAIN_LENGTH_MAX = 256;
const USER_LENGTH_MAX = 104;
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const domainName =
  /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

type VisitContainer = (container: Container | EphemeralContainer, path: FieldPath) => void;

/** All containers of a pod with their paths, in upstream's order. */
export function visitContainers(spec: PodSpec, path: FieldPath, visit: VisitContainer): void {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) visit(container, path.child(field).index(index));
  }
}

export function checkWindowsOptions(
  options: WindowsSecurityContextOptions | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined) {
    const at = path.child('gmsaCredentialSpecName');
    checkMessages(isDns1123Subdomain(gmsaCredentialSpecName), gmsaCredentialSpecName, at, errors);
  }
  if (gmsaCredentialSpec !== undefined) {
    const at = path.child('gmsaCredentialSpec');
    if (gmsaCredentialSpec === '') {
      errors.push(invalidValue(at, gmsaCredentialSpec, 'gmsaCredentialSpec cannot be an empty string'));
    } else if (byteLength(gmsaCredentialSpec) > CREDENTIAL_SPEC_KIB_MAX * 1024) {
      const detail = `gmsaCredentialSpec size must be under ${CREDENTIAL_SPEC_KIB_MAX} KiB`;
      errors.push(invalidValue(at, gmsaCredentialSpec, detail));
    }
  }
  if (runAsUserName === undefined) return;
  checkMessages(userNameMessages(runAsUserName), runAsUserName, path.child('runAsUserName'), errors);
}

/** `USER` or `DOMAIN\USER`. */
function userNameMessages(text: string): string[] {
  if (text === '') return ['runAsUserName cannot be an empty string'];
  if (/\p{Cc}/u.test(text)) return ['runAsUserName cannot contain control characters'];
  const parts = text.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts.at(-1) ?? '';
  const domain = parts.length === 2 ? parts[0] : undefined;
  const messages: string[] = [];
  if ((domain ?? '').length >= DOMAIN_LENGTH_MAX) {
    messages.push(`runAsUserName's Domain length must be under ${DOMAIN_LENGTH_MAX} characters`);
  }
  if (domain !== undefined && !netBiosName.test(domain) && !domainName.test(domain)) {
    messages.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') messages.push("runAsUserName's User cannot be empty");
  else if (user.length > USER_LENGTH_MAX) {
    messages.push(`runAsUserName's User length must not be longer than ${USER_LENGTH_MAX} characters`);
  }
  if (/^[. ]+$/.test(user)) messages.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    messages.push('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  }
  return messages;
}

/** Nearly no pod has any: a look without paths. */
function hasWindowsOptions(spec: PodSpec): boolean {
  const has = ({ securityContext }: Container | EphemeralContainer): boolean =>
    securityContext?.windowsOptions !== undefined;
  if (spec.securityContext?.windowsOptions !== undefined || spec.containers.some(has)) return true;
  return spec.initContainers?.some(has) === true || spec.ephemeralContainers?.some(has) === true;
}

/** Containers that are processes of the host come all together, and only in the host's network. */
export function checkHostProcess(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  if (!hasWindowsOptions(spec)) return;
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  let containers = 0;
  let hostProcesses = 0;
  visitContainers(spec, path, (container, at) => {
    containers++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (own ?? ofPod ?? false) hostProcesses++;
    if (ofPod === undefined || own === undefined || own === ofPod) return;
    const detail = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
    errors.push(invalidValue(at.child('securityContext', 'windowsOptions', 'hostProcess'), own, detail));
  });
  if (hostProcesses === 0) return;
  if (hostProcesses !== containers) {
    const detail = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    errors.push(invalidValue(path, '', detail));
  }
  if (spec.hostNetwork !== true) {
    const detail = 'hostNetwork must be true if pod contains any hostProcess containers';
    errors.push(invalidValue(path.child('hostNetwork'), false, detail));
  }
}

/** What a pod that names its operating system cannot ask for. */
export function checkOperatingSystem(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const name = spec.os?.name ?? '';
  if (name === '') errors.push(required(path.child('os', 'name'), 'cannot be empty'));
  else if (name === 'linux') checkLinux(spec, path, errors);
  else if (name === 'windows') checkWindows(spec, path, errors);
  else errors.push(notSupported(path.child('os'), name, ['linux', 'windows']));
}

function checkLinux(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const refuse = (at: FieldPath): void => {
    const detail = 'windows options cannot be set for a linux pod';
    errors.push(forbiddenValue(at.child('securityContext').child('windowsOptions'), detail));
  };
  if (spec.securityContext?.windowsOptions !== undefined) refuse(path);
  visitContainers(spec, path, (container, at) => {
    if (container.securityContext?.windowsOptions !== undefined) refuse(at);
  });
}

const notOfPods = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const notOfContainers = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

function checkWindows(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  const refuse = (at: FieldPath): void => void errors.push(forbiddenValue(at, 'cannot be set for a windows pod'));
  const context = spec.securityContext ?? {};
  for (const field of notOfPods) {
    if (context[field] !== undefined) refuse(path.child('securityContext').child(field));
  }
  for (const field of ['hostUsers', 'shareProcessNamespace'] as const) {
    if (spec[field] !== undefined) refuse(path.child(field));
  }
  for (const field of ['hostPID', 'hostIPC'] as const) if (spec[field] === true) refuse(path.child(field));
  visitContainers(spec, path, (container, at) => {
    for (const field of notOfContainers) {
      if (container.securityContext?.[field] !== undefined) refuse(at.child('securityContext').child(field));
    }
  });
}
