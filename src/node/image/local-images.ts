import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { type BuiltImage, buildImage } from './build-image.ts';
import { ImageError } from './errors.ts';
import type { LayerEntry } from './layer-tar.ts';

const run = promisify(execFile);

/** Names of the images that are made on the spot, so that a cluster needs no registry. */
export const PAUSE_IMAGE = 'localhost/tiphys/pause:1';
export const BUSYBOX_IMAGE = 'docker.io/library/busybox:latest';

/**
 * One process that waits for a signal and reaps orphans, as a pod's first process should: it blocks on a pipe that
 * nobody writes; a child's end interrupts the read, and `jobs` collects every child there is.
 */
const PAUSE_SCRIPT = `trap 'exit 0' TERM INT
trap 'jobs >/dev/null' CHLD
exec 3<>/pause.pipe
while :; do read -r line <&3; done
`;

/** The image of pod sandboxes. `busybox` is the path of a static busybox (Debian: package `busybox-static`). */
export async function buildPauseImage(options: { busybox: string; output: string }): Promise<BuiltImage> {
  const entries: LayerEntry[] = [
    { type: 'file', path: 'busybox', content: await readBusybox(options.busybox), mode: 0o755 },
    { type: 'file', path: 'pause', content: PAUSE_SCRIPT, mode: 0o644 },
    // Open to every user: a pod may say which one its sandbox runs as.
    { type: 'fifo', path: 'pause.pipe', mode: 0o666 },
    ...['dev', 'etc', 'proc', 'sys'].map((path) => ({ type: 'directory' as const, path })),
  ];
  return await buildImage({
    source: { type: 'entries', entries },
    flags: { entrypoint: ['/busybox', 'sh', '/pause'] },
    name: PAUSE_IMAGE,
    output: options.output,
  });
}

/** What Docker Hub's `busybox` offers: a shell and every applet of the given binary. */
export async function buildBusyboxImage(options: {
  busybox: string;
  output: string;
  name?: string;
}): Promise<BuiltImage> {
  const applets = await listApplets(options.busybox);
  const folders = [
    'bin',
    'dev',
    'etc',
    'home',
    'proc',
    'root',
    'sys',
    'usr',
    'usr/bin',
    'usr/sbin',
    'var',
    'var/spool',
  ];
  const entries: LayerEntry[] = [
    ...folders.map((path) => ({ type: 'directory' as const, path })),
    { type: 'directory', path: 'tmp', mode: 0o1777 },
    { type: 'directory', path: 'var/tmp', mode: 0o1777 },
    { type: 'file', path: 'bin/busybox', content: await readBusybox(options.busybox), mode: 0o755 },
    ...applets.map((name) => ({ type: 'link' as const, path: `bin/${name}`, target: 'bin/busybox' })),
    { type: 'symlink', path: 'sbin', target: 'bin' },
    { type: 'symlink', path: 'usr/bin/env', target: '../../bin/env' },
    { type: 'file', path: 'etc/passwd', content: PASSWD },
    { type: 'file', path: 'etc/group', content: GROUP },
    { type: 'file', path: 'etc/nsswitch.conf', content: 'hosts: files dns\n' },
  ];
  return await buildImage({
    source: { type: 'entries', entries },
    flags: { cmd: ['sh'] },
    name: options.name ?? BUSYBOX_IMAGE,
    output: options.output,
  });
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;

const GROUP = `root:x:0:
daemon:x:1:
www-data:x:33:
nobody:x:65534:
`;

async function listApplets(busybox: string): Promise<string[]> {
  try {
    const { stdout } = await run(busybox, ['--list']);
    return stdout.split('\n').filter((name) => /^[\w[.-]+$/.test(name) && name !== 'busybox');
  } catch (cause) {
    throw new ImageError('invalid-source', `cannot list the applets of ${busybox}`, { cause });
  }
}

async function readBusybox(path: string): Promise<Buffer> {
  const content = await readFile(path).catch((cause: unknown) => {
    throw new ImageError('invalid-source', `cannot read ${path}: install busybox-static`, { cause });
  });
  if (!content.subarray(0, 4).equals(Buffer.from('\x7fELF'))) {
    throw new ImageError('invalid-source', `${path} is not a Linux program`);
  }
  return content;
}
