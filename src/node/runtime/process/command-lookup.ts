import { accessSync, constants, lstatSync, statSync } from 'node:fs';

import { resolveInRoot } from '../../image/root-path.ts';

/**
 * Finds a command as `execvp` inside the root file system would; the host path. Undefined where there is none: the
 * container cannot start then.
 */
export function findInRoot(
  root: string,
  command: string,
  options: { path: string; workingDirectory: string },
): string | undefined {
  const candidates = command.startsWith('/')
    ? [command]
    : command.includes('/')
      ? [`${options.workingDirectory}/${command}`]
      : options.path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${command}`);
  return candidates
    .flatMap((candidate) => resolveInRoot(root, candidate, { followLast: true }) ?? [])
    .find((path) => isProgram(path));
}

function isProgram(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined || !statSync(path).isFile()) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not executable.
    return false;
  }
}

/**
 * For containers that share the host's file system: words that name a path under one of the mounts are rewritten to
 * where the mount really is, in arguments and also inside of shell scripts. Longest mounts first.
 */
export function rewritePaths(text: string, mounts: readonly { containerPath: string; hostPath: string }[]): string {
  const ordered = [...mounts].sort((left, right) => right.containerPath.length - left.containerPath.length);
  let rewritten = text;
  for (const { containerPath, hostPath } of ordered) {
    const escaped = containerPath.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    // A path begins a word and ends it, or goes on with a slash.
    const pattern = new RegExp(`(^|[\\s"'=:;(<>])${escaped}(?=$|[\\s"':;)/<>&|])`, 'g');
    rewritten = rewritten.replace(pattern, (_match, before: string) => before + hostPath);
  }
  return rewritten;
}
