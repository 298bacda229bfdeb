import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type RuntimeName = 'containerd' | 'process' | 'simulated';

/** Which runtime a start uses and, where it is less than containers, why. */
export type RuntimeChoice =
  | { readonly type: 'chosen'; readonly runtime: RuntimeName; readonly note?: string }
  | { readonly type: 'impossible'; readonly reason: string; readonly hint: string };

const NETWORK_PROGRAMS = ['nft', 'ip', 'nsenter'];
const CNI_FOLDERS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

/** What this machine lacks to run containers; empty: nothing. */
export function missingForContainers(environment: NodeJS.ProcessEnv, uid: number | undefined): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const network = missingForNetwork(environment, uid);
  const [root, others] = network[0] === 'root' ? [['root'], network.slice(1)] : [[], network];
  return [...root, ...missingPrograms(['containerd', 'runc'], environment), ...others];
}

/** What this machine lacks to give nodes and pods networks of their own; empty: nothing. */
export function missingForNetwork(environment: NodeJS.ProcessEnv, uid: number | undefined): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const missing = missingPrograms(NETWORK_PROGRAMS, environment);
  if (!CNI_FOLDERS.some((folder) => existsSync(join(folder, 'bridge')))) missing.push('CNI plugins');
  if (uid !== 0) return ['root', ...missing];
  // Root in a container of its own may be refused what root of the machine may do.
  if (missing.length === 0 && !mayMakeNamespaces(environment)) missing.push('the right to make network namespaces');
  return missing;
}

function missingPrograms(programs: readonly string[], environment: NodeJS.ProcessEnv): string[] {
  const folders = [...(environment['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
}

function mayMakeNamespaces(environment: NodeJS.ProcessEnv): boolean {
  const result = spawnSync('unshare', ['--net', '--mount', 'true'], { env: environment, stdio: 'ignore' });
  // A machine without the program is not known to refuse.
  return result.error !== undefined || result.status === 0;
}

export function chooseRuntime(asked: RuntimeName | undefined, missing: readonly string[]): RuntimeChoice {
  if (asked === 'simulated' || asked === 'process') return { type: 'chosen', runtime: asked };
  if (missing.length === 0) return { type: 'chosen', runtime: 'containerd' };
  const reason = `containers need ${missing.join(', ')}, which this machine does not offer`;
  if (asked === 'containerd') {
    const hint =
      'as root on Debian or Ubuntu, "npm start" installs what is missing; without it: --runtime process, ' +
      'which runs containers as plain processes';
    return { type: 'impossible', reason, hint };
  }
  return { type: 'chosen', runtime: 'process', note: `${reason}: using --runtime process` };
}
