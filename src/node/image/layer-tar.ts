import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { type Pack, pack } from 'tar-stream';

/** One path of a layer that is made up and not read from a disk. */
export type LayerEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly type: 'file'; readonly path: string; readonly content: Uint8Array | string; readonly mode?: number }
  | { readonly type: 'symlink' | 'link'; readonly path: string; readonly target: string }
  | { readonly type: 'fifo'; readonly path: string; readonly mode?: number };

// One time for everything: the same input gives the same digest.
// oxlint-disable-next-line no-restricted-globals -- tar-stream takes a Date, and this one is a constant
const MODIFIED = { mtime: new Date(0) };

/** A layer of the given entries, in their order; parents must come before children. Owner is root. */
export function packEntries(entries: readonly LayerEntry[]): Pack {
  const archive = pack();
  for (const entry of entries) {
    switch (entry.type) {
      case 'directory':
        archive.entry({ name: `${entry.path}/`, type: 'directory', mode: entry.mode ?? 0o755, ...MODIFIED });
        break;
      case 'file':
        archive.entry({ name: entry.path, mode: entry.mode ?? 0o644, ...MODIFIED }, Buffer.from(entry.content));
        break;
      case 'symlink':
      case 'link':
        archive.entry({ name: entry.path, type: entry.type, linkname: entry.target, mode: 0o777, ...MODIFIED });
        break;
      case 'fifo':
        archive.entry({ name: entry.path, type: 'fifo', mode: entry.mode ?? 0o644, ...MODIFIED });
        break;
    }
  }
  archive.finalize();
  return archive;
}

/**
 * A layer of everything below `directory`, in name order, owned by root whatever the owner on disk. Sockets and devices
 * are left out. The returned stream fails where a file changes its size while it is read.
 */
export function packDirectory(directory: string): Pack {
  const archive = pack();
  addChildren(archive, directory, '').then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return archive;
}

async function addChildren(archive: Pack, directory: string, prefix: string): Promise<void> {
  const names = (await readdir(directory)).sort();
  for (const name of names) {
    const path = join(directory, name);
    const entryName = `${prefix}${name}`;
    const info = await lstat(path);
    const mode = info.mode & 0o7777;
    if (info.isDirectory()) {
      archive.entry({ name: `${entryName}/`, type: 'directory', mode, ...MODIFIED });
      await addChildren(archive, path, `${entryName}/`);
    } else if (info.isSymbolicLink()) {
      archive.entry({ name: entryName, type: 'symlink', linkname: await readlink(path), mode, ...MODIFIED });
    } else if (info.isFIFO()) {
      archive.entry({ name: entryName, type: 'fifo', mode, ...MODIFIED });
    } else if (info.isFile()) {
      await pipeline(createReadStream(path), archive.entry({ name: entryName, size: info.size, mode, ...MODIFIED }));
    }
  }
}
