import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ImageError } from './errors.ts';
import type { ImageConfig } from './oci-types.ts';
import { type ArchivedImage, readArchive } from './read-archive.ts';
import { normalizeReference, parseReference } from './reference.ts';
import { fetchImage, type RegistryAuth } from './registry.ts';
import { unpackLayer } from './unpack-layer.ts';

/** An image that is unpacked and ready to run from. */
export interface StoredImage {
  /** Digest of the config: `sha256:…`. */
  readonly id: string;
  /** With registry and tag. */
  readonly names: readonly string[];
  /** `registry/repository@sha256:…`. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  readonly sizeBytes: number;
  /** The unpacked file system; never written to. */
  readonly rootfs: string;
}

interface Record {
  readonly id: string;
  readonly names: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
}

/**
 * Images of the process runtime: one folder an image with its config and unpacked file system, and one index of names.
 * One process writes it; another may add images by `load` while it runs, because the index is read anew each time.
 */
export class ImageStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Loads every image of an OCI layout or docker-archive tar; resolves to their names. */
  async load(archive: string): Promise<string[]> {
    await stat(archive).catch((cause: unknown) => {
      throw new ImageError('invalid-archive', `cannot load ${archive}: no such file`, { cause });
    });
    await mkdir(this.#directory, { recursive: true });
    const scratch = await mkdtemp(join(this.#directory, '.load-'));
    try {
      const images = await readArchive(archive, scratch);
      const names: string[] = [];
      for (const image of images) {
        await this.#add(image, scratch);
        names.push(...image.names);
      }
      if (names.length === 0) throw new ImageError('invalid-archive', `${archive} names no image`);
      return names;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  /** Downloads an image from its registry; resolves to its id. Fails with `ImageError`. */
  async pull(reference: string, options: { auth?: RegistryAuth; signal?: AbortSignal } = {}): Promise<string> {
    await mkdir(this.#directory, { recursive: true });
    const scratch = await mkdtemp(join(this.#directory, '.pull-'));
    try {
      return await this.#add(await fetchImage(reference, { ...options, scratch }), scratch);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  /** By name in any form, by digest of the config, or by `name@digest`. */
  async find(reference: string): Promise<StoredImage | undefined> {
    const records = await this.#readIndex();
    const wanted = normalizeReference(reference);
    const digest = parseReference(reference)?.digest;
    const record = records.find(
      ({ id, names, repoDigests }) =>
        id === reference ||
        id === `sha256:${reference}` ||
        (wanted !== undefined && names.includes(wanted)) ||
        (digest !== undefined && repoDigests.some((repoDigest) => repoDigest.endsWith(`@${digest}`))),
    );
    return record === undefined ? undefined : await this.#open(record);
  }

  async list(): Promise<StoredImage[]> {
    return await Promise.all((await this.#readIndex()).map((record) => this.#open(record)));
  }

  /** Removes an image by any of its references; nothing happens where it is not there. */
  async remove(reference: string): Promise<void> {
    const image = await this.find(reference);
    if (image === undefined) return;
    const records = await this.#readIndex();
    await this.#writeIndex(records.filter(({ id }) => id !== image.id));
    await rm(this.#folder(image.id), { recursive: true, force: true });
  }

  get directory(): string {
    return this.#directory;
  }

  async #add(image: ArchivedImage, scratch: string): Promise<string> {
    const configBytes = await readFile(image.configPath);
    const id = `sha256:${createHash('sha256').update(configBytes).digest('hex')}`;
    const folder = this.#folder(id);
    const isKnown = await stat(folder).then(
      () => true,
      () => false,
    );
    if (!isKnown) {
      // Built beside and renamed: a folder that exists is complete.
      const building = await mkdtemp(join(scratch, 'image-'));
      const rootfs = join(building, 'rootfs');
      await mkdir(rootfs, { mode: 0o755 });
      const keepOwners = process.getuid?.() === 0;
      for (const path of image.layerPaths) await unpackLayer(createReadStream(path), rootfs, { keepOwners });
      await writeFile(join(building, 'config.json'), configBytes);
      await rename(building, folder);
    }
    await this.#record(image, id, configBytes.length);
    return id;
  }

  async #record(image: ArchivedImage, id: string, configBytes: number): Promise<void> {
    const layers = await Promise.all(image.layerPaths.map((path) => stat(path)));
    const sizeBytes = layers.reduce((sum, { size }) => sum + size, configBytes);
    const repositories = new Set([
      ...image.names.map((name) => name.replace(/:[^:/]*$/, '')),
      ...(image.repository === undefined ? [] : [image.repository]),
    ]);
    const repoDigests =
      image.manifestDigest === undefined ? [] : [...repositories].map((each) => `${each}@${image.manifestDigest}`);
    const known = await this.#readIndex();
    const same = known.find((record) => record.id === id);
    // A name belongs to one image: the last that was loaded with it.
    const others = known
      .filter((record) => record.id !== id)
      .map((record) => ({ ...record, names: record.names.filter((name) => !image.names.includes(name)) }));
    await this.#writeIndex([
      ...others,
      {
        id,
        names: [...new Set([...(same?.names ?? []), ...image.names])],
        repoDigests: [...new Set([...(same?.repoDigests ?? []), ...repoDigests])],
        sizeBytes,
      },
    ]);
  }

  async #open(record: Record): Promise<StoredImage> {
    const folder = this.#folder(record.id);
    const text = await readFile(join(folder, 'config.json'), 'utf8');
    // Safe: written by #add from an image's config; readers treat its fields as optional.
    return { ...record, config: JSON.parse(text) as ImageConfig, rootfs: join(folder, 'rootfs') };
  }

  async #readIndex(): Promise<Record[]> {
    const names: string[] = await readdir(this.#directory).catch(() => []);
    if (!names.includes('index.json')) return [];
    // Safe: the file is this class's own.
    return JSON.parse(await readFile(join(this.#directory, 'index.json'), 'utf8')) as Record[];
  }

  async #writeIndex(records: readonly Record[]): Promise<void> {
    const path = join(this.#directory, 'index.json');
    await writeFile(`${path}.new`, JSON.stringify(records, null, 1));
    await rename(`${path}.new`, path);
  }

  #folder(id: string): string {
    return join(this.#directory, id.replace(':', '-'));
  }
}
