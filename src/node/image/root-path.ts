import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

// The kernel's own limit on links followed for one path.
const SYMLINKS_MAX = 40;

/**
 * The host path of `path` as seen by a process whose root directory is `root`: links are followed, and neither `..` nor
 * an absolute link leads out of `root`. Parts that do not exist are kept as they are. Undefined for a loop of links.
 */
export function resolveInRoot(root: string, path: string, options: { followLast: boolean }): string | undefined {
  let pending = split(path);
  let resolved: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const [part = '', ...rest] = pending;
    pending = rest;
    if (part === '..') {
      resolved = resolved.slice(0, -1);
      continue;
    }
    const candidate = join(root, ...resolved, part);
    const isFollowed = pending.length > 0 || options.followLast;
    const target = isFollowed ? linkTarget(candidate) : undefined;
    if (target === undefined) {
      resolved.push(part);
      continue;
    }
    links += 1;
    if (links > SYMLINKS_MAX) return undefined;
    if (target.startsWith('/')) resolved = [];
    pending = [...split(target), ...pending];
  }
  return join(root, ...resolved);
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function linkTarget(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}
