import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { extract } from 'tar-stream';

import { decompress } from './decompress.ts';
import { ImageError } from './errors.ts';
import { type Descriptor, hostArchitecture, type ImageIndex, type ImageManifest, MEDIA_TYPES } from './oci-types.ts';
import { normalizeReference } from './reference.ts';

/** An image found in an archive; paths are of files in the scratch directory. */
export interface ArchivedImage {
  readonly names: readonly string[];
  readonly configPath: string;
  readonly layerPaths: readonly string[];
  /** Where it came from, without tag; known for images of a registry. */
  readonly repository?: string;
  /** Absent in docker archives. */
  readonly manifestDigest?: string;
}

// An index or manifest names a few dozen blobs.
const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** Unpacks an OCI layout or docker-archive tar into `scratch` and finds its images for this machine. */
export async function readArchive(archive: string, scratch: string): Promise<ArchivedImage[]> {
  const files = await extractFiles(archive, scratch);
  if (files.has('index.json')) return await readOciLayout(files);
  if (files.has('manifest.json')) return await readDockerArchive(files);
  throw new ImageError('invalid-archive', `${archive} is neither an OCI layout nor a docker archive`);
}

/** Archive paths and where their content is; links become the files they point at. */
async function extractFiles(archive: string, scratch: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const links = new Map<string, string>();
  const parser = extract();
  const feeding = decompress(createReadStream(archive)).then((source) => pipeline(source, parser));
  feeding.catch(() => parser.destroy());
  try {
    for await (const entry of parser) {
      const name = entry.header.name.replace(/^\.\//, '');
      // Safe: entries are streams of buffers, which the types of tar-stream do not tell.
      const content = entry as unknown as Readable;
      if (entry.header.type === 'file') {
        // Names of an archive never become paths on this machine.
        const path = join(scratch, createHash('sha256').update(name).digest('hex'));
        await pipeline(content, createWriteStream(path, { mode: 0o600 }));
        files.set(name, path);
      } else {
        if (entry.header.type === 'symlink' || entry.header.type === 'link')
          links.set(name, entry.header.linkname ?? '');
        content.resume();
      }
    }
  } finally {
    await feeding.catch((cause: unknown) => {
      throw new ImageError(
        'invalid-archive',
        `cannot read ${archive}: ${cause instanceof Error ? cause.message : ''}`,
        {
          cause,
        },
      );
    });
  }
  for (const [name, target] of links) {
    // Old docker archives link equal layers: `ID/layer.tar -> ../OTHER/layer.tar`.
    const path = files.get(target.replace(/^(\.\.\/)+/, ''));
    if (path !== undefined) files.set(name, path);
  }
  return files;
}

async function readOciLayout(files: ReadonlyMap<string, string>): Promise<ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  // Safe: the fields used below are checked where they are used.
  const index = (await readJson(files, 'index.json')) as ImageIndex;
  for (const descriptor of index.manifests ?? []) {
    const chosen = await choosePlatform(files, descriptor);
    if (chosen === undefined) continue;
    // Safe: as above.
    const manifest = (await readJson(files, blobPath(chosen))) as ImageManifest;
    images.push({
      names: namesOf(descriptor),
      manifestDigest: chosen.digest,
      configPath: fileOf(files, blobPath(manifest.config)),
      layerPaths: manifest.layers.map((layer) => fileOf(files, blobPath(layer))),
    });
  }
  return images;
}

async function choosePlatform(
  files: ReadonlyMap<string, string>,
  descriptor: Descriptor,
): Promise<Descriptor | undefined> {
  const isIndex = descriptor.mediaType === MEDIA_TYPES.index || descriptor.mediaType === MEDIA_TYPES.dockerManifestList;
  if (!isIndex) return descriptor;
  // Safe: an index by its media type.
  const nested = (await readJson(files, blobPath(descriptor))) as ImageIndex;
  const present = nested.manifests.filter((manifest) => files.has(blobPath(manifest)));
  const architecture = hostArchitecture();
  return present.find(
    ({ platform }) => platform === undefined || (platform.os === 'linux' && platform.architecture === architecture),
  );
}

async function readDockerArchive(files: ReadonlyMap<string, string>): Promise<ArchivedImage[]> {
  const manifests = await readJson(files, 'manifest.json');
  if (!Array.isArray(manifests)) throw new ImageError('invalid-archive', 'manifest.json is not a list');
  // Safe: docker writes these three fields; what is missing fails by name below.
  return (manifests as { Config: string; RepoTags: string[] | null; Layers: string[] }[]).map((manifest) => ({
    names: (manifest.RepoTags ?? []).flatMap((tag) => normalizeReference(tag) ?? []),
    configPath: fileOf(files, manifest.Config),
    layerPaths: manifest.Layers.map((layer) => fileOf(files, layer)),
  }));
}

function namesOf(descriptor: Descriptor): string[] {
  const annotations = descriptor.annotations ?? {};
  const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  const normalized = name === undefined ? undefined : normalizeReference(name);
  return normalized === undefined ? [] : [normalized];
}

function blobPath(descriptor: Descriptor): string {
  return `blobs/${descriptor.digest.replace(':', '/')}`;
}

function fileOf(files: ReadonlyMap<string, string>, name: string): string {
  const path = files.get(name);
  if (path === undefined) throw new ImageError('invalid-archive', `the archive has no ${name}`);
  return path;
}

async function readJson(files: ReadonlyMap<string, string>, name: string): Promise<unknown> {
  const bytes = await readFile(fileOf(files, name));
  if (bytes.length > DOCUMENT_BYTES_MAX) throw new ImageError('invalid-archive', `${name} is too large`);
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw new ImageError('invalid-archive', `${name} is not JSON`, { cause });
  }
}
