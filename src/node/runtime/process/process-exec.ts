import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Clock } from '#machinery/clock/clock.ts';

import type { ExecOptions, ExecSession, ExecSyncResult } from '../contract.ts';
import { findProgram } from '../find-program.ts';
import { procsFiles } from './cgroup.ts';
import { findInRoot } from './command-lookup.ts';
import type { Isolation } from './isolation.ts';
import { enterCommand, quote } from './launch-script.ts';
import { notFoundMessage, processRights } from './prepare-container.ts';
import type { ContainerRecord } from './records.ts';
import { failedSession, spawnSession } from './sessions.ts';

// What the contract allows a caller of execSync to see.
const OUTPUT_BYTES_MAX = 16 * 1024;

export interface ExecPlace {
  readonly record: ContainerRecord;
  readonly isolation: Isolation;
  readonly folder: string;
  /** The container's first process. */
  readonly mainPid: number;
  readonly hostPath: string;
  /** Whether the pod has a network namespace. */
  readonly hasOwnNetwork: boolean;
}

/** Runs a command in a running container. One that is not there gives a session that failed, as with containerd. */
export function execSession(place: ExecPlace, options: ExecOptions): ExecSession {
  const host = hostCommand(place, options.command);
  if (host === undefined) {
    const [name = ''] = options.command;
    return failedSession(
      options,
      `failed to exec in container: OCI runtime exec failed: exec failed: ${notFoundMessage(name)}`,
    );
  }
  const { script } = place.isolation.tools;
  return spawnSession(host, { ...options, script, path: place.hostPath, cwd: '/' });
}

/** Runs to the end, or to the timeout, which kills it. */
export async function execToEnd(
  place: ExecPlace,
  command: readonly string[],
  options: { timeoutMs: number; clock: Clock },
): Promise<ExecSyncResult> {
  const session = execSession(place, { command, tty: false, stdin: false, stdout: true, stderr: true });
  const [stdout, stderr] = [session.stdout, session.stderr].map((stream) => {
    const collected = { chunks: [] as Buffer[], length: 0 };
    stream?.on('data', (chunk: Buffer) => {
      if (collected.length < OUTPUT_BYTES_MAX) collected.chunks.push(chunk);
      collected.length += chunk.length;
    });
    return collected;
  });
  let timedOut = false;
  const timer =
    options.timeoutMs <= 0
      ? undefined
      : options.clock.setTimeout(() => {
          timedOut = true;
          session.close();
        }, options.timeoutMs);
  const exit = await session.exit;
  timer?.cancel();
  const cut = (chunks: Buffer[] = []): Buffer => Buffer.concat(chunks).subarray(0, OUTPUT_BYTES_MAX);
  if (exit.type === 'failed') {
    return { stdout: new Uint8Array(), stderr: Buffer.from(exit.message), exitCode: 126, timedOut: false };
  }
  return {
    stdout: cut(stdout?.chunks),
    stderr: cut(stderr?.chunks),
    exitCode: timedOut ? -1 : exit.exitCode,
    timedOut,
  };
}

function hostCommand(place: ExecPlace, command: readonly string[]): string[] | undefined {
  const { record, isolation } = place;
  const { tools } = isolation;
  const [name = '', ...args] = command;
  const lookup = { path: record.environment['PATH'] ?? '', workingDirectory: record.workingDirectory };
  const pairs = Object.entries(record.environment).map(([key, value]) => `${key}=${value}`);
  const cgroup = record.cgroup === undefined ? [] : procsFiles(record.cgroup);
  const joined = cgroup.map((file) => `echo $$ > ${quote(file)} 2>/dev/null`).join('; ');
  const enter = joined === '' ? [] : [tools.sh, '-c', `${joined}; exec "$@"`, 'sh'];
  if (isolation.level === 'none') {
    const root = join(place.folder, 'rootfs');
    const program = findInRoot(root, name, lookup) ?? findProgram(name, place.hostPath);
    if (program === undefined) return undefined;
    const inImage = lookup.path.split(':').map((path) => join(root, path));
    const environment = [...pairs, `PATH=${[...inImage, place.hostPath].join(':')}`, `HOME=${root}`];
    const change = [tools.sh, '-c', `cd ${quote(join(root, record.workingDirectory))} && exec "$@"`, 'sh'];
    return [...enter, tools.env, '-i', ...environment, ...change, program, ...args];
  }
  const root = `/proc/${place.mainPid}/root`;
  if (!existsSync(root) || findInRoot(root, name, lookup) === undefined) return undefined;
  // The host's own network cannot be entered from a user namespace, and need not be.
  const namespaces = ['--mount', '--uts', '--ipc', '--pid', ...(place.hasOwnNetwork ? ['--net'] : [])];
  const user = isolation.level === 'user' ? ['--user', '--preserve-credentials'] : [];
  // The mount namespace's own root is still the host's view: its programs make the last steps, as at the start.
  const inside = enterCommand({
    isolation,
    root: join(place.folder, 'rootfs'),
    argv: command,
    environment: record.environment,
    workingDirectory: record.workingDirectory,
    ...processRights(record, isolation),
  });
  return [...enter, tools.nsenter ?? 'nsenter', `--target=${place.mainPid}`, ...namespaces, ...user, '--', ...inside];
}
