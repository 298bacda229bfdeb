import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { loadIntoContainerd } from '#node/image/load-containerd.ts';
import type { ContainerRuntime } from '#node/runtime/contract.ts';
import { Containerd } from '#node/runtime/cri/containerd.ts';
import { CriRuntime } from '#node/runtime/cri/cri-runtime.ts';
import { findCniBinDir } from '#node/runtime/cri/host-probe.ts';
import { CniNetwork } from '#node/runtime/process/pod-network.ts';
import { ProcessRuntime } from '#node/runtime/process/process-runtime.ts';
import type { AgentDeps } from './agent-deps.ts';
import type { AgentConfig } from './machine/agent-config.ts';
import { containerdOptions } from './machine/containerd-options.ts';
import { cniConfigDirectory, isolationFile, processDirectory } from './machine/node-paths.ts';

export interface AgentRuntime {
  readonly runtime: ContainerRuntime;
  /** Ends all containers and whatever runs them. */
  remove(): Promise<void>;
}

/** Opens the node's runtime, taking over what runs, with the given images loaded. */
export function openAgentRuntime(config: AgentConfig, deps: AgentDeps): Promise<AgentRuntime> {
  return config.runtime === 'containerd' ? openContainerd(config, deps) : openProcesses(config, deps);
}

async function openContainerd(config: AgentConfig, deps: AgentDeps): Promise<AgentRuntime> {
  const { executor, log, environment } = deps;
  const { clock } = executor;
  const containerd = await Containerd.start(containerdOptions(config, environment), { clock, log });
  const runtime = await CriRuntime.connect(containerd.endpoint, { clock });
  const isPresent = async (name: string) => (await runtime.imageStatus(name)) !== undefined;
  const known = new Set((await runtime.listImages()).flatMap((image) => image.repoTags));
  for (const archive of config.images) {
    if (isLoaded(archive, known)) continue;
    const target = { endpoint: containerd.endpoint, environment: { PATH: environment['PATH'] ?? '' } };
    await loadIntoContainerd(archive, target, { clock, isPresent });
  }
  return {
    runtime,
    remove: async () => {
      await runtime.close();
      await containerd.stop({ containers: 'remove' });
    },
  };
}

async function openProcesses(config: AgentConfig, deps: AgentDeps): Promise<AgentRuntime> {
  const { clock, random } = deps.executor;
  const runtime = await openProcessRuntime(config, { ...deps, clock, random });
  const known = new Set((await runtime.images.list()).flatMap((image) => image.names));
  for (const archive of config.images) if (!isLoaded(archive, known)) await runtime.images.load(archive);
  writeFileSync(isolationFile(config.dataDirectory), runtime.isolationNotes().join('; '));
  return { runtime, remove: () => runtime.removeAll() };
}

/** The process runtime of a node; also for whoever cleans up after its agent. */
export function openProcessRuntime(
  config: AgentConfig,
  deps: AgentDeps & Pick<AgentDeps['executor'], 'clock' | 'random'>,
): Promise<ProcessRuntime> {
  const path = deps.environment['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin';
  const binDir = findCniBinDir();
  const network =
    config.ownsNetwork && binDir !== undefined
      ? { network: new CniNetwork({ confDir: cniConfigDirectory(config.dataDirectory), binDir, path }) }
      : {};
  return ProcessRuntime.open(
    {
      directory: processDirectory(config.dataDirectory),
      path,
      ...network,
    },
    deps,
  );
}

/** The built-in archives hold one image each, named after their file. */
function isLoaded(archive: string, known: ReadonlySet<string>): boolean {
  const stem = basename(archive, '.tar');
  return [...known].some((name) => name.includes(`/${stem}:`) || name.endsWith(`/${stem}`));
}
