import { join } from 'node:path';

import type { StoredImage } from '../../image/image-store.ts';
import { resolveInRoot } from '../../image/root-path.ts';
import type { ContainerConfig, PodSandboxConfig } from '../contract.ts';
import { RuntimeError } from '../contract.ts';
import { readText } from '../linux-process.ts';

/** What runs in a container: the pod's wishes laid over the image's. */
export interface ContainerProcess {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly stopSignal: NodeJS.Signals;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function containerProcess(
  config: ContainerConfig,
  image: StoredImage,
  sandbox: PodSandboxConfig,
): ContainerProcess {
  const run = image.config.config ?? {};
  // As everywhere: a command of the pod's own also drops the image's arguments.
  const command = config.command.length > 0 ? config.command : (run.Entrypoint ?? []);
  const args = config.args.length > 0 || config.command.length > 0 ? config.args : (run.Cmd ?? []);
  const argv = [...command, ...args];
  if (argv.length === 0) throw new RuntimeError('InvalidArgument', 'failed to generate spec: no command specified');
  const { user, home } = resolveUser(config, run.User ?? '', image.rootfs);
  const fromImage = (run.Env ?? []).map((pair) => [
    pair.slice(0, pair.indexOf('=')),
    pair.slice(pair.indexOf('=') + 1),
  ]);
  const environment: Record<string, string> = {
    PATH: DEFAULT_PATH,
    HOME: home,
    ...(config.tty ? { TERM: 'xterm' } : {}),
    ...Object.fromEntries(fromImage),
    ...(sandbox.hostname === '' ? {} : { HOSTNAME: sandbox.hostname }),
    ...Object.fromEntries(config.envs.map(({ key, value }) => [key, value])),
  };
  const workingDirectory = [config.workingDir, run.WorkingDir, '/'].find((path) => path !== undefined && path !== '');
  return {
    argv,
    environment,
    workingDirectory: workingDirectory ?? '/',
    user,
    stopSignal: parseSignal(config.stopSignal ?? run.StopSignal ?? 'SIGTERM'),
  };
}

const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  12: 'SIGUSR2',
  15: 'SIGTERM',
  28: 'SIGWINCH',
};

function parseSignal(text: string): NodeJS.Signals {
  const name = SIGNALS[text] ?? (text.startsWith('SIG') ? text : `SIG${text}`);
  // Safe: what the kernel does not know fails when it is sent; images name real signals.
  return name as NodeJS.Signals;
}

/** The pod's user, else the image's (`uid`, `name`, `uid:gid`), else root; names are looked up in the image. */
function resolveUser(
  config: ContainerConfig,
  imageUser: string,
  rootfs: string,
): { user: ContainerProcess['user']; home: string } {
  const context = config.linux.securityContext;
  const wanted = context.runAsUser === undefined ? (context.runAsUsername ?? imageUser) : String(context.runAsUser);
  const [name = '', groupName = ''] = wanted.split(':');
  const entry = name === '' ? undefined : findPasswd(rootfs, name);
  const uid = entry?.uid ?? (/^\d+$/.test(name) ? Number(name) : 0);
  if (name !== '' && entry === undefined && !/^\d+$/.test(name)) {
    throw new RuntimeError('Unknown', `failed to generate spec: no users found for ${name}`);
  }
  const imageGroup = /^\d+$/.test(groupName) ? Number(groupName) : entry?.gid;
  const gid = context.runAsGroup ?? imageGroup ?? 0;
  const groups = [...new Set(context.supplementalGroups)];
  return { user: { uid, gid, groups }, home: entry?.home ?? (uid === 0 ? '/root' : '/') };
}

function findPasswd(rootfs: string, user: string): { uid: number; gid: number; home: string } | undefined {
  const path = resolveInRoot(rootfs, '/etc/passwd', { followLast: true }) ?? join(rootfs, 'etc/passwd');
  for (const line of (readText(path) ?? '').split('\n')) {
    const [name, , uid, gid, , home] = line.split(':');
    if (name === user || uid === user) return { uid: Number(uid), gid: Number(gid), home: home ?? '/' };
  }
  return undefined;
}
