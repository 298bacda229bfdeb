import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { type Pack, pack } from 'tar-stream';

import { decompress } from './decompress.ts';
import { ImageError } from './errors.ts';
import { type LayerEntry, packDirectory, packEntries } from './layer-tar.ts';
import {
  type Descriptor,
  hostArchitecture,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  type ImageRunConfig,
  MEDIA_TYPES,
} from './oci-types.ts';
import { formatReference, parseReference } from './reference.ts';

export type LayerSource =
  | { readonly type: 'directory'; readonly path: string }
  /** Plain, gzip or zstd. */
  | { readonly type: 'tar'; readonly path: string }
  | { readonly type: 'entries'; readonly entries: readonly LayerEntry[] };

/** What `tiphys image build` takes as flags. */
export interface ImageFlags {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  /** `8080` or `53/udp`. */
  readonly ports?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
}

/** tar-stream's archives are streams of another library: they can be iterated, and that is all `pipeline` needs. */
type LayerStream = AsyncIterable<Buffer>;

export interface BuildImageOptions {
  readonly source: LayerSource;
  readonly flags: ImageFlags;
  /** Any form: `web`, `localhost/web:1`. */
  readonly name: string;
  /** The OCI layout tar that is written. */
  readonly output: string;
  readonly architecture?: string;
}

export interface BuiltImage {
  /** With registry and tag. */
  readonly name: string;
  /** Digest of the image's config. */
  readonly id: string;
  readonly manifestDigest: string;
  readonly sizeBytes: number;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Builds an image of one layer, as an OCI layout tar that `loadImage`, `ctr`, `docker`, `podman` and `skopeo` read. The
 * same input gives the same digests. Fails with `ImageError`.
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImage> {
  const reference = parseReference(options.name);
  if (reference === undefined || reference.digest !== undefined) {
    throw new ImageError(
      'invalid-reference',
      `cannot build image ${JSON.stringify(options.name)}: invalid reference format`,
    );
  }
  const scratch = await mkdtemp(join(tmpdir(), 'tiphys-image-'));
  try {
    const layerPath = join(scratch, 'layer.tar');
    const layer = await writeLayer(await openSource(options.source), layerPath);
    const config = encode(imageConfig(options, layer.digest));
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: describe(MEDIA_TYPES.config, config),
      layers: [{ mediaType: MEDIA_TYPES.layer, ...layer }],
    };
    const manifestBytes = encode(manifest);
    const name = formatReference(reference);
    const index = indexOf(describe(MEDIA_TYPES.manifest, manifestBytes), { name, tag: reference.tag ?? 'latest' });
    await writeLayout(options.output, {
      index: encode(index),
      blobs: [config, manifestBytes],
      layer: { ...layer, path: layerPath },
      dockerManifest: encode([
        { Config: blobPath(manifest.config.digest), RepoTags: [name], Layers: [blobPath(layer.digest)] },
      ]),
    });
    const sizeBytes = layer.size + config.length + manifestBytes.length;
    return { name, id: manifest.config.digest, manifestDigest: digestOf(manifestBytes), sizeBytes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function openSource(source: LayerSource): Promise<LayerStream> {
  if (source.type === 'entries') return iterate(packEntries(source.entries));
  const info = await stat(source.path).catch((cause: unknown) => {
    throw new ImageError('invalid-source', `cannot read ${source.path}: no such file or directory`, { cause });
  });
  if (info.isDirectory()) return iterate(packDirectory(source.path));
  if (source.type === 'directory') throw new ImageError('invalid-source', `${source.path} is not a directory`);
  return await decompress(createReadStream(source.path));
}

async function* iterate(archive: Pack): AsyncGenerator<Buffer> {
  // Safe: tar-stream packs into buffers; its types do not say so.
  for await (const chunk of archive as AsyncIterable<Buffer>) yield chunk;
}

async function writeLayer(source: LayerStream, path: string): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  await pipeline(source, measure, createWriteStream(path));
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

function imageConfig(options: BuildImageOptions, diffId: string): ImageConfig {
  return {
    created: '1970-01-01T00:00:00Z',
    architecture: options.architecture ?? hostArchitecture(),
    os: 'linux',
    config: runConfig(options.flags),
    rootfs: { type: 'layers', diff_ids: [diffId] },
  };
}

function runConfig(flags: ImageFlags): ImageRunConfig {
  const env = flags.env ?? [];
  for (const pair of env) {
    if (!/^[^=]+=/.test(pair)) throw new ImageError('invalid-source', `environment variable ${pair} is not NAME=value`);
  }
  const hasPath = env.some((pair) => pair.startsWith('PATH='));
  return {
    Env: hasPath ? env : [DEFAULT_PATH, ...env],
    ...(flags.entrypoint === undefined ? {} : { Entrypoint: flags.entrypoint }),
    ...(flags.cmd === undefined ? {} : { Cmd: flags.cmd }),
    ...(flags.workdir === undefined ? {} : { WorkingDir: flags.workdir }),
    ...(flags.user === undefined ? {} : { User: flags.user }),
    ...(flags.labels === undefined ? {} : { Labels: flags.labels }),
    ...(flags.stopSignal === undefined ? {} : { StopSignal: flags.stopSignal }),
    ...(flags.ports === undefined ? {} : { ExposedPorts: exposedPorts(flags.ports) }),
  };
}

function exposedPorts(ports: readonly string[]): Record<string, object> {
  const exposed: Record<string, object> = {};
  for (const port of ports) {
    const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(port);
    if (match === null) throw new ImageError('invalid-source', `port ${port} is not NUMBER or NUMBER/PROTOCOL`);
    exposed[`${match[1]}/${match[2] ?? 'tcp'}`] = {};
  }
  return exposed;
}

function indexOf(manifest: Descriptor, names: { name: string; tag: string }): ImageIndex {
  const annotations = { 'io.containerd.image.name': names.name, 'org.opencontainers.image.ref.name': names.tag };
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [{ ...manifest, annotations }] };
}

interface Layout {
  readonly index: Buffer;
  readonly blobs: readonly Buffer[];
  readonly layer: { readonly path: string; readonly digest: string; readonly size: number };
  /** `manifest.json` for `docker load`, which before version 25 knows no OCI layouts. */
  readonly dockerManifest: Buffer;
}

async function writeLayout(output: string, layout: Layout): Promise<void> {
  const archive = pack();
  const file = await open(output, 'w');
  const written = pipeline(archive, file.createWriteStream());
  const add = (name: string, content: Buffer): void => {
    archive.entry({ name, mode: 0o644 }, content);
  };
  add('oci-layout', encode({ imageLayoutVersion: '1.0.0' }));
  add('index.json', layout.index);
  add('manifest.json', layout.dockerManifest);
  for (const blob of layout.blobs) add(blobPath(digestOf(blob)), blob);
  const entry = archive.entry({ name: blobPath(layout.layer.digest), size: layout.layer.size, mode: 0o644 });
  await Promise.race([pipeline(createReadStream(layout.layer.path), entry), written]);
  archive.finalize();
  await written.catch((cause: unknown) => {
    throw new ImageError('invalid-source', `cannot write ${basename(output)}`, { cause });
  });
}

function describe(mediaType: string, bytes: Buffer): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
