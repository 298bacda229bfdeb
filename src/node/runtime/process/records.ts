import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { ContainerConfig, PodSandboxConfig } from '../contract.ts';
import { readText } from '../linux-process.ts';
import type { ContainerCgroup } from './cgroup.ts';
import type { PodAddress } from './pod-network.ts';
import type { ExitRecord, PidRecord } from './supervisor/protocol.ts';

/** `sandboxes/ID/sandbox.json`. */
export interface SandboxRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAtMs: number;
  readonly address: PodAddress;
  readonly isStopped: boolean;
}

/** `containers/ID/container.json`: everything about a container but whether it runs. */
export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly createdAtMs: number;
  readonly config: ContainerConfig;
  readonly imageId: string;
  readonly imageName: string;
  /** The image's unpacked file system. */
  readonly lower: string;
  readonly logPath: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly stopSignal: NodeJS.Signals;
  readonly cgroup?: ContainerCgroup;
}

/** The runtime's memory on disk: one folder a sandbox and a container. */
export class Records {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    for (const name of ['sandboxes', 'containers']) mkdirSync(join(directory, name), { recursive: true, mode: 0o700 });
  }

  containerFolder(id: string): string {
    return join(this.#directory, 'containers', id);
  }

  sandboxFolder(id: string): string {
    return join(this.#directory, 'sandboxes', id);
  }

  /** Folders without their record are left from a crash while they were made. */
  async load(): Promise<{ sandboxes: SandboxRecord[]; containers: ContainerRecord[] }> {
    const sandboxes = readAll<SandboxRecord>(join(this.#directory, 'sandboxes'), 'sandbox.json');
    const containers = readAll<ContainerRecord>(join(this.#directory, 'containers'), 'container.json');
    for (const folder of [...sandboxes.incomplete, ...containers.incomplete]) await removeFolder(folder);
    return { sandboxes: sandboxes.records, containers: containers.records };
  }

  saveSandbox(record: SandboxRecord): void {
    const folder = this.sandboxFolder(record.id);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeJson(join(folder, 'sandbox.json'), record);
  }

  saveContainer(record: ContainerRecord): void {
    writeJson(join(this.containerFolder(record.id), 'container.json'), record);
  }

  saveExit(id: string, exit: ExitRecord): void {
    writeJson(join(this.containerFolder(id), 'exit.json'), exit);
  }

  pid(id: string): PidRecord | undefined {
    return readJson<PidRecord>(join(this.containerFolder(id), 'pid.json'));
  }

  exit(id: string): ExitRecord | undefined {
    return readJson<ExitRecord>(join(this.containerFolder(id), 'exit.json'));
  }

  /** The container's first process as the host numbers it; written by its launch script. */
  mainPid(id: string): number | undefined {
    const pid = Number(readText(join(this.containerFolder(id), 'main.pid')) ?? 0);
    return pid > 0 ? pid : undefined;
  }

  async removeContainer(id: string): Promise<void> {
    await removeFolder(this.containerFolder(id));
  }

  async removeSandbox(id: string): Promise<void> {
    await removeFolder(this.sandboxFolder(id));
  }
}

async function removeFolder(folder: string): Promise<void> {
  // overlayfs leaves a folder there that not even its owner may enter.
  await chmod(join(folder, 'work/work'), 0o700).catch(() => undefined);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}

function readAll<T>(folder: string, file: string): { records: T[]; incomplete: string[] } {
  const records: T[] = [];
  const incomplete: string[] = [];
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const record = readJson<T>(join(folder, name, file));
    if (record === undefined) incomplete.push(join(folder, name));
    else records.push(record);
  }
  return { records, incomplete };
}

/** Files are written whole (by rename), by this version of the code: T is what was saved. */
function readJson<T>(path: string): T | undefined {
  const text = readText(path);
  // Safe: see above.
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
