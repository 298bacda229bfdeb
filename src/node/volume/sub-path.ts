import { type HostFiles, hasCode } from '../host/host.ts';

const LINKS_MAX = 40;

/**
 * The host path of a path inside a volume, made where it is missing. No link may lead out of the volume: each part is
 * looked at on its own, links are resolved against the volume's root, and the answer contains none.
 */
export async function resolveSubPath(files: HostFiles, volumeRoot: string, subPath: string): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) {
    throw new Error(`subPath "${subPath}" must be relative and must not contain '..'`);
  }
  const root = await files.realPath(volumeRoot);
  let at = root;
  const rest = parts(subPath);
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '..') {
      if (at === root) throw new Error(`subPath "${subPath}" is not within volume path "${volumeRoot}"`);
      at = at.slice(0, at.lastIndexOf('/'));
      continue;
    }
    const next = `${at}/${part}`;
    const info = await files.lstat(next);
    if (info?.type === 'symlink') {
      links += 1;
      if (links > LINKS_MAX) throw new Error(`subPath "${subPath}" has too many levels of symbolic links`);
      const target = await files.readLink(next);
      if (target.startsWith('/')) {
        // An absolute link means the host's root; it is followed only where that stays inside.
        if (target !== root && !target.startsWith(`${root}/`)) {
          throw new Error(`subPath "${subPath}" is not within volume path "${volumeRoot}"`);
        }
        at = root;
        rest.unshift(...parts(target.slice(root.length)));
      } else {
        rest.unshift(...parts(target));
      }
      continue;
    }
    if (info === undefined) await makePart(files, next);
    else if (info.type !== 'directory' && rest.length > 0) {
      throw new Error(`subPath "${subPath}" contains "${part}", which is not a directory`);
    }
    at = next;
  }
  return at;
}

async function makePart(files: HostFiles, path: string): Promise<void> {
  try {
    await files.makeDirectory(path, { mode: 0o750 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
