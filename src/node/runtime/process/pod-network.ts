import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { RuntimeError } from '../contract.ts';
import { findProgram } from '../find-program.ts';

const run = promisify(execFile);

/** A sandbox's place in the network. */
export interface PodAddress {
  readonly ip: string;
  readonly additionalIps: readonly string[];
  /** Absent where the pod shares the host's network. */
  readonly networkNamespace?: string;
}

export interface PodNetwork {
  readonly isIsolated: boolean;
  attach(sandboxId: string, pod: { name: string; namespace: string; uid: string }): Promise<PodAddress>;
  detach(sandboxId: string): Promise<void>;
}

/**
 * Pods share the host's network. Each has an address of its own in 127.0.0.0/8, on which its programs may listen; those
 * that listen on all addresses share ports with every other process of the machine.
 */
export class LoopbackNetwork implements PodNetwork {
  readonly isIsolated = false;
  readonly #addresses = new Map<string, string>();
  readonly #random: (limit: number) => number;

  constructor(deps: { random: { int(limit: number): number } }) {
    this.#random = (limit) => deps.random.int(limit);
  }

  attach(sandboxId: string): Promise<PodAddress> {
    const taken = new Set(this.#addresses.values());
    let ip: string;
    // 127.64.0.1 and up: clear of 127.0.0.x, where people's own servers and resolvers sit.
    do ip = `127.${64 + this.#random(128)}.${this.#random(256)}.${1 + this.#random(254)}`;
    while (taken.has(ip));
    this.#addresses.set(sandboxId, ip);
    return Promise.resolve({ ip, additionalIps: [] });
  }

  /** After a restart of the agent: the address stays taken. */
  adopt(sandboxId: string, ip: string): void {
    this.#addresses.set(sandboxId, ip);
  }

  detach(sandboxId: string): Promise<void> {
    this.#addresses.delete(sandboxId);
    return Promise.resolve();
  }
}

const NAMESPACE_PREFIX = 'tiphys-';
const PLUGIN_OUTPUT_BYTES_MAX = 1024 * 1024;

/** A network namespace for each pod, wired by the node's CNI plugins, as containerd does it. Needs root and `ip`. */
export class CniNetwork implements PodNetwork {
  readonly isIsolated = true;
  readonly #options: { confDir: string; binDir: string; path: string };

  constructor(options: { confDir: string; binDir: string; path: string }) {
    this.#options = options;
  }

  async attach(sandboxId: string, pod: { name: string; namespace: string; uid: string }): Promise<PodAddress> {
    const name = NAMESPACE_PREFIX + sandboxId.slice(0, 12);
    await this.#ip(['netns', 'add', name]);
    try {
      await this.#ip(['-n', name, 'link', 'set', 'lo', 'up']);
      const result = await this.#plugins('ADD', sandboxId, pod);
      const [ip = '', ...additionalIps] = (result?.ips ?? []).map(({ address }) => address.replace(/\/\d+$/, ''));
      return { ip, additionalIps, networkNamespace: `/run/netns/${name}` };
    } catch (error) {
      await this.detach(sandboxId);
      throw error;
    }
  }

  async detach(sandboxId: string): Promise<void> {
    const name = NAMESPACE_PREFIX + sandboxId.slice(0, 12);
    if (!existsSync(`/run/netns/${name}`)) return;
    // A node that is being swept may have lost its configuration; the namespace takes its interfaces with it.
    if (hasConfigList(this.#options.confDir)) {
      await this.#plugins('DEL', sandboxId, { name: '', namespace: '', uid: '' });
    }
    await this.#ip(['netns', 'delete', name]);
  }

  async #plugins(
    command: 'ADD' | 'DEL',
    sandboxId: string,
    pod: { name: string; namespace: string; uid: string },
  ): Promise<CniResult | undefined> {
    const list = readConfigList(this.#options.confDir);
    const plugins = command === 'ADD' ? list.plugins : [...list.plugins].reverse();
    let previous: CniResult | undefined;
    for (const plugin of plugins) {
      const config = {
        ...plugin,
        name: list.name,
        cniVersion: list.cniVersion,
        ...(previous === undefined ? {} : { prevResult: previous }),
      };
      const environment = {
        PATH: this.#options.path,
        CNI_COMMAND: command,
        CNI_CONTAINERID: sandboxId,
        CNI_NETNS: `/run/netns/${NAMESPACE_PREFIX}${sandboxId.slice(0, 12)}`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: this.#options.binDir,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name};K8S_POD_UID=${pod.uid}`,
      };
      const output = await runPlugin(join(this.#options.binDir, plugin.type), JSON.stringify(config), environment);
      // Safe: a plugin's success is a result of the CNI specification.
      if (command === 'ADD') previous = JSON.parse(output) as CniResult;
    }
    return previous;
  }

  async #ip(args: readonly string[]): Promise<void> {
    try {
      await run(findProgram('ip', this.#options.path) ?? 'ip', [...args], { env: { PATH: this.#options.path } });
    } catch (cause) {
      throw new RuntimeError('Unknown', `cannot run ip ${args.join(' ')}: ${String(cause)}`, { cause });
    }
  }
}

interface CniResult {
  readonly ips?: readonly { readonly address: string }[];
}

interface CniConfigList {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly { readonly type: string }[];
}

function hasConfigList(confDir: string): boolean {
  return existsSync(confDir) && readdirSync(confDir).some((name) => name.endsWith('.conflist'));
}

/** The first configuration by name, as every CRI runtime chooses. */
function readConfigList(confDir: string): CniConfigList {
  const names = existsSync(confDir) ? readdirSync(confDir).sort() : [];
  const file = names.find((name) => name.endsWith('.conflist'));
  if (file === undefined) throw new RuntimeError('FailedPrecondition', `no network config found in ${confDir}`);
  // Safe: written by the node's own network set-up; a plugin refuses what it does not understand.
  return JSON.parse(readFileSync(join(confDir, file), 'utf8')) as CniConfigList;
}

function runPlugin(program: string, config: string, environment: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      if (output.length < PLUGIN_OUTPUT_BYTES_MAX) output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4096);
    });
    child.once('error', (cause) => reject(new RuntimeError('Unknown', `cannot run ${program}`, { cause })));
    child.stdin.on('error', () => undefined);
    child.stdin.end(config);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new RuntimeError('Unknown', `plugin ${program} failed (add): ${pluginError(output) ?? errors}`));
    });
  });
}

function pluginError(output: string): string | undefined {
  try {
    const { msg }: { msg?: unknown } = JSON.parse(output);
    return typeof msg === 'string' ? msg : undefined;
  } catch {
    // Not the error format of CNI: the caller shows stderr.
    return undefined;
  }
}
