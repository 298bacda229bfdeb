import { type Command, InvalidArgumentError } from 'commander';
import { type DataDirectory, dataDirectoryAt, defaultDataDirectory } from '#cluster/data-directory.ts';
import { type ClusterState, isAlive, readState } from '#cluster/machine/state-file.ts';
import { CliError } from './cli-error.ts';

/** The numeric user id; undefined where the system has none. */
export function currentUid(): number | undefined {
  return process.getuid?.();
}

/** Adds `--data-dir`, which says which cluster a command is about. */
export function withDataDir(command: Command): Command {
  const fallback = defaultDataDirectory(process.env, currentUid());
  return command.option('--data-dir <path>', 'the data directory, which names the cluster', fallback);
}

/** A port number; 0 lets the system choose. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('it must be a number from 0 to 65535.');
  return port;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1) throw new InvalidArgumentError('it must be a whole number from 1.');
  return count;
}

export interface FoundCluster {
  readonly directory: DataDirectory;
  readonly state: ClusterState | undefined;
  readonly isRunning: boolean;
}

/** What is known of the cluster of a data directory, without changing anything. */
export function findCluster(dataDir: string): FoundCluster {
  const directory = dataDirectoryAt(dataDir, currentUid());
  const state = readState(directory.stateFile);
  return { directory, state, isRunning: isAlive(state?.server) };
}

/** The same for commands that need a running one. */
export function requireRunning(dataDir: string): FoundCluster & { state: ClusterState } {
  const found = findCluster(dataDir);
  if (found.state === undefined || !found.isRunning) {
    throw new CliError(`no cluster is running in ${found.directory.root}`, {
      hint: 'start one with "npm start" or "tiphys up --detach", or say which with --data-dir',
    });
  }
  return { ...found, state: found.state };
}
