import type { Pod } from '#api/generated/types.ts';
import type { PodSandboxConfig, PortMapping } from '../../runtime/contract.ts';
import { sandboxLabels } from '../pod/labels.ts';
import { podName, podNamespace, podUid } from '../pod/pod.ts';
import { type DnsOptions, podDns, podHostname } from './network-files.ts';
import { podCgroupPath } from './resources.ts';
import { sandboxSecurity } from './security.ts';

export interface SandboxOptions extends DnsOptions {
  readonly attempt: number;
  /** `/var/log/pods`. */
  readonly podLogsRoot: string;
  readonly cgroupRoot: string;
}

/** What the runtime must know to make the pod's sandbox. Throws where the pod's host name is impossible. */
export function sandboxConfig(pod: Pod, options: SandboxOptions): PodSandboxConfig {
  return {
    metadata: { name: podName(pod), uid: podUid(pod), namespace: podNamespace(pod), attempt: options.attempt },
    hostname: pod.spec.hostNetwork === true ? '' : podHostname(pod, options.clusterDomain).hostname,
    logDirectory: podLogDirectory(pod, options.podLogsRoot),
    dnsConfig: podDns(pod, options),
    portMappings: pod.spec.hostNetwork === true ? [] : portMappings(pod),
    labels: sandboxLabels(pod),
    annotations: pod.metadata.annotations ?? {},
    linux: {
      cgroupParent: podCgroupPath(pod, options.cgroupRoot),
      sysctls: Object.fromEntries(
        (pod.spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name.replaceAll('/', '.'), value]),
      ),
      securityContext: sandboxSecurity(pod),
    },
  };
}

export function podLogDirectory(pod: Pod, root: string): string {
  return `${root}/${podNamespace(pod)}_${podName(pod)}_${podUid(pod)}`;
}

export function portMappings(pod: Pod): PortMapping[] {
  const sidecars = (pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always');
  return [...sidecars, ...pod.spec.containers].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => port.hostPort !== undefined && port.hostPort !== 0)
      .map((port) => ({
        protocol: protocolOf(port.protocol),
        containerPort: port.containerPort,
        hostPort: port.hostPort ?? 0,
        hostIp: port.hostIP ?? '',
      })),
  );
}

function protocolOf(text: string | undefined): PortMapping['protocol'] {
  return text === 'UDP' || text === 'SCTP' ? text : 'TCP';
}
