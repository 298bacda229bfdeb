import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#machinery/clock/clock.ts';
import { identifyProcess, isAlive, type ProcessId } from './state-file.ts';

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts a process in a session of its own, so that a Ctrl-C at the terminal reaches only us and we stop things in
 * order. Its output goes to `logFile`. It survives us: `stopProcess` ends it, by whoever knows its id.
 */
export async function startChild(options: ChildOptions): Promise<{ child: ChildProcess; id: ProcessId }> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(options.command, [...options.args], {
      detached: true,
      stdio: ['ignore', log, log],
      env: options.env ?? process.env,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(`cannot start ${options.command}: ${error.message}`)));
    });
    child.unref();
    const id = identifyProcess(child.pid ?? 0) ?? { pid: child.pid ?? 0, startTicks: 0 };
    return { child, id };
  } finally {
    closeSync(log);
  }
}

const POLL_MS = 20;

/** SIGTERM, then SIGKILL after `graceMs`. Resolves when the process is gone; at once where it already is. */
export async function stopProcess(recorded: ProcessId | undefined, options: { clock: Clock; graceMs: number }) {
  if (recorded === undefined || !isAlive(recorded)) return;
  process.kill(recorded.pid, 'SIGTERM');
  const deadline = options.clock.monotonic() + options.graceMs;
  while (isAlive(recorded)) {
    if (options.clock.monotonic() > deadline) {
      process.kill(recorded.pid, 'SIGKILL');
      break;
    }
    await options.clock.sleep(POLL_MS);
  }
  while (isAlive(recorded)) await options.clock.sleep(POLL_MS);
}
