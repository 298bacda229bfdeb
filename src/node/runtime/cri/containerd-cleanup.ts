import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';

import { findProcessesByArgument, isErrno, readText, signalProcess } from '../linux-process.ts';
import type { ContainerdConfig } from './containerd-config.ts';
import { CriRuntime } from './cri-runtime.ts';

const run = promisify(execFile);

interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Stops and removes every pod that the runtime at `endpoint` has; what fails is logged and left to `removeLeftovers`. */
export async function removeAllPods(endpoint: string, deps: Deps): Promise<void> {
  let runtime: CriRuntime;
  try {
    runtime = await CriRuntime.connect(endpoint, deps);
  } catch (error) {
    deps.log.warn('cannot ask containerd for its pods', { error: String(error) });
    return;
  }
  try {
    const containers = await runtime.listContainers();
    const running = containers.filter((container) => container.state === 'RUNNING');
    // Stopping a sandbox would kill them too, but one after the other.
    await Promise.allSettled(running.map(({ id }) => runtime.stopContainer(id, { timeoutSeconds: 0 })));
    const sandboxes = await runtime.listPodSandboxes();
    const results = await Promise.allSettled(sandboxes.map(({ id }) => removePod(runtime, id)));
    for (const result of results) {
      if (result.status === 'rejected') deps.log.warn('cannot remove a pod', { error: String(result.reason) });
    }
  } catch (error) {
    deps.log.warn('cannot list pods', { error: String(error) });
  } finally {
    await runtime.close();
  }
}

async function removePod(runtime: CriRuntime, sandboxId: string): Promise<void> {
  await runtime.stopPodSandbox(sandboxId);
  await runtime.removePodSandbox(sandboxId);
}

/** Kills shims that still serve this containerd, unmounts what is mounted below its folders, removes its state. */
export async function removeLeftovers(
  config: Pick<ContainerdConfig, 'rootDir' | 'stateDir' | 'socketPath'>,
  deps: Deps,
): Promise<void> {
  const shims = findProcessesByArgument(config.socketPath);
  for (const pid of shims) {
    deps.log.warn('killing a shim that was left', { pid });
    signalProcess(pid, 'SIGKILL');
  }
  for (const mountPoint of mountsBelow([config.rootDir, config.stateDir])) {
    try {
      await run('umount', ['--lazy', mountPoint]);
    } catch (error) {
      deps.log.warn('cannot unmount', { mountPoint, error: String(error) });
    }
  }
  await removeState(config.stateDir, deps);
}

/** A shim that was just killed may still hold a mount for a moment; the folder goes with the next start otherwise. */
async function removeState(stateDir: string, deps: Deps): Promise<void> {
  try {
    await rm(stateDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  } catch (error) {
    if (!isErrno(error, 'EBUSY') && !isErrno(error, 'ENOTEMPTY')) throw error;
    deps.log.warn('cannot remove the state folder of containerd', { stateDir, error: String(error) });
  }
}

/** Mount points below any of the folders, deepest first. */
export function mountsBelow(folders: readonly string[], mountInfo = readText('/proc/self/mountinfo') ?? ''): string[] {
  const points = mountInfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) => point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))));
  return points.filter((point) => folders.some((folder) => point.startsWith(`${folder}/`))).reverse();
}
