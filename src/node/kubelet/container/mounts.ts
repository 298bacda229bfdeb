import type { Container, Pod, VolumeMount } from '#api/generated/types.ts';
import type { Mount } from '../../runtime/contract.ts';
import { type PreparedVolume, VolumeError } from '../../volume/contract.ts';
import { resolveSubPath } from '../../volume/sub-path.ts';
import { podUid } from '../pod/pod.ts';
import type { PodServices } from '../pod/services.ts';
import { ContainerConfigError } from './errors.ts';
import { hostsFile, podHostname } from './network-files.ts';

export interface MountInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly environment: ReadonlyMap<string, string>;
  /** Absent where the node has no files of its own. */
  readonly volumes: ReadonlyMap<string, PreparedVolume> | undefined;
  readonly podIps: readonly string[];
}

const HOSTS_PATH = '/etc/hosts';

/** What the container sees of the host: its volumes, the managed hosts file and the file for its last words. */
export async function containerMounts(services: PodServices, input: MountInput): Promise<Mount[]> {
  const { pod, container, volumes } = input;
  if (volumes === undefined) return [];
  const mounts: Mount[] = [];
  for (const wanted of container.volumeMounts ?? []) {
    mounts.push(await volumeMount(services, input, { wanted, volume: volumes.get(wanted.name) }));
  }
  const hasOwnHosts = mounts.some((mount) => mount.containerPath === HOSTS_PATH);
  if (!hasOwnHosts && (input.podIps.length > 0 || pod.spec.hostNetwork === true)) {
    const hostPath = await writeHosts(services, pod, input.podIps);
    mounts.push({ containerPath: HOSTS_PATH, hostPath, readonly: false, propagation: 'PRIVATE' });
  }
  const path = container.terminationMessagePath ?? '/dev/termination-log';
  if (path !== '') mounts.push(await terminationLog(services, input, path));
  return mounts;
}

async function volumeMount(
  services: PodServices,
  input: MountInput,
  { wanted, volume }: { wanted: VolumeMount; volume: PreparedVolume | undefined },
): Promise<Mount> {
  if (volume === undefined) {
    const message = `cannot find volume "${wanted.name}" to mount into container "${input.container.name}"`;
    throw new ContainerConfigError(message);
  }
  const subPath = subPathOf(wanted, input.environment);
  let hostPath = volume.hostPath;
  if (subPath !== '') {
    try {
      hostPath = await resolveSubPath(services.host.files, volume.hostPath, subPath);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new VolumeError(
        wanted.name,
        `failed to prepare subPath for volumeMount "${wanted.name}" of container "${input.container.name}": ${text}`,
        { cause: error },
      );
    }
  }
  return {
    containerPath: absolute(wanted.mountPath),
    hostPath,
    readonly: wanted.readOnly === true || volume.isReadOnly,
    propagation: propagation(wanted.mountPropagation),
  };
}

/** Unlike in commands, a variable that is not known makes the path impossible. */
function subPathOf(mount: VolumeMount, environment: ReadonlyMap<string, string>): string {
  if (mount.subPathExpr === undefined || mount.subPathExpr === '') return mount.subPath ?? '';
  const missing: string[] = [];
  const expanded = mount.subPathExpr.replace(/\$(?:\$|\(([^)]*)\))/g, (_, name: string | undefined) => {
    if (name === undefined) return '$';
    const value = environment.get(name);
    if (value === undefined) missing.push(name);
    return value ?? '';
  });
  if (missing.length > 0) {
    throw new ContainerConfigError(`missing value for "${missing[0]}"`);
  }
  return expanded;
}

async function writeHosts(services: PodServices, pod: Pod, ips: readonly string[]): Promise<string> {
  const { files } = services.host;
  const path = `${services.paths.pods}/${podUid(pod)}/etc-hosts`;
  const isHostNetwork = pod.spec.hostNetwork === true;
  const nodeHosts = isHostNetwork ? await readOr(services, HOSTS_PATH) : '';
  const name = podHostname(pod, services.dns.clusterDomain);
  await files.makeDirectory(`${services.paths.pods}/${podUid(pod)}`, { mode: 0o750 });
  // In place and not by rename: containers that run already have this very file mounted.
  await files.write(path, hostsFile(pod, { ips, name, nodeHosts }), { mode: 0o644 });
  return path;
}

async function readOr(services: PodServices, path: string): Promise<string> {
  const info = await services.host.files.stat(path);
  return info === undefined ? '' : Buffer.from(await services.host.files.read(path)).toString();
}

async function terminationLog(services: PodServices, input: MountInput, containerPath: string): Promise<Mount> {
  const { files } = services.host;
  const directory = `${services.paths.pods}/${podUid(input.pod)}/containers/${input.container.name}`;
  await files.makeDirectory(directory, { mode: 0o750 });
  // One file an attempt, so that a restarted container starts with an empty one.
  const hostPath = `${directory}/${Buffer.from(services.random.bytes(4)).toString('hex')}`;
  await files.write(hostPath, '', { mode: 0o666 });
  return { containerPath, hostPath, readonly: false, propagation: 'PRIVATE' };
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function propagation(mode: string | undefined): Mount['propagation'] {
  if (mode === 'HostToContainer') return 'HOST_TO_CONTAINER';
  return mode === 'Bidirectional' ? 'BIDIRECTIONAL' : 'PRIVATE';
}
