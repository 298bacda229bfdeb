import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { findProgram } from '../find-program.ts';

const run = promisify(execFile);

/**
 * `root`: mount, pid, ipc and uts namespaces and a root directory of its own, made by root. `user`: the same inside a
 * user namespace, without root. `none`: a plain process of the host in its own directory.
 */
export type IsolationLevel = 'root' | 'user' | 'none';

export interface Isolation {
  readonly level: IsolationLevel;
  /** Whether a container's file system is an overlay over its image (else a copy of it). */
  readonly hasOverlay: boolean;
  /** Full paths of the host's programs that launch scripts call. */
  readonly tools: Tools;
}

export interface Tools {
  readonly sh: string;
  readonly env: string;
  readonly unshare?: string;
  readonly nsenter?: string;
  readonly mount?: string;
  readonly setpriv?: string;
  readonly chroot?: string;
  readonly script?: string;
}

/** Tries in `directory` what this machine allows; costs some ten milliseconds, once. */
export async function probeIsolation(directory: string, path: string): Promise<Isolation> {
  const tools = findTools(path);
  const candidates: IsolationLevel[] = process.getuid?.() === 0 ? ['root', 'user'] : ['user'];
  for (const level of process.platform === 'linux' ? candidates : []) {
    for (const hasOverlay of [true, false]) {
      if (await canIsolate(level, hasOverlay, { directory, tools })) return { level, hasOverlay, tools };
    }
  }
  return { level: 'none', hasOverlay: false, tools };
}

/** The `unshare` options of a level, from which the command of the new namespaces follows. */
export function unshareOptions(level: IsolationLevel): string[] {
  const user = level === 'user' ? ['--user', '--map-root-user'] : [];
  return [...user, '--mount', '--uts', '--ipc', '--pid'];
}

function findTools(path: string): Tools {
  const optional = (name: string): Record<string, string> => {
    const program = findProgram(name, path);
    return program === undefined ? {} : { [name]: program };
  };
  return {
    sh: findProgram('sh', path) ?? '/bin/sh',
    env: findProgram('env', path) ?? '/usr/bin/env',
    ...Object.assign({}, ...['unshare', 'nsenter', 'mount', 'setpriv', 'chroot', 'script'].map(optional)),
  };
}

async function canIsolate(
  level: IsolationLevel,
  hasOverlay: boolean,
  place: { directory: string; tools: Tools },
): Promise<boolean> {
  const { unshare, mount, nsenter, sh } = place.tools;
  if (unshare === undefined || mount === undefined || nsenter === undefined) return false;
  await mkdir(place.directory, { recursive: true });
  const scratch = await mkdtemp(join(place.directory, 'probe-'));
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(scratch, name));
    const overlayOptions = overlayMountOptions(level, {
      lower: join(scratch, 'lower'),
      upper: join(scratch, 'upper'),
      work: join(scratch, 'work'),
    });
    const merged = join(scratch, 'merged');
    const overlay = hasOverlay ? `"$1" -t overlay overlay -o "$2" "$3"` : `"$1" --bind "$3" "$3"`;
    // Everything that a container's start needs: a file system, /proc, a device, another root.
    const steps = [
      `"$1" --make-rslave /`,
      overlay,
      `mkdir "$3/proc" "$3/dev" && touch "$3/file"`,
      `"$1" -t proc proc "$3/proc"`,
      `"$1" -t tmpfs tmpfs "$3/dev" && touch "$3/dev/null" && "$1" --bind /dev/null "$3/dev/null"`,
      `exec "$4" --root="$3" --wd=/ -- /none 2>/dev/null`,
    ];
    const script = steps.join(' && ');
    const args = [
      ...unshareOptions(level),
      '--fork',
      sh,
      '-c',
      script,
      'probe',
      mount,
      overlayOptions,
      merged,
      unshare,
    ];
    await run(unshare, args);
    return true;
  } catch (error) {
    // 127: all mounts worked and the new root holds no such program, as it should.
    return error instanceof Error && 'code' in error && error.code === 127 && existsSync(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export function overlayMountOptions(
  level: IsolationLevel,
  layers: { lower: string; upper: string; work: string },
): string {
  const escape = (path: string): string => path.replace(/[\\:,]/g, '\\$&');
  const options = [
    `lowerdir=${escape(layers.lower)}`,
    `upperdir=${escape(layers.upper)}`,
    `workdir=${escape(layers.work)}`,
  ];
  // In a user namespace overlay may not use trusted attributes (Linux 5.11).
  return [...options, ...(level === 'user' ? ['userxattr'] : [])].join(',');
}

/** What `tiphys up` says in one line about a node of this kind; empty parts are left out. */
export function describeIsolation(
  isolation: Isolation,
  options: { hasPodNetwork: boolean; hasCgroups: boolean },
): string[] {
  const notes: string[] = [];
  if (isolation.level === 'none') {
    notes.push('file system, processes and users (containers are plain processes in a directory of their own)');
  } else if (isolation.level === 'user') notes.push('users (every container runs as you)');
  else notes.push('root (who is root in a container can get out of it)');
  if (!options.hasPodNetwork) notes.push("network (pods share the host's ports; each has a 127.x address)");
  if (!options.hasCgroups) notes.push('CPU and memory limits');
  notes.push('seccomp and AppArmor profiles');
  return notes;
}
