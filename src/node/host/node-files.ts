import {
  chmod,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { type FileInfo, hasCode, type HostFiles, type OpenedFile } from './host.ts';

/** The files of this machine, on any operating system that node runs on. */
export class NodeFiles implements HostFiles {
  // Names of temporary files need only differ within this process and directory.
  #sequence = 0;

  async read(path: string): Promise<Uint8Array> {
    return readFile(path);
  }

  async open(path: string): Promise<OpenedFile> {
    const file = await open(path, 'r');
    const close = () => file.close();
    return {
      info: async () => fileInfo(await file.stat()),
      read: async (offset, length) => {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  async write(path: string, data: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
    const file = await open(path, 'w', options.mode ?? 0o644);
    try {
      await file.writeFile(data);
      // The process's umask must not decide what a pod may read.
      if (options.mode !== undefined) await file.chmod(options.mode);
    } finally {
      await file.close();
    }
  }

  async writeAtomic(path: string, data: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
    this.#sequence += 1;
    const temporary = `${path}.${process.pid}.${this.#sequence}.tmp`;
    try {
      await this.write(temporary, data, options);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async makeDirectory(path: string, options: { mode?: number } = {}): Promise<void> {
    const created = await mkdir(path, { recursive: true });
    if (options.mode !== undefined && created !== undefined) await chmod(path, options.mode);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to);
  }

  async symlink(target: string, path: string): Promise<void> {
    await symlink(target, path);
  }

  async readLink(path: string): Promise<string> {
    return readlink(path);
  }

  async list(path: string): Promise<string[]> {
    return (await readdir(path)).sort();
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    return present(() => stat(path));
  }

  async lstat(path: string): Promise<FileInfo | undefined> {
    return present(() => lstat(path));
  }

  async realPath(path: string): Promise<string> {
    return realpath(path);
  }

  async chmod(path: string, mode: number): Promise<void> {
    await chmod(path, mode);
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    try {
      await lchown(path, uid, gid);
    } catch (error) {
      // Without root only the owner's own groups can be given; the pod then runs as the same user anyway.
      if (!hasCode(error, 'EPERM') && !hasCode(error, 'ENOSYS')) throw error;
    }
  }
}

async function present(ask: () => Promise<Stats>): Promise<FileInfo | undefined> {
  try {
    return fileInfo(await ask());
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

function fileInfo(stats: Stats): FileInfo {
  return {
    type: fileType(stats),
    sizeBytes: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    inode: stats.ino,
    device: stats.dev,
  };
}

function fileType(stats: Stats): FileInfo['type'] {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isSocket()) return 'socket';
  if (stats.isCharacterDevice()) return 'char';
  if (stats.isBlockDevice()) return 'block';
  return stats.isFIFO() ? 'fifo' : 'file';
}
