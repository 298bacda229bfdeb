import { constants } from 'node:fs';
import { chmod, copyFile, link, lchown, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Copies a folder with its modes, owners (as root) and links. Names of one file stay names of one file: a busybox image
 * is three hundred of them. Blocks are shared where the file system can.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  await copyFolder(from, to, { copied: new Map(), keepOwners: process.getuid?.() === 0 });
}

interface Copying {
  /** Copies of files with several names, by inode. */
  readonly copied: Map<number, string>;
  readonly keepOwners: boolean;
}

async function copyFolder(from: string, to: string, state: Copying): Promise<void> {
  const info = await lstat(from);
  await mkdir(to);
  for (const name of await readdir(from)) await copyEntry(join(from, name), join(to, name), state);
  if (state.keepOwners) await lchown(to, info.uid, info.gid);
  await chmod(to, info.mode & 0o7777);
}

async function copyEntry(from: string, to: string, state: Copying): Promise<void> {
  const info = await lstat(from);
  if (info.isDirectory()) {
    await copyFolder(from, to, state);
    return;
  }
  const earlier = info.nlink > 1 ? state.copied.get(info.ino) : undefined;
  if (earlier !== undefined) {
    await link(earlier, to);
    return;
  }
  if (info.isSymbolicLink()) await symlink(await readlink(from), to);
  else if (info.isFile()) await copyFile(from, to, constants.COPYFILE_FICLONE);
  else return;
  if (state.keepOwners) await lchown(to, info.uid, info.gid);
  // After the owner: changing it clears the set-id bits.
  if (info.isFile()) await chmod(to, info.mode & 0o7777);
  if (info.nlink > 1) state.copied.set(info.ino, to);
}
