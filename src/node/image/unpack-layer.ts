import { createWriteStream, lstatSync } from 'node:fs';
import { chmod, chown, link, lstat, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { extract, type Header } from 'tar-stream';

import { decompress } from './decompress.ts';
import { ImageError } from './errors.ts';
import { resolveInRoot } from './root-path.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

export interface UnpackOptions {
  /** Owners are set as root only; without it all files are the user's. */
  readonly keepOwners: boolean;
}

/**
 * Applies one layer (plain, gzip or zstd tar) to a directory: files are replaced, whiteouts remove what lower layers
 * brought. No entry can reach outside of `root`. Devices and pipes are left out: bind mounts bring those that are needed.
 */
export async function unpackLayer(layer: Readable, root: string, options: UnpackOptions): Promise<void> {
  const archive = extract();
  const source = await decompress(layer);
  const feeding = pipeline(source, archive).catch((cause: unknown) => {
    throw new ImageError('invalid-archive', `cannot unpack a layer: ${String(cause)}`, { cause });
  });
  feeding.catch(() => archive.destroy());
  const added = new Set<string>();
  try {
    for await (const entry of archive) {
      // Safe: entries are streams of buffers, which the types of tar-stream do not tell.
      await applyEntry(entry.header, entry as unknown as Readable, { root, added, options });
    }
  } finally {
    // A failed archive ends the loop early; the cause is the feeder's.
    await feeding;
  }
}

interface Target {
  readonly root: string;
  /** Paths of this layer, which an opaque marker of the same layer must not remove. */
  readonly added: Set<string>;
  readonly options: UnpackOptions;
}

async function applyEntry(header: Header, content: Readable, target: Target): Promise<void> {
  const path = placeOf(header.name, target.root);
  const name = basename(path);
  if (path === target.root || name === '') {
    content.resume();
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  if (name === OPAQUE) await emptyDirectory(dirname(path), target.added);
  else if (name.startsWith(WHITEOUT)) {
    await rm(join(dirname(path), name.slice(WHITEOUT.length)), { recursive: true, force: true });
  } else {
    await writeEntry(header, content, { path, target });
    target.added.add(path);
  }
  content.resume();
}

async function writeEntry(header: Header, content: Readable, place: { path: string; target: Target }): Promise<void> {
  const { path, target } = place;
  const mode = (header.mode ?? 0o755) & 0o7777;
  switch (header.type) {
    case 'directory':
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
        await rm(path, { force: true });
        await mkdir(path);
      }
      // Its owner must be able to add to it and remove it, whatever the image says.
      await chmod(path, target.options.keepOwners ? mode : mode | 0o700);
      break;
    case 'symlink':
      await replace(path);
      await symlink(header.linkname ?? '', path);
      return;
    case 'link':
      await replace(path);
      await link(placeOf(header.linkname ?? '', target.root), path);
      return;
    case 'file':
    case 'contiguous-file':
    case undefined:
    case null:
      await replace(path);
      await pipeline(content, createWriteStream(path, { mode: 0o600 }));
      await setOwner(path, header, target.options);
      // After the owner: changing it clears the set-id bits.
      await chmod(path, target.options.keepOwners ? mode : (mode & 0o777) | 0o400);
      return;
    default:
      return;
  }
  await setOwner(path, header, target.options);
}

async function setOwner(path: string, header: Header, options: UnpackOptions): Promise<void> {
  if (options.keepOwners) await chown(path, header.uid ?? 0, header.gid ?? 0);
}

async function replace(path: string): Promise<void> {
  const info = await lstat(path).catch(() => undefined);
  if (info !== undefined) await rm(path, { recursive: true, force: true });
}

async function emptyDirectory(path: string, added: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(path)) {
    const child = join(path, name);
    if (!added.has(child)) await rm(child, { recursive: true, force: true });
  }
}

function placeOf(name: string, root: string): string {
  const path = resolveInRoot(root, name, { followLast: false });
  if (path === undefined) throw new ImageError('invalid-archive', `cannot unpack ${name}: too many links`);
  return path;
}
