import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { ImageError } from './errors.ts';
import { type Descriptor, hostArchitecture, type ImageIndex, type ImageManifest, MEDIA_TYPES } from './oci-types.ts';
import type { ArchivedImage } from './read-archive.ts';
import { formatReference, type ImageReference, parseReference } from './reference.ts';

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
}

// An index of many platforms is some ten kilobytes.
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
const ACCEPT = [
  MEDIA_TYPES.index,
  MEDIA_TYPES.manifest,
  MEDIA_TYPES.dockerManifestList,
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/**
 * Downloads an image for this machine from its registry (OCI distribution specification 1.1) into `scratch`. Every byte
 * is checked against its digest. Fails with `ImageError` in containerd's words, which end up in the pod's status.
 */
export async function fetchImage(
  text: string,
  options: { scratch: string; auth?: RegistryAuth; signal?: AbortSignal },
): Promise<ArchivedImage> {
  const reference = parseReference(text);
  if (reference === undefined) {
    throw new ImageError(
      'invalid-reference',
      `failed to parse image name ${JSON.stringify(text)}: invalid reference format`,
    );
  }
  const name = formatReference(reference);
  const registry = new RegistryClient(reference, options);
  try {
    const { manifest, digest } = await registry.manifest(reference.digest ?? reference.tag ?? 'latest');
    const configPath = await registry.blob(manifest.config);
    const layerPaths: string[] = [];
    for (const layer of manifest.layers) layerPaths.push(await registry.blob(layer));
    const repository = `${reference.registry}/${reference.repository}`;
    // By digest alone the image gets no name.
    const names = reference.tag === undefined ? [] : [`${repository}:${reference.tag}`];
    return { names, repository, configPath, layerPaths, manifestDigest: digest };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = cause instanceof ImageError ? cause.code : 'runtime';
    throw new ImageError(code, `failed to pull and unpack image ${JSON.stringify(name)}: ${reason}`, { cause });
  }
}

class RegistryClient {
  readonly #reference: ImageReference;
  readonly #options: { scratch: string; auth?: RegistryAuth; signal?: AbortSignal };
  #authorization: string | undefined;

  constructor(reference: ImageReference, options: { scratch: string; auth?: RegistryAuth; signal?: AbortSignal }) {
    this.#reference = reference;
    this.#options = options;
  }

  async manifest(tagOrDigest: string): Promise<{ manifest: ImageManifest; digest: string }> {
    const response = await this.#get(`manifests/${tagOrDigest}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (bytes.length > MANIFEST_BYTES_MAX) throw new ImageError('invalid-archive', 'manifest is too large');
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (tagOrDigest.startsWith('sha256:') && tagOrDigest !== digest) {
      throw new ImageError('invalid-archive', `manifest has digest ${digest} instead of ${tagOrDigest}`);
    }
    // Safe: fields are read as what the media type promises; what is missing fails below.
    const document = JSON.parse(bytes.toString()) as ImageManifest | ImageIndex;
    if (!('manifests' in document)) return { manifest: document, digest };
    const architecture = hostArchitecture();
    const chosen = document.manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
    );
    if (chosen === undefined)
      throw new ImageError('not-found', `no match for platform in manifest ${digest}: not found`);
    const { manifest } = await this.manifest(chosen.digest);
    // The digest by which people know the image is the index's.
    return { manifest, digest };
  }

  /** The path of the downloaded blob. */
  async blob(descriptor: Descriptor): Promise<string> {
    const path = join(this.#options.scratch, createHash('sha256').update(descriptor.digest).digest('hex'));
    const response = await this.#get(`blobs/${descriptor.digest}`);
    const hash = createHash('sha256');
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    if (response.body === null) await writeFile(path, '');
    else await pipeline(Readable.fromWeb(response.body), measure, createWriteStream(path, { mode: 0o600 }));
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== descriptor.digest) {
      throw new ImageError('invalid-archive', `blob has digest ${digest} instead of ${descriptor.digest}`);
    }
    return path;
  }

  async #get(path: string): Promise<Response> {
    const { registry, repository } = this.#reference;
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
    const isLocal = /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$/.test(host);
    const url = `${isLocal ? 'http' : 'https'}://${host}/v2/${repository}/${path}`;
    let response = await this.#fetch(url);
    if (response.status === 401) {
      this.#authorization = await this.#login(response.headers.get('www-authenticate') ?? '');
      response = await this.#fetch(url);
    }
    if (response.ok) return response;
    const name = formatReference(this.#reference);
    if (response.status === 401 || response.status === 403) {
      const why = 'pull access denied, repository does not exist or may require authorization';
      throw new ImageError('runtime', `failed to resolve reference ${JSON.stringify(name)}: ${why}`);
    }
    if (response.status === 404) {
      throw new ImageError('not-found', `failed to resolve reference ${JSON.stringify(name)}: ${name}: not found`);
    }
    throw new ImageError('runtime', `unexpected status from GET request to ${url}: ${response.status}`);
  }

  async #fetch(url: string, authorization = this.#authorization): Promise<Response> {
    const { signal } = this.#options;
    try {
      return await fetch(url, {
        headers: { Accept: ACCEPT, ...(authorization === undefined ? {} : { Authorization: authorization }) },
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      // fetch says only "fetch failed"; what failed is its cause.
      const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
      throw new ImageError('runtime', `failed to do request: Get ${JSON.stringify(url)}: ${reason}`, { cause });
    }
  }

  /** Answers a challenge: a token of the named service, or the password itself. */
  async #login(challenge: string): Promise<string | undefined> {
    const { auth } = this.#options;
    const basic =
      auth === undefined ? undefined : `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
    if (!/^bearer /i.test(challenge)) return basic;
    const parameters = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2] ?? '']));
    const realm = parameters.get('realm');
    if (realm === undefined || !URL.canParse(realm)) return basic;
    const url = new URL(realm);
    for (const name of ['service', 'scope']) {
      const value = parameters.get(name);
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const response = await this.#fetch(url.href, basic);
    if (!response.ok) return basic;
    const body: unknown = await response.json();
    const { token, access_token: accessToken } = Object.assign({ token: undefined, access_token: undefined }, body);
    const given: unknown = token ?? accessToken;
    return typeof given === 'string' ? `Bearer ${given}` : basic;
  }
}
