import { existsSync } from 'node:fs';

import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';

import { CniNetwork } from './pod-network.ts';
import { ProcessRuntime } from './process-runtime.ts';

// Sweeping runs no program of the user's: only the system's own tools are looked up.
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Ends everything that a process runtime of this directory left: containers, their supervisor, network namespaces and
 * cgroups. Images stay. Nothing happens where there is no such directory.
 */
export async function sweepProcessRuntime(directory: string, deps: { clock: Clock; log: Logger }): Promise<void> {
  if (!existsSync(directory)) return;
  const isolation = { level: 'none', hasOverlay: false, tools: { sh: '/bin/sh', env: '/usr/bin/env' } } as const;
  // Pods without a namespace of their own need nothing undone; those with one lose it, and with it their interfaces.
  const network = new CniNetwork({ confDir: '', binDir: '', path: SYSTEM_PATH });
  const runtime = await ProcessRuntime.open(
    { directory, path: SYSTEM_PATH, isolation, network },
    { ...deps, random: new SystemRandom() },
  );
  await runtime.removeAll();
}
