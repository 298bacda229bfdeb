import type { HostFiles } from '../host/host.ts';

const SETGID = 0o2000;
const READ_WRITE = 0o660;
const READ_ONLY = 0o440;
const EXECUTE = 0o110;

/**
 * Gives a volume to a pod's fsGroup: everything below belongs to the group and is as open to it as to its owner, and new
 * files inherit the group. Links are left alone.
 */
export async function setVolumeGroup(
  files: HostFiles,
  root: string,
  options: { fsGroup: number; isReadOnly: boolean; policy?: string | undefined },
): Promise<void> {
  if (options.policy === 'OnRootMismatch') {
    const info = await files.lstat(root);
    const mask = options.isReadOnly ? READ_ONLY : READ_WRITE;
    const hasBits = info !== undefined && (info.mode & (mask | EXECUTE | SETGID)) === (mask | EXECUTE | SETGID);
    if (hasBits && info.gid === options.fsGroup) return;
  }
  await walk(files, root, options);
}

async function walk(files: HostFiles, path: string, options: { fsGroup: number; isReadOnly: boolean }): Promise<void> {
  const info = await files.lstat(path);
  if (info === undefined) return;
  await files.chown(path, -1, options.fsGroup);
  if (info.type === 'symlink') return;
  const isDirectory = info.type === 'directory';
  const bits = (options.isReadOnly ? READ_ONLY : READ_WRITE) | (isDirectory ? EXECUTE | SETGID : 0);
  if ((info.mode & bits) !== bits) await files.chmod(path, info.mode | bits);
  if (!isDirectory) return;
  for (const name of await files.list(path)) await walk(files, `${path}/${name}`, options);
}
