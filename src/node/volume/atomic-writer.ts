import { type HostFiles, hasCode } from '../host/host.ts';

export interface ProjectedFile {
  readonly data: Uint8Array;
  readonly mode: number;
  /** Owner, where it is not the volume's. */
  readonly uid?: number;
}

/** By path relative to the volume, without `..`. */
export type Payload = ReadonlyMap<string, ProjectedFile>;

const DATA_LINK = '..data';
const NEW_DATA_LINK = '..data_tmp';

export interface AtomicWriteDeps {
  readonly files: HostFiles;
  /** A name that no earlier version of the directory had. */
  readonly versionName: () => string;
  /** Applied to a version before readers see it: fsGroup ownership. */
  readonly own?: (directory: string) => Promise<void>;
}

/**
 * Puts a set of files into a directory so that readers see all of the old or all of the new ones: a version lies in a
 * directory of its own, `..data` links to it, and each visible name links through `..data`. Switching versions is one
 * rename. True where something changed.
 */
export async function writeAtomically(deps: AtomicWriteDeps, target: string, payload: Payload): Promise<boolean> {
  const { files } = deps;
  for (const path of payload.keys()) checkPath(path);
  const old = await currentVersion(files, target);
  if (old !== undefined && (await isUnchanged(files, `${target}/${old}`, payload))) {
    await linkNames(files, target, payload);
    return false;
  }
  const version = deps.versionName();
  await writeVersion(files, `${target}/${version}`, payload);
  await deps.own?.(`${target}/${version}`);
  await files.remove(`${target}/${NEW_DATA_LINK}`);
  await files.symlink(version, `${target}/${NEW_DATA_LINK}`);
  await files.rename(`${target}/${NEW_DATA_LINK}`, `${target}/${DATA_LINK}`);
  await linkNames(files, target, payload);
  await unlinkGone(files, target, payload);
  if (old !== undefined) await files.remove(`${target}/${old}`);
  return true;
}

function checkPath(path: string): void {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || path.startsWith('..')) {
    throw new Error(`invalid path: must be relative and must not contain or start with '..': ${path}`);
  }
}

async function currentVersion(files: HostFiles, target: string): Promise<string | undefined> {
  try {
    return await files.readLink(`${target}/${DATA_LINK}`);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function isUnchanged(files: HostFiles, directory: string, payload: Payload): Promise<boolean> {
  const present = await filesBelow(files, directory, '');
  if (present.length !== payload.size) return false;
  for (const path of present) {
    const wanted = payload.get(path);
    if (wanted === undefined) return false;
    const data = await files.read(`${directory}/${path}`);
    if (Buffer.compare(data, wanted.data) !== 0) return false;
  }
  return true;
}

async function filesBelow(files: HostFiles, directory: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  let names: string[];
  try {
    names = await files.list(directory);
  } catch (error) {
    // A crash between the link and its target: write it anew.
    if (hasCode(error, 'ENOENT')) return found;
    throw error;
  }
  for (const name of names) {
    const path = `${directory}/${name}`;
    const info = await files.lstat(path);
    if (info?.type === 'directory') found.push(...(await filesBelow(files, path, `${prefix}${name}/`)));
    else found.push(prefix + name);
  }
  return found;
}

async function writeVersion(files: HostFiles, directory: string, payload: Payload): Promise<void> {
  await files.makeDirectory(directory, { mode: 0o755 });
  for (const [path, file] of payload) {
    const full = `${directory}/${path}`;
    const parent = full.slice(0, full.lastIndexOf('/'));
    await files.makeDirectory(parent, { mode: 0o755 });
    await files.write(full, file.data, { mode: file.mode });
    if (file.uid !== undefined) await files.chown(full, file.uid, -1);
  }
}

/** The visible names: first parts of the paths, each a link through `..data`. */
async function linkNames(files: HostFiles, target: string, payload: Payload): Promise<void> {
  for (const name of firstParts(payload)) {
    if ((await files.lstat(`${target}/${name}`)) !== undefined) continue;
    await files.symlink(`${DATA_LINK}/${name}`, `${target}/${name}`);
  }
}

async function unlinkGone(files: HostFiles, target: string, payload: Payload): Promise<void> {
  const kept = firstParts(payload);
  for (const name of await files.list(target)) {
    if (name.startsWith('..') || kept.has(name)) continue;
    const path = `${target}/${name}`;
    if ((await files.lstat(path))?.type !== 'symlink') continue;
    if ((await files.readLink(path)).startsWith(`${DATA_LINK}/`)) await files.remove(path);
  }
}

function firstParts(payload: Payload): Set<string> {
  return new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
}
