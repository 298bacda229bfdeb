import type { Pod } from '#api/generated/types.ts';

/** The volumes of a node's pods. Level-triggered: `prepare` may be called at any time and brings everything up to date. */
export interface PodVolumes {
  /** Makes all volumes of the pod ready and refreshes their contents. Throws a `VolumeError` where one cannot be. */
  prepare(pod: Pod, addresses: { podIps: readonly string[]; hostIps: readonly string[] }): Promise<PreparedVolumes>;
  /** Unmounts and removes everything of the pod. */
  release(uid: string): Promise<void>;
  /** Uids of pods that have something on this node, for cleaning up after a crash. */
  list(): Promise<string[]>;
}

export interface PreparedVolumes {
  /** By volume name. */
  readonly mounts: ReadonlyMap<string, PreparedVolume>;
  /** Contents go stale at this time (tokens): prepare again by then. */
  readonly refreshAtMs?: number;
}

export interface PreparedVolume {
  /** A file or directory on the host. */
  readonly hostPath: string;
  /** Whatever the mount says, containers may not write. */
  readonly isReadOnly: boolean;
}

/** A volume cannot be made ready now. */
export class VolumeError extends Error {
  readonly code = 'Volume';
  readonly volume: string;

  constructor(volume: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeError';
    this.volume = volume;
  }
}
