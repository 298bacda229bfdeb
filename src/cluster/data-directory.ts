import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The layout that this version reads and writes; a directory of another one is refused, never converted silently. */
export const DATA_FORMAT = 1;

export class DataDirectoryError extends Error {
  readonly code = 'DataDirectory';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataDirectoryError';
  }
}

/** Where everything of one cluster lives. Short-lived things that need short paths (sockets) are in `runDirectory`. */
export interface DataDirectory {
  readonly root: string;
  /** Six hexadecimal digits that name this cluster's interfaces, cgroups and sockets. */
  readonly id: string;
  readonly pki: string;
  readonly store: string;
  readonly logs: string;
  readonly images: string;
  /** The admin's kubeconfig; the same context is merged into the user's own. */
  readonly kubeconfig: string;
  /** Which processes run this cluster. */
  readonly stateFile: string;
  /** Unix sockets must fit 107 bytes, so they do not live below `root`. */
  readonly runDirectory: string;
  node(name: string): string;
}

/** `/var/lib/tiphys` as root, else below `$XDG_DATA_HOME`. */
export function defaultDataDirectory(environment: NodeJS.ProcessEnv, uid: number | undefined): string {
  if (uid === 0) return '/var/lib/tiphys';
  return join(environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'tiphys');
}

/** Names the parts of a data directory without touching the disk. */
export function dataDirectoryAt(path: string, uid: number | undefined): DataDirectory {
  const root = resolve(path);
  const id = createHash('sha256').update(root).digest('hex').slice(0, 6);
  return {
    root,
    id,
    pki: join(root, 'pki'),
    store: join(root, 'store'),
    logs: join(root, 'logs'),
    images: join(root, 'images'),
    kubeconfig: join(root, 'admin.conf'),
    stateFile: join(root, 'cluster.json'),
    runDirectory: uid === 0 ? `/run/tiphys-${id}` : join('/tmp', `tiphys-${uid ?? 0}-${id}`),
    node: (name) => join(root, 'nodes', name),
  };
}

/**
 * Makes the directory (0700) or checks that it is one of this format. Throws `DataDirectoryError` with what to do for
 * a directory of something else, of another version, or that cannot be written.
 */
export function openDataDirectory(path: string, uid: number | undefined): DataDirectory {
  const directory = dataDirectoryAt(path, uid);
  const formatFile = join(directory.root, 'format');
  try {
    if (existsSync(formatFile)) {
      checkFormat(readFileSync(formatFile, 'utf8'), directory.root);
    } else {
      checkEmpty(directory.root);
      mkdirSync(directory.root, { recursive: true, mode: 0o700 });
      writeFileSync(`${formatFile}.tmp`, `tiphys ${DATA_FORMAT}\n`);
      renameSync(`${formatFile}.tmp`, formatFile);
    }
    chmodSync(directory.root, 0o700);
    for (const name of [directory.pki, directory.logs, directory.images]) {
      mkdirSync(name, { recursive: true, mode: 0o700 });
    }
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(`cannot use ${directory.root} as data directory: ${reason}`, { cause: error });
  }
  return directory;
}

function checkFormat(text: string, root: string): void {
  const match = /^tiphys (\d+)\s*$/.exec(text);
  if (match === null) {
    throw new DataDirectoryError(`${join(root, 'format')} is not of tiphys; choose another directory with --data-dir`);
  }
  if (Number(match[1]) === DATA_FORMAT) return;
  throw new DataDirectoryError(
    `${root} has data format ${match[1]}, and this version of tiphys uses format ${DATA_FORMAT}: ` +
      'run the version that made it, or choose another directory with --data-dir',
  );
}

function checkEmpty(root: string): void {
  if (!existsSync(root)) return;
  // A further server of a cluster is given the cluster's keys before its first start.
  const [first] = readdirSync(root).filter((name) => name !== 'pki');
  if (first === undefined) return;
  throw new DataDirectoryError(
    `${root} is not empty (it holds "${first}") and no data directory of tiphys; choose another with --data-dir`,
  );
}
