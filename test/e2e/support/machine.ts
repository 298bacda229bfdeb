import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

/** What a stopped cluster must not leave behind, as sorted lines. */
export interface MachineSnapshot {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly namespaces: readonly string[];
  readonly rules: string;
  readonly cgroups: readonly string[];
  readonly ipForward: string;
}

/** Programs that a cluster starts; others come and go on a shared machine. */
const OURS = /containerd|tiphys|runc|busybox|\/pause|httpd/;

export async function snapshotMachine(): Promise<MachineSnapshot> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
  return {
    processes: processes(),
    mounts: mounts.map((line) => line.split(' ').slice(3, 5).join(' ')).sort(),
    links: lines((await run('ip', ['-o', 'link', 'show'])).stdout).map((line) => line.split(':')[1]?.trim() ?? ''),
    namespaces: lines((await run('ip', ['netns', 'list'])).stdout),
    rules: (await run('nft', ['list', 'tables'])).stdout,
    // Other programs on the machine make and remove cgroups all the time.
    cgroups: cgroups('/sys/fs/cgroup', 4)
      .filter((path) => /tiphys|kubepods|containerd/.test(path))
      .sort(),
    ipForward: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(),
  };
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

function processes(): string[] {
  const found: string[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const command = readFileSync(join('/proc', name, 'cmdline'), 'utf8')
        .replaceAll('\0', ' ')
        .trim();
      if (OURS.test(command) && !command.includes('vitest')) found.push(`${name} ${command}`);
    } catch (error) {
      // It ended while we looked.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }
  return found.sort();
}

function cgroups(folder: string, depth: number): string[] {
  if (depth === 0 || !existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? [path, ...cgroups(path, depth - 1)] : [];
  });
}
