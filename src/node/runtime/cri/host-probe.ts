import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { readText } from '../linux-process.ts';

const run = promisify(execFile);

const CAP_SYS_RESOURCE_BIT = 24n;

/** Whether this process may lower OOM scores; root in many sandboxes may not. */
export function hasSysResource(): boolean {
  const capabilities = /^CapEff:\s*([0-9a-f]+)/m.exec(readText('/proc/self/status') ?? '')?.[1];
  if (capabilities === undefined) return false;
  return ((BigInt(`0x${capabilities}`) >> CAP_SYS_RESOURCE_BIT) & 1n) === 1n;
}

/** Tries a real overlay mount in `directory`, because a kernel can list the file system and still refuse it there. */
export async function canMountOverlay(directory: string): Promise<boolean> {
  await mkdir(directory, { recursive: true });
  const scratch = await mkdtemp(join(directory, 'overlay-probe-'));
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(scratch, name));
  try {
    await Promise.all([lower, upper, work, merged].map((path) => mkdir(path ?? scratch, { recursive: true })));
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await run('mount', ['-t', 'overlay', 'overlay', '-o', options, merged ?? scratch]);
    await run('umount', [merged ?? scratch]);
    return true;
  } catch {
    // Whatever the reason, the answer is no, and the native snapshotter works everywhere.
    return false;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Where the distribution or upstream puts CNI's plugins. */
export function findCniBinDir(): string | undefined {
  return ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'].find((path) => existsSync(join(path, 'bridge')));
}
