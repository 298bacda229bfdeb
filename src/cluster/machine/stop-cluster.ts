import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { runCommand } from '#node/host/run-command.ts';
import { removeMachineNetwork } from '#node/network/machine-network.ts';
import type { DataDirectory } from '../data-directory.ts';
import type { Progress } from '../progress.ts';
import { stopProcess } from './child-process.ts';
import { type ClusterState, isAlive, removeState } from './state-file.ts';
import { sweepNodes } from './sweep.ts';

export interface StopDeps {
  readonly executor: Executor;
  readonly log: Logger;
  readonly progress: Progress;
  readonly uid: number | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/** A server stops pods first, each with its own grace. */
const SERVER_GRACE_MS = 90_000;

/**
 * Stops a cluster from outside: asks its server where that lives, and cleans up itself after one that was killed.
 */
export async function stopCluster(directory: DataDirectory, state: ClusterState, deps: StopDeps): Promise<void> {
  const { progress, executor } = deps;
  if (isAlive(state.server)) {
    await progress.step('server stopped', () =>
      stopProcess(state.server, { clock: executor.clock, graceMs: SERVER_GRACE_MS }),
    );
  }
  await progress.step('nodes cleaned up', () => sweepNodes(directory, state, deps));
  if (state.network !== undefined) {
    const before = state.ipForwardBefore === undefined ? undefined : { ipForwardBefore: state.ipForwardBefore };
    await removeMachineNetwork(state.network, runCommand, before);
  }
  removeState(directory.stateFile);
}
