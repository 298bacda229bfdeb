import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildBusyboxImage, buildPauseImage } from '#node/image/local-images.ts';
import type { DataDirectory } from '../data-directory.ts';

/** A small image for examples and tests, so that a first pod needs no registry. */
export const BUSYBOX_NAME = 'localhost/busybox:1';

const BUSYBOX_PATHS = ['/bin/busybox', '/usr/bin/busybox'];

/** Builds what every node needs, once per data directory: the sandbox image, and a busybox where the machine has one. */
export async function buildBuiltinImages(
  directory: DataDirectory,
  environment: NodeJS.ProcessEnv,
): Promise<{ archives: string[]; notes: string[] }> {
  const found = [environment['TIPHYS_BUSYBOX'] ?? '', ...BUSYBOX_PATHS].find((path) => path !== '' && existsSync(path));
  if (found === undefined) {
    return { archives: [], notes: ['no static busybox here (Debian: busybox-static): built-in images are missing'] };
  }
  const pause = join(directory.images, 'pause.tar');
  const busybox = join(directory.images, 'busybox.tar');
  if (!existsSync(pause)) await buildPauseImage({ busybox: found, output: pause });
  if (!existsSync(busybox)) await buildBusyboxImage({ busybox: found, output: busybox, name: BUSYBOX_NAME });
  return { archives: [pause, busybox], notes: [] };
}
