import type { Pod, Volume } from '#api/generated/types.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { type Host, hasCode } from '../host/host.ts';
import { writeAtomically } from './atomic-writer.ts';
import { type PodVolumes, type PreparedVolume, type PreparedVolumes, VolumeError } from './contract.ts';
import { checkHostPath } from './host-path.ts';
import { setVolumeGroup } from './ownership.ts';
import { type PayloadSources, volumePayload } from './payload.ts';

export interface VolumesDeps {
  readonly host: Host;
  readonly clock: Clock;
  /** `/var/lib/kubelet/pods`. */
  readonly podsDirectory: string;
  /** What a pod may see of the API; addresses are its own as far as they are known. */
  readonly sources: (pod: Pod, addresses: { podIps: readonly string[]; hostIps: readonly string[] }) => PayloadSources;
  readonly onRelease?: (uid: string) => void;
}

/** The volumes of a node's pods under `PODS/UID/volumes/KIND/NAME`, as upstream lays them out. */
export class HostVolumes implements PodVolumes {
  readonly #deps: VolumesDeps;
  #versions = 0;

  constructor(deps: VolumesDeps) {
    this.#deps = deps;
  }

  async prepare(
    pod: Pod,
    addresses: { podIps: readonly string[]; hostIps: readonly string[] },
  ): Promise<PreparedVolumes> {
    const mounts = new Map<string, PreparedVolume>();
    const sources = this.#deps.sources(pod, addresses);
    let refreshAtMs: number | undefined;
    for (const volume of usedVolumes(pod)) {
      try {
        const prepared = await this.#prepareOne(pod, volume, sources);
        mounts.set(volume.name, prepared);
        if (prepared.refreshAtMs !== undefined) {
          refreshAtMs = Math.min(refreshAtMs ?? prepared.refreshAtMs, prepared.refreshAtMs);
        }
      } catch (error) {
        if (error instanceof VolumeError) throw error;
        const text = error instanceof Error ? error.message : String(error);
        throw new VolumeError(volume.name, text, { cause: error });
      }
    }
    return { mounts, ...(refreshAtMs === undefined ? {} : { refreshAtMs }) };
  }

  async release(uid: string): Promise<void> {
    const { host } = this.#deps;
    const directory = this.#directory(uid);
    for (const point of await host.mounts.listBelow(directory)) await host.mounts.unmount(point);
    await host.files.remove(`${directory}/volumes`);
    this.#deps.onRelease?.(uid);
  }

  async list(): Promise<string[]> {
    try {
      return await this.#deps.host.files.list(this.#deps.podsDirectory);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async #prepareOne(
    pod: Pod,
    volume: Volume,
    sources: PayloadSources,
  ): Promise<PreparedVolume & { refreshAtMs?: number }> {
    if (volume.hostPath !== undefined) {
      const problem = await checkHostPath(this.#deps.host.files, volume.hostPath);
      if (problem !== undefined) throw new VolumeError(volume.name, problem);
      return { hostPath: volume.hostPath.path, isReadOnly: false };
    }
    if (volume.emptyDir !== undefined) return this.#prepareEmptyDir(pod, volume);
    const payload = await volumePayload(sources, pod, volume);
    if (payload === undefined) {
      const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
      throw new VolumeError(volume.name, `volumes of kind ${kind} are not supported`);
    }
    const hostPath = this.#path(pod, volume);
    await this.#deps.host.files.makeDirectory(hostPath, { mode: 0o755 });
    const group = pod.spec.securityContext?.fsGroup;
    await writeAtomically(
      {
        files: this.#deps.host.files,
        versionName: () => this.#versionName(),
        own: (directory) => this.#own(directory, { group, isReadOnly: false }),
      },
      hostPath,
      payload.files,
    );
    const { refreshAtMs } = payload;
    return { hostPath, isReadOnly: true, ...(refreshAtMs === undefined ? {} : { refreshAtMs }) };
  }

  async #prepareEmptyDir(pod: Pod, volume: Volume): Promise<PreparedVolume> {
    const { files, mounts } = this.#deps.host;
    const hostPath = this.#path(pod, volume);
    const isNew = (await files.stat(hostPath)) === undefined;
    if (isNew) {
      await files.makeDirectory(hostPath);
      await files.chmod(hostPath, 0o777);
    }
    const { medium, sizeLimit } = volume.emptyDir ?? {};
    // Without the right to mount, memory is only a wish: the volume is then an ordinary directory.
    if (medium === 'Memory' && mounts.canMount && !(await mounts.listBelow(hostPath)).includes(hostPath)) {
      const sizeBytes = sizeLimit === undefined ? undefined : parseQuantity(sizeLimit).value();
      await mounts.tmpfs(hostPath, {
        mode: 0o777,
        ...(sizeBytes === undefined || sizeBytes === 0 ? {} : { sizeBytes }),
      });
    }
    const group = pod.spec.securityContext?.fsGroup;
    const policy = pod.spec.securityContext?.fsGroupChangePolicy;
    if (isNew) await this.#own(hostPath, { group, isReadOnly: false, policy });
    return { hostPath, isReadOnly: false };
  }

  async #own(
    directory: string,
    options: { group: number | undefined; isReadOnly: boolean; policy?: string | undefined },
  ): Promise<void> {
    const { group: fsGroup, isReadOnly, policy } = options;
    if (fsGroup === undefined) return;
    await setVolumeGroup(this.#deps.host.files, directory, { fsGroup, isReadOnly, policy });
  }

  /** Upstream's form, time first; a number keeps two versions of one second apart. */
  #versionName(): string {
    this.#versions += 1;
    return `..${Math.floor(this.#deps.clock.now())}.${this.#versions}`;
  }

  #path(pod: Pod, volume: Volume): string {
    return `${this.#directory(pod.metadata.uid ?? '')}/volumes/${kindDirectory(volume)}/${volume.name}`;
  }

  #directory(uid: string): string {
    return `${this.#deps.podsDirectory}/${uid}`;
  }
}

/** Volumes that no container mounts are not worth making, and must not keep the pod from starting. */
function usedVolumes(pod: Pod): Volume[] {
  const { spec } = pod;
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
  const used = new Set(containers.flatMap((one) => (one.volumeMounts ?? []).map((mount) => mount.name)));
  return (spec.volumes ?? []).filter((volume) => used.has(volume.name));
}

function kindDirectory(volume: Volume): string {
  if (volume.emptyDir !== undefined) return 'kubernetes.io~empty-dir';
  if (volume.configMap !== undefined) return 'kubernetes.io~configmap';
  if (volume.secret !== undefined) return 'kubernetes.io~secret';
  return volume.downwardAPI === undefined ? 'kubernetes.io~projected' : 'kubernetes.io~downward-api';
}
