import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';

import type { Clock } from '#machinery/clock/clock.ts';

import { ImageError } from './errors.ts';

const run = promisify(execFile);

/** The namespace that CRI's images and containers live in. */
const NAMESPACE = 'k8s.io';
// CRI hears of new images through containerd's events, a moment after the import.
const APPEAR_TIMEOUT_MS = 10_000;
const APPEAR_POLL_MS = 20;

export interface ContainerdTarget {
  /** `unix:///run/…/containerd.sock` or a bare path. */
  readonly endpoint: string;
  readonly snapshotter?: string;
  /** `ctr` where it is not on PATH. */
  readonly ctr?: string;
  /** The environment `ctr` runs with; it needs PATH only. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Imports an OCI layout or docker-archive tar (also gzip) into containerd and resolves to the names it carried, once
 * `isPresent` (CRI's ImageStatus) knows them all.
 */
export async function loadIntoContainerd(
  archive: string,
  target: ContainerdTarget,
  deps: { clock: Clock; isPresent: (name: string) => Promise<boolean> },
): Promise<string[]> {
  await stat(archive).catch((cause: unknown) => {
    throw new ImageError('invalid-archive', `cannot load ${archive}: no such file`, { cause });
  });
  const snapshotter = target.snapshotter === undefined ? [] : ['--snapshotter', target.snapshotter];
  const names = parseImported(
    await ctr(target, ['images', 'import', '--all-platforms=false', ...snapshotter, archive]),
  );
  if (names.length === 0) throw new ImageError('invalid-archive', `${archive} names no image`);
  const deadline = deps.clock.monotonic() + APPEAR_TIMEOUT_MS;
  for (const name of names) {
    while (!(await deps.isPresent(name))) {
      if (deps.clock.monotonic() > deadline) {
        throw new ImageError('runtime', `${name} was imported, but the runtime does not list it`);
      }
      await deps.clock.sleep(APPEAR_POLL_MS);
    }
  }
  return names;
}

async function ctr(target: ContainerdTarget, args: readonly string[]): Promise<string> {
  const address = target.endpoint.replace(/^unix:\/\//, '');
  try {
    const { stdout } = await run(target.ctr ?? 'ctr', ['--address', address, '--namespace', NAMESPACE, ...args], {
      env: { ...target.environment },
      maxBuffer: 1024 * 1024,
    });
    return stdout;
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const stderr = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    const reason = isMissing ? 'ctr is not installed (it comes with containerd)' : stderr.replace(/^ctr: /, '');
    throw new ImageError('runtime', `cannot load the image: ${reason}`, { cause });
  }
}

/** `unpacking docker.io/library/busybox:latest (sha256:…)...done` */
function parseImported(output: string): string[] {
  return [...output.matchAll(/^unpacking (\S+) \(sha256:[0-9a-f]+\)/gm)].map((match) => match[1] ?? '');
}
