import { overlayMountOptions, type Isolation, unshareOptions } from './isolation.ts';

/** All that a container's start needs to know; paths are the host's. */
export interface LaunchPlan {
  readonly isolation: Isolation;
  readonly rootfs:
    | { readonly type: 'overlay'; readonly lower: string; readonly upper: string; readonly work: string }
    | { readonly type: 'directory' };
  /** Where the root file system is (or gets mounted). */
  readonly root: string;
  readonly isRootReadonly: boolean;
  /** In order; `target` lies below `root`. */
  readonly binds: readonly Bind[];
  /** A namespace file to join. */
  readonly networkNamespace?: string;
  readonly hostname?: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** As the container sees it (level `none`: as the host does). */
  readonly workingDirectory: string;
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Capabilities left to the container's processes, as `setpriv` names them; absent: all. */
  readonly capabilities?: readonly string[];
  /** `cgroup.procs` files to join. */
  readonly cgroupFiles: readonly string[];
  /** Gets the pid, as the host sees it, of the container's first process. */
  readonly mainPidPath: string;
}

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly isDirectory: boolean;
  readonly isReadonly: boolean;
}

/** The two scripts of a launch: `launch.sh` on the host, `inside.sh` in the new namespaces (not for level `none`). */
export function renderLaunch(plan: LaunchPlan, insidePath: string): { launch: string; inside: string } {
  const { level, tools } = plan.isolation;
  const join = plan.cgroupFiles.map((file) => `echo $$ > ${quote(file)} 2>/dev/null || :`);
  if (level === 'none') {
    const lines = [...join, `echo $$ > ${quote(plan.mainPidPath)}`, `cd ${quote(plan.workingDirectory)} || exit 126`];
    return {
      launch: script([...lines, `exec ${[...cleanEnvironment(plan), ...plan.argv].map(quote).join(' ')}`]),
      inside: '',
    };
  }
  const network = plan.networkNamespace === undefined ? '' : `${tools.nsenter} --net=${quote(plan.networkNamespace)} `;
  const unshare = [tools.unshare ?? 'unshare', ...unshareOptions(level)].join(' ');
  // The shell's first child is process 1 of the new pid namespace. The shell stays, silent, to tell how it ended: unlike
  // `unshare --fork` it can report that it was killed.
  const child = `exec 3>&2 2>/dev/null; ${tools.sh} ${quote(insidePath)} 2>&3 3>&-; exit $?`;
  const launch = script([...join, `exec ${network}${unshare} ${tools.sh} -c ${quote(child)}`]);
  return { launch, inside: script(insideLines(plan)) };
}

/** Whether a process' command line is still that of the launch, and not yet the container's own. */
export function isLaunching(commandLine: readonly string[], insidePath: string): boolean {
  const [, first = ''] = commandLine;
  const isLauncher = commandLine[0]?.startsWith('/') === true;
  return isLauncher && (first === insidePath || first === '-i' || /^--(root|inh-caps|userspec)=/.test(first));
}

/** What a process in the container's namespaces must become. */
export type EnterPlan = Pick<
  LaunchPlan,
  'isolation' | 'root' | 'argv' | 'environment' | 'workingDirectory' | 'user' | 'capabilities'
>;

/** The command that takes a process of the container's namespaces into its root directory, as its user. */
export function enterCommand(plan: EnterPlan): string[] {
  const { tools } = plan.isolation;
  const limit =
    plan.capabilities === undefined || tools.setpriv === undefined
      ? []
      : [
          tools.setpriv,
          '--inh-caps=-all',
          `--bounding-set=-all${plan.capabilities.map((name) => `,+${name}`).join('')}`,
        ];
  const { uid = 0, gid = 0, groups = [] } = plan.user ?? {};
  if (groups.length === 0 || tools.chroot === undefined) {
    const user = plan.user === undefined ? [] : [`--setgid=${gid}`, `--setuid=${uid}`];
    const enter = [tools.unshare ?? 'unshare', `--root=${plan.root}`, `--wd=${plan.workingDirectory}`, ...user, '--'];
    return [...cleanEnvironment(plan), ...limit, ...enter, ...plan.argv];
  }
  // Only `chroot` sets further groups, and it ends in /: the image's own shell goes on from there.
  const enter = [tools.chroot, `--userspec=${uid}:${gid}`, `--groups=${groups.join(',')}`, plan.root];
  const change = ['/bin/sh', '-c', `cd ${quote(plan.workingDirectory)} && exec "$@"`, 'sh'];
  return [...cleanEnvironment(plan), ...limit, ...enter, ...change, ...plan.argv];
}

