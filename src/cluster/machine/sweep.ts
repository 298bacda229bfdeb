import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { LinuxHost } from '#node/host/linux-host.ts';
import { Containerd } from '#node/runtime/cri/containerd.ts';
import { sweepProcessRuntime } from '#node/runtime/process/sweep.ts';
import type { DataDirectory } from '../data-directory.ts';
import { type AgentConfig, readAgentConfig } from './agent-config.ts';
import { containerdOptions } from './containerd-options.ts';
import { stopProcess } from './child-process.ts';
import { containerdStateDirectory, processDirectory } from './node-paths.ts';
import type { ClusterState } from './state-file.ts';

export interface SweepDeps {
  readonly executor: Executor;
  readonly log: Logger;
  readonly uid: number | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

const AGENT_GRACE_MS = 45_000;
const CGROUP_TRIES = 50;
const CGROUP_RETRY_MS = 20;

/**
 * Ends whatever still runs of a cluster's nodes and removes what they left on the machine: agents, containerd, shims,
 * containers, mounts, cgroups, sockets. What is already gone is no error, so it can run at any time, twice too.
 */
export async function sweepNodes(directory: DataDirectory, state: ClusterState, deps: SweepDeps): Promise<void> {
  await Promise.all(
    state.nodes.map(async (node) => {
      await stopProcess(node.agent, { clock: deps.executor.clock, graceMs: AGENT_GRACE_MS });
      const file = join(directory.node(node.name), 'agent.json');
      if (existsSync(file)) await sweepNode(readAgentConfig(file), deps);
    }),
  );
  rmSync(directory.runDirectory, { recursive: true, force: true });
}

async function sweepNode(config: AgentConfig, deps: SweepDeps): Promise<void> {
  const { executor, log, environment } = deps;
  if (config.runtime === 'process') {
    await sweepProcessRuntime(processDirectory(config.dataDirectory), { clock: executor.clock, log });
  }
  if (
    config.runtime === 'containerd' &&
    existsSync(join(containerdStateDirectory(config.runDirectory), 'config.toml'))
  ) {
    // Starting takes over a containerd that runs on, or makes a dead one's containers known again.
    const containerd = await Containerd.start(containerdOptions(config, environment), { clock: executor.clock, log });
    await containerd.stop({ containers: 'remove' });
  }
  const host = new LinuxHost({ isRoot: deps.uid === 0 });
  if (process.platform === 'linux') {
    for (const folder of [config.dataDirectory, config.runDirectory]) {
      for (const point of await host.mounts.listBelow(folder)) await host.mounts.unmount(point);
    }
    await removeCgroups(config.cgroupRoot, executor);
  }
}

/** Removes a node's cgroups in every hierarchy; the processes inside are ended already, or are ended here. */
async function removeCgroups(cgroupRoot: string, executor: Executor): Promise<void> {
  const base = '/sys/fs/cgroup';
  if (!existsSync(base) || cgroupRoot.length < 2) return;
  const roots = [base, ...readdirSync(base).map((name) => join(base, name))];
  for (const root of roots) {
    const top = join(root, cgroupRoot);
    if (existsSync(top)) await removeCgroup(top, executor);
  }
}

async function removeCgroup(path: string, executor: Executor): Promise<void> {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name), executor);
  }
  for (let attempt = 0; existsSync(path); attempt += 1) {
    try {
      rmdirSync(path);
    } catch (error) {
      // Busy: a process in it has been killed and is not gone yet, or was never ended.
      if (attempt >= CGROUP_TRIES) throw error;
      killMembers(path);
      await executor.clock.sleep(CGROUP_RETRY_MS);
    }
  }
}

function killMembers(path: string): void {
  const kill = join(path, 'cgroup.kill');
  if (existsSync(kill)) {
    writeFileSync(kill, '1');
    return;
  }
  const procs = join(path, 'cgroup.procs');
  if (!existsSync(procs)) return;
  for (const pid of readFileSync(procs, 'utf8').split('\n')) {
    if (pid === '' || pid === '0') continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      // It ended by itself.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}
