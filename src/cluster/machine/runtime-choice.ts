import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type RuntimeName = 'containerd' | 'process' | 'simulated';

/** Which runtime a start uses and, where it is less than containers, why. */
export type RuntimeChoice =
  | { readonly type: 'chosen'; readonly runtime: RuntimeName; readonly note?: string }
  | { readonly type: 'impossible'; readonly reason: string; readonly hint: string };

const PROGRAMS = ['containerd', 'runc', 'nft', 'ip', 'nsenter'];
const CNI_FOLDERS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

/** What this machine lacks to run containers; empty: nothing. */
export function missingForContainers(environment: NodeJS.ProcessEnv, uid: number | undefined): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const folders = [...(environment['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const missing = PROGRAMS.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  if (!CNI_FOLDERS.some((folder) => existsSync(join(folder, 'bridge')))) missing.push('CNI plugins');
  return uid === 0 ? missing : ['root', ...missing];
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
