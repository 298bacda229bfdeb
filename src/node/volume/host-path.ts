import type { HostPathVolumeSource } from '#api/generated/types.ts';
import type { FileInfo, HostFiles } from '../host/host.ts';

const WANTED: Record<string, { type: FileInfo['type']; what: string }> = {
  Directory: { type: 'directory', what: 'a directory' },
  DirectoryOrCreate: { type: 'directory', what: 'a directory' },
  File: { type: 'file', what: 'a file' },
  FileOrCreate: { type: 'file', what: 'a file' },
  Socket: { type: 'socket', what: 'a socket file' },
  CharDevice: { type: 'char', what: 'a character device' },
  BlockDevice: { type: 'block', what: 'a block device' },
};

/** Checks that the host has what the volume says, and makes it where the type says so. Undefined: all is well. */
export async function checkHostPath(files: HostFiles, source: HostPathVolumeSource): Promise<string | undefined> {
  const { path, type = '' } = source;
  if (type === '') return undefined;
  const wanted = WANTED[type];
  if (wanted === undefined) return `hostPath type check failed: ${type} is an invalid volume type`;
  const info = await files.stat(path);
  if (info === undefined) {
    if (type === 'DirectoryOrCreate') await files.makeDirectory(path, { mode: 0o755 });
    else if (type === 'FileOrCreate') await files.write(path, '', { mode: 0o644 });
    else return `hostPath type check failed: ${path} is not ${wanted.what}`;
    return undefined;
  }
  return info.type === wanted.type ? undefined : `hostPath type check failed: ${path} is not ${wanted.what}`;
}
