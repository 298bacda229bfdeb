import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  Volume,
  VolumeProjection,
} from '#api/generated/types.ts';
import type { ProjectedFile } from './atomic-writer.ts';
import { VolumeError } from './contract.ts';
import type { PodTokens } from './tokens.ts';

/** What volumes of API data are made of; the kubelet answers for its pods. */
export interface PayloadSources {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  /** One item of the downward API as text. */
  downward(pod: Pod, item: DownwardAPIVolumeFile): string;
  readonly tokens: PodTokens;
}

export interface PayloadResult {
  readonly files: Map<string, ProjectedFile>;
  readonly refreshAtMs?: number;
}

const DEFAULT_MODE = 0o644;

/** The files of a configMap, secret, downwardAPI or projected volume; undefined for other kinds. */
export async function volumePayload(
  sources: PayloadSources,
  pod: Pod,
  volume: Volume,
): Promise<PayloadResult | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const build = new PayloadBuilder(sources, pod, volume.name);
  if (configMap !== undefined) {
    await build.addConfigMap({ ...configMap, name: configMap.name ?? '' }, configMap.defaultMode ?? DEFAULT_MODE);
  } else if (secret !== undefined) {
    await build.addSecret({ ...secret, name: secret.secretName ?? '' }, secret.defaultMode ?? DEFAULT_MODE);
  } else if (downwardAPI !== undefined) {
    build.addDownward(downwardAPI.items ?? [], downwardAPI.defaultMode ?? DEFAULT_MODE);
  } else if (projected !== undefined) {
    for (const source of projected.sources ?? [])
      await build.addProjection(source, projected.defaultMode ?? DEFAULT_MODE);
  } else {
    return undefined;
  }
  return build.result;
}

interface KeyedSource {
  name: string;
  items?: KeyToPath[];
  optional?: boolean;
}

class PayloadBuilder {
  readonly #sources: PayloadSources;
  readonly #pod: Pod;
  readonly #volume: string;
  readonly #files = new Map<string, ProjectedFile>();
  #refreshAtMs: number | undefined;

  constructor(sources: PayloadSources, pod: Pod, volume: string) {
    this.#sources = sources;
    this.#pod = pod;
    this.#volume = volume;
  }

  get result(): PayloadResult {
    const refreshAtMs = this.#refreshAtMs;
    return { files: this.#files, ...(refreshAtMs === undefined ? {} : { refreshAtMs }) };
  }

  async addConfigMap(source: KeyedSource, mode: number): Promise<void> {
    const namespace = this.#pod.metadata.namespace ?? '';
    const found = await this.#sources.configMap(namespace, source.name);
    if (found === undefined && source.optional !== true) throw this.#error(`configmap "${source.name}" not found`);
    const data = new Map<string, Uint8Array>();
    for (const [key, text] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(text));
    for (const [key, text] of Object.entries(found?.binaryData ?? {})) data.set(key, Buffer.from(text, 'base64'));
    this.#addKeys(data, { source, mode, what: 'configmap' });
  }

  async addSecret(source: KeyedSource, mode: number): Promise<void> {
    const namespace = this.#pod.metadata.namespace ?? '';
    const found = await this.#sources.secret(namespace, source.name);
    if (found === undefined && source.optional !== true) throw this.#error(`secret "${source.name}" not found`);
    const data = new Map<string, Uint8Array>();
    for (const [key, text] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(text, 'base64'));
    this.#addKeys(data, { source, mode, what: 'secret' });
  }

  addDownward(items: readonly DownwardAPIVolumeFile[], mode: number): void {
    for (const item of items) {
      const data = Buffer.from(this.#sources.downward(this.#pod, item));
      this.#files.set(item.path, { data, mode: item.mode ?? mode });
    }
  }

  async addProjection(source: VolumeProjection, mode: number): Promise<void> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    if (configMap !== undefined) await this.addConfigMap({ ...configMap, name: configMap.name ?? '' }, mode);
    if (secret !== undefined) await this.addSecret({ ...secret, name: secret.name ?? '' }, mode);
    if (downwardAPI !== undefined) this.addDownward(downwardAPI.items ?? [], mode);
    if (serviceAccountToken !== undefined) await this.#addToken(serviceAccountToken, mode);
    if (source.clusterTrustBundle !== undefined && source.clusterTrustBundle.optional !== true) {
      throw this.#error('clusterTrustBundle projections are not supported');
    }
    if (source.podCertificate !== undefined) throw this.#error('podCertificate projections are not supported');
  }

  async #addToken(wanted: NonNullable<VolumeProjection['serviceAccountToken']>, defaultMode: number): Promise<void> {
    let token: Awaited<ReturnType<PodTokens['get']>>;
    try {
      token = await this.#sources.tokens.get(this.#pod, wanted);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new VolumeError(this.#volume, `failed to fetch token: ${text}`, { cause: error });
    }
    this.#refreshAtMs = Math.min(this.#refreshAtMs ?? token.refreshAtMs, token.refreshAtMs);
    // A pod whose containers all run as one user keeps its token from the others; a group may read where there is one.
    const user = soleUser(this.#pod);
    const hasGroup = this.#pod.spec.securityContext?.fsGroup !== undefined;
    const mode = hasGroup || user !== undefined ? 0o600 : defaultMode;
    this.#files.set(wanted.path, {
      data: Buffer.from(token.text),
      mode,
      ...(user === undefined || hasGroup ? {} : { uid: user }),
    });
  }

  #addKeys(
    data: ReadonlyMap<string, Uint8Array>,
    { source, mode, what }: { source: KeyedSource; mode: number; what: string },
  ): void {
    if (source.items === undefined || source.items.length === 0) {
      for (const [key, bytes] of data) this.#files.set(key, { data: bytes, mode });
      return;
    }
    for (const item of source.items) {
      const bytes = data.get(item.key);
      if (bytes === undefined) {
        if (source.optional === true) continue;
        throw this.#error(
          `${what} references non-existent ${what === 'secret' ? 'secret' : 'config'} key: ${item.key}`,
        );
      }
      this.#files.set(item.path, { data: bytes, mode: item.mode ?? mode });
    }
  }

  #error(message: string): VolumeError {
    return new VolumeError(this.#volume, message);
  }
}

function soleUser(pod: Pod): number | undefined {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const users = new Set(containers.map((one) => one.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser));
  const [user] = users;
  return users.size === 1 ? user : undefined;
}
