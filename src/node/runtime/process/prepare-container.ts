import { existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { resolveInRoot } from '../../image/root-path.ts';
import { RuntimeError } from '../contract.ts';
import { findProgram } from '../find-program.ts';
import { copyTree } from './copy-tree.ts';
import { oomFiles, procsFiles } from './cgroup.ts';
import { findInRoot, rewritePaths } from './command-lookup.ts';
import type { Isolation } from './isolation.ts';
import { type Bind, type LaunchPlan, renderLaunch } from './launch-script.ts';
import type { ContainerRecord, SandboxRecord } from './records.ts';
import type { StartSpec } from './supervisor/protocol.ts';

export interface Launch {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxRecord;
  readonly isolation: Isolation;
  /** The container's folder. */
  readonly folder: string;
  /** `resolv.conf` of the sandbox, where it has one. */
  readonly resolvConf?: string;
  /** The PATH of the host. */
  readonly hostPath: string;
}

const OVERLAY_FOLDERS = ['upper', 'work', 'rootfs'];
// Docker's default set, which containerd gives as well.
const DEFAULT_CAPABILITIES =
  'chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap';

/** Makes the container's file system: folders of an overlay, or a copy of the image. */
export async function makeRootfs(folder: string, lower: string, isolation: Isolation): Promise<void> {
  if (isolation.hasOverlay) {
    for (const name of OVERLAY_FOLDERS) await mkdir(join(folder, name), { mode: 0o755 });
    return;
  }
  await copyTree(lower, join(folder, 'rootfs'));
}

/** Writes the launch scripts; what it returns starts the container. Throws `RuntimeError` where it cannot run. */
export async function prepareLaunch(launch: Launch): Promise<StartSpec> {
  const { record, sandbox, isolation, folder } = launch;
  const inside = join(folder, 'inside.sh');
  const plan = isolation.level === 'none' ? await plainPlan(launch) : isolatedPlan(launch);
  const scripts = renderLaunch(plan, inside);
  writeFileSync(join(folder, 'launch.sh'), scripts.launch, { mode: 0o700 });
  if (scripts.inside !== '') writeFileSync(inside, scripts.inside, { mode: 0o700 });
  await mkdir(dirname(record.logPath), { recursive: true, mode: 0o755 });
  return {
    id: record.id,
    sandboxId: record.sandboxId,
    podUid: sandbox.config.metadata.uid,
    directory: folder,
    logPath: record.logPath,
    stdin: record.config.stdin,
    stdinOnce: record.config.stdinOnce,
    tty: record.config.tty,
    shell: isolation.tools.sh,
    ...(isolation.tools.script === undefined ? {} : { script: isolation.tools.script }),
    environment: { PATH: launch.hostPath },
    oomFiles: record.cgroup === undefined ? [] : oomFiles(record.cgroup),
  };
}

/** runc's words for a command that is not in the image. */
export function notFoundMessage(command: string): string {
  const reason = command.includes('/')
    ? `stat ${command}: no such file or directory`
    : 'executable file not found in $PATH';
  return `unable to start container process: exec: ${JSON.stringify(command)}: ${reason}: unknown`;
}

function isolatedPlan(launch: Launch): LaunchPlan {
  const { record, sandbox, isolation, folder } = launch;
  const root = join(folder, 'rootfs');
  const base = isolation.hasOverlay ? record.lower : root;
  const [command = ''] = record.argv;
  const lookup = { path: record.environment['PATH'] ?? '', workingDirectory: record.workingDirectory };
  const isMounted = record.config.mounts.some(({ containerPath }) => command.startsWith(`${containerPath}/`));
  if (!isMounted && findInRoot(base, command, lookup) === undefined) throw cannotStart(command);
  const context = record.config.linux.securityContext;
  const { networkNamespace } = sandbox.address;
  return {
    isolation,
    rootfs: isolation.hasOverlay
      ? { type: 'overlay', lower: record.lower, upper: join(folder, 'upper'), work: join(folder, 'work') }
      : { type: 'directory' },
    root,
    isRootReadonly: context.readonlyRootfs,
    binds: makeBinds(launch, { root, base }),
    ...(networkNamespace === undefined ? {} : { networkNamespace }),
    ...(sandbox.config.hostname === '' ? {} : { hostname: sandbox.config.hostname }),
    argv: record.argv,
    environment: record.environment,
    workingDirectory: record.workingDirectory,
    ...processRights(record, isolation),
    cgroupFiles: record.cgroup === undefined ? [] : procsFiles(record.cgroup),
    mainPidPath: join(folder, 'main.pid'),
  };
}

/** Without namespaces: mounts are links in the container's folder, and paths in its command are made to fit. */
async function plainPlan(launch: Launch): Promise<LaunchPlan> {
  const { record, isolation, folder } = launch;
  const root = join(folder, 'rootfs');
  const mounts = record.config.mounts.filter(({ containerPath }) => !containerPath.startsWith('/dev/'));
  for (const { containerPath, hostPath } of mounts) await linkMount(root, { containerPath, hostPath });
  const [command = '', ...args] = record.argv;
  const inImage = (record.environment['PATH'] ?? '').split(':').map((path) => join(root, path));
  const lookup = { path: record.environment['PATH'] ?? '', workingDirectory: record.workingDirectory };
  const program = findInRoot(root, command, lookup) ?? findProgram(command, launch.hostPath);
  if (program === undefined) throw cannotStart(command);
  const workingDirectory = join(root, record.workingDirectory);
  await mkdir(workingDirectory, { recursive: true }).catch(() => undefined);
  const environment = Object.fromEntries(
    Object.entries(record.environment).map(([name, value]) => [name, rewritePaths(value, mounts)]),
  );
  return {
    isolation,
    rootfs: { type: 'directory' },
    root,
    isRootReadonly: false,
    binds: [],
    argv: [program, ...args.map((arg) => rewritePaths(arg, mounts))],
    environment: { ...environment, PATH: [...inImage, launch.hostPath].join(':'), HOME: root },
    workingDirectory,
    cgroupFiles: record.cgroup === undefined ? [] : procsFiles(record.cgroup),
    mainPidPath: join(folder, 'main.pid'),
  };
}

function makeBinds(launch: Launch, paths: { root: string; base: string }): Bind[] {
  const { record, resolvConf } = launch;
  const mounts = record.config.mounts.map(({ containerPath, hostPath, readonly }) => ({
    containerPath,
    hostPath,
    readonly,
  }));
  const hasResolvConf = mounts.some(({ containerPath }) => containerPath === '/etc/resolv.conf');
  if (resolvConf !== undefined && !hasResolvConf) {
    mounts.push({ containerPath: '/etc/resolv.conf', hostPath: resolvConf, readonly: false });
  }
  // A mount inside of another comes after it.
  mounts.sort((left, right) => left.containerPath.split('/').length - right.containerPath.split('/').length);
  return mounts.map(({ containerPath, hostPath, readonly }) => {
    if (!existsSync(hostPath)) mkdirSync(hostPath, { recursive: true });
    const inBase = resolveInRoot(paths.base, containerPath, { followLast: true });
    if (inBase === undefined) throw new RuntimeError('Unknown', `cannot mount ${containerPath}: too many links`);
    return {
      source: hostPath,
      target: paths.root + inBase.slice(paths.base.length),
      isDirectory: statSync(hostPath).isDirectory(),
      isReadonly: readonly,
    };
  });
}

async function linkMount(root: string, mount: { containerPath: string; hostPath: string }): Promise<void> {
  const place = resolveInRoot(root, mount.containerPath, { followLast: false });
  // Inside of another mount, which is a link already: the kubelet's folders cannot be linked into each other.
  if (place === undefined || place === root) return;
  if (!existsSync(mount.hostPath)) mkdirSync(mount.hostPath, { recursive: true });
  await mkdir(dirname(place), { recursive: true });
  if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) await rm(place, { recursive: true, force: true });
  symlinkSync(mount.hostPath, place);
}

