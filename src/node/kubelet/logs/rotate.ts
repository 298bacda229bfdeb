import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { formatTime } from '#machinery/clock/clock.ts';
import type { PodSet } from '../pod/pod-set.ts';
import type { PodServices } from '../pod/services.ts';
import { podLogDirectory } from '../container/sandbox.ts';

const LOG_BYTES_MAX = 10 * 1024 * 1024;
// The current file among them.
const LOG_FILES_MAX = 5;

const compress = promisify(gzip);

/** Starts a new file for each running container whose log has grown too large, and drops the oldest ones. */
export async function rotateLogs(services: PodServices, set: PodSet): Promise<void> {
  const { host, log, paths } = services;
  for (const { pod, view } of set.workers) {
    const directory = podLogDirectory(pod, paths.podLogs);
    for (const container of view?.containers ?? []) {
      if (container.state !== 'RUNNING') continue;
      const path = `${directory}/${container.name}/${container.restartCount}.log`;
      const info = await host.files.stat(path);
      if (info === undefined || info.sizeBytes < LOG_BYTES_MAX) continue;
      try {
        await rotate(services, { path, containerId: container.id });
      } catch (error) {
        log.warn('cannot rotate container log', { path, error: String(error) });
      }
    }
  }
}

async function rotate(services: PodServices, target: { path: string; containerId: string }): Promise<void> {
  const { host, clock, runtime } = services;
  const { path, containerId } = target;
  await tidy(services, path);
  // `20260102-150405`: sorts by age.
  const stamp = formatTime(clock.now()).replaceAll(/[-:Z]/g, '').replace('T', '-');
  const rotated = `${path}.${stamp}`;
  await host.files.rename(path, rotated);
  try {
    await runtime.reopenContainerLog(containerId);
  } catch (error) {
    // The runtime still writes into the renamed file: give it its name back.
    await host.files.rename(rotated, path);
    throw error;
  }
}

/** Compresses what was rotated before this time and removes more than may be kept. */
async function tidy({ host }: PodServices, path: string): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf('/'));
  const base = path.slice(directory.length + 1);
  const rotated = (await host.files.list(directory)).filter((name) => name.startsWith(`${base}.`));
  // The current file and the one that is about to be rotated count, too.
  const surplus = Math.max(0, rotated.length - (LOG_FILES_MAX - 2));
  for (const name of rotated.slice(0, surplus)) await host.files.remove(`${directory}/${name}`);
  for (const name of rotated.slice(surplus)) {
    if (name.endsWith('.gz')) continue;
    const data = await host.files.read(`${directory}/${name}`);
    await host.files.writeAtomic(`${directory}/${name}.gz`, await compress(data));
    await host.files.remove(`${directory}/${name}`);
  }
}
