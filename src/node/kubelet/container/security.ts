import type { Container, Pod, SeccompProfile } from '#api/generated/types.ts';
import type {
  ContainerSecurityContext,
  Image,
  NamespaceOption,
  SandboxSecurityContext,
  SecurityProfile,
} from '../../runtime/contract.ts';
import { podFormat } from '../pod/pod.ts';
import { ContainerConfigError } from './errors.ts';

const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** The effective security settings: the container's own before the pod's before the image's. */
export function containerSecurity(
  pod: Pod,
  container: Container,
  options: { image: Image; targetId?: string },
): ContainerSecurityContext {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const { image, targetId } = options;
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  verifyNonRoot(pod, container, image);
  const isUnmasked = own.procMount === 'Unmasked' || own.privileged === true;
  return {
    ...(own.capabilities === undefined
      ? {}
      : { capabilities: { add: own.capabilities.add ?? [], drop: own.capabilities.drop ?? [] } }),
    privileged: own.privileged ?? false,
    namespaceOptions: namespaceOptions(pod, targetId),
    ...userOf(runAsUser, image),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    supplementalGroups: supplementalGroups(pod),
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: isUnmasked ? [] : MASKED_PATHS,
    readonlyPaths: isUnmasked ? [] : READONLY_PATHS,
    seccomp: own.privileged === true ? UNCONFINED : profile(own.seccompProfile ?? shared.seccompProfile),
  };
}

export function sandboxSecurity(pod: Pod): SandboxSecurityContext {
  const { runAsUser, runAsGroup } = pod.spec.securityContext ?? {};
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return {
    namespaceOptions: namespaceOptions(pod),
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    supplementalGroups: supplementalGroups(pod),
    readonlyRootfs: false,
    privileged: containers.some((one) => one.securityContext?.privileged === true),
    // The pause process needs little: it is held tighter than a pod may ask for its own containers.
    seccomp: { profileType: 'RuntimeDefault' },
  };
}

const UNCONFINED: SecurityProfile = { profileType: 'Unconfined' };

export function namespaceOptions(pod: Pod, targetId?: string): NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  const shared = shareProcessNamespace === true ? 'POD' : 'CONTAINER';
  const pid = hostPID === true ? 'NODE' : shared;
  return {
    network: hostNetwork === true ? 'NODE' : 'POD',
    pid: targetId === undefined ? pid : 'TARGET',
    ipc: hostIPC === true ? 'NODE' : 'POD',
    ...(targetId === undefined ? {} : { targetId }),
  };
}

function supplementalGroups(pod: Pod): number[] {
  const { supplementalGroups: groups = [], fsGroup } = pod.spec.securityContext ?? {};
  return [...new Set([...groups, ...(fsGroup === undefined ? [] : [fsGroup])])];
}

function userOf(runAsUser: number | undefined, image: Image): { runAsUser?: number; runAsUsername?: string } {
  if (runAsUser !== undefined) return { runAsUser };
  if (image.uid !== undefined) return { runAsUser: image.uid };
  return image.username === '' ? {} : { runAsUsername: image.username };
}

function verifyNonRoot(pod: Pod, container: Container, image: Image): void {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) !== true) return;
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const where = `(pod: "${podFormat(pod)}", container: ${container.name})`;
  if (runAsUser !== undefined) {
    if (runAsUser !== 0) return;
    throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`);
  }
  if (image.uid !== undefined ? image.uid === 0 : image.username === '') {
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  }
  if (image.uid === undefined) {
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    );
  }
}

function profile(wanted: SeccompProfile | undefined): SecurityProfile {
  switch (wanted?.type) {
    case 'RuntimeDefault':
      return { profileType: 'RuntimeDefault' };
    case 'Localhost':
      return {
        profileType: 'Localhost',
        ...(wanted.localhostProfile === undefined
          ? {}
          : { localhostRef: `/var/lib/kubelet/seccomp/${wanted.localhostProfile}` }),
      };
    default:
      return UNCONFINED;
  }
}