/** A word of a POSIX shell. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function insideLines(plan: LaunchPlan): string[] {
  const mount = plan.isolation.tools.mount ?? 'mount';
  const root = quote(plan.root);
  const { rootfs } = plan;
  const overlay =
    rootfs.type === 'overlay'
      ? `${mount} -t overlay overlay -o ${quote(overlayMountOptions(plan.isolation.level, rootfs))} ${root}`
      : `${mount} --bind ${root} ${root}`;
  return [
    'set -e',
    ...(plan.hostname === undefined ? [] : [`hostname ${quote(plan.hostname)} 2>/dev/null || :`]),
    // What is mounted here stays here; what the host unmounts goes away here too and is not held.
    `${mount} --make-rslave /`,
    overlay,
    `mkdir -p ${root}/proc ${root}/sys ${root}/dev ${quote(plan.root + plan.workingDirectory)}`,
    `${mount} -t proc proc ${root}/proc`,
    `${mount} --rbind /sys ${root}/sys`,
    ...deviceLines(mount, root),
    ...plan.binds.flatMap((bind) => bindLines(mount, bind)),
    ...(plan.isRootReadonly ? [`${mount} -o remount,ro${rootfs.type === 'overlay' ? '' : ',bind'} ${root}`] : []),
    // The host's /proc is still mounted here: it shows this process by the host's number.
    'read -r pid rest < /proc/self/stat',
    `echo "$pid" > ${quote(`${plan.mainPidPath}.new`)}; mv ${quote(`${plan.mainPidPath}.new`)} ${quote(plan.mainPidPath)}`,
    `exec ${enterCommand(plan).map(quote).join(' ')}`,
  ];
}

/** A small /dev instead of the host's. */
function deviceLines(mount: string, root: string): string[] {
  const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx'].map((name) => `/dev/${name}`);
  return [
    `${mount} -t tmpfs -o mode=755 tmpfs ${root}/dev`,
    `for device in ${devices.join(' ')}; do`,
    `  if [ -e $device ]; then : > ${root}$device; ${mount} --bind $device ${root}$device; fi`,
    'done',
    `mkdir ${root}/dev/pts ${root}/dev/shm ${root}/dev/mqueue`,
    `${mount} --rbind /dev/pts ${root}/dev/pts`,
    `${mount} -t tmpfs -o mode=1777 tmpfs ${root}/dev/shm`,
    `ln -s /proc/self/fd ${root}/dev/fd`,
    ...['stdin', 'stdout', 'stderr'].map((name, index) => `ln -s /proc/self/fd/${index} ${root}/dev/${name}`),
  ];
}

function bindLines(mount: string, bind: Bind): string[] {
  const [source, target] = [quote(bind.source), quote(bind.target)];
  const parent = quote(bind.target.slice(0, bind.target.lastIndexOf('/')));
  const make = bind.isDirectory ? `mkdir -p ${target}` : `mkdir -p ${parent}; [ -e ${target} ] || : > ${target}`;
  // In a user namespace flags that the host's mount has must be kept, or the kernel refuses.
  const readonly = `${mount} -o remount,bind,ro ${target} 2>/dev/null || ${mount} -o remount,bind,ro,nosuid,nodev ${target}`;
  return [make, `${mount} --rbind ${source} ${target}`, ...(bind.isReadonly ? [readonly] : [])];
}

/** Host programs are named in full, so that the container's PATH serves only to find its own command. */
function cleanEnvironment(plan: Pick<LaunchPlan, 'environment' | 'isolation'>): string[] {
  return [
    plan.isolation.tools.env,
    '-i',
    ...Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`),
  ];
}

function script(lines: readonly string[]): string {
  return `#!/bin/sh\n${lines.join('\n')}\n`;
}