/** User and capabilities, which only root can give; a privileged container keeps all of root's. */
export function processRights(
  record: ContainerRecord,
  isolation: Isolation,
): Pick<LaunchPlan, 'user' | 'capabilities'> {
  if (isolation.level !== 'root') return {};
  if (record.config.linux.securityContext.privileged) return { user: record.user };
  return { user: record.user, capabilities: capabilitiesOf(record) };
}

function capabilitiesOf(record: ContainerRecord): string[] {
  const { add = [], drop = [] } = record.config.linux.securityContext.capabilities ?? {};
  const named = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase().replace(/^cap_/, ''));
  const [added, dropped] = [named(add), new Set(named(drop))];
  if (added.includes('all')) return ['all'];
  const kept = dropped.has('all') ? [] : DEFAULT_CAPABILITIES.split(' ').filter((name) => !dropped.has(name));
  // The launcher itself needs these to enter the root directory and to become the user.
  const launching = ['sys_chroot', ...(record.user.uid === 0 && record.user.gid === 0 ? [] : ['setuid', 'setgid'])];
  return [...new Set([...kept, ...added, ...launching])];
}

function cannotStart(command: string): RuntimeError {
  const prefix = 'failed to create task: ';
  return new RuntimeError('Unknown', prefix + notFoundMessage(command));
}
