import { type Command, InvalidArgumentError } from 'commander';
import { FeatureGates, OptionError, parseFeatureGates } from '#api/features/feature-gates.ts';
import { parseRuntimeConfig, type RuntimeConfig, servedResources } from '#api/features/runtime-config.ts';
import { RESOURCE_TABLE } from '#api/generated/resource-table.ts';
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

/** Whether a command needs no `--data-dir` to mean this one. */
export function isDefaultDataDir(path: string): boolean {
  return path === defaultDataDirectory(process.env, currentUid());
}

export interface ApiFlags {
  readonly runtimeConfig?: RuntimeConfig;
  readonly featureGates?: Readonly<Record<string, boolean>>;
}

/** Adds the flags that say which parts of the API a server has besides the stable ones. */
export function withApiFlags(command: Command): Command {
  return command
    .option(
      '--runtime-config <pairs>',
      'versions of the API to serve or not: api/all, api/beta, api/alpha, GROUP/VERSION[/RESOURCE], =true or =false',
      (text: string, before: RuntimeConfig | undefined) =>
        checked(() => {
          const runtimeConfig = { ...before, ...parseRuntimeConfig(text) };
          servedResources(RESOURCE_TABLE, { runtimeConfig, gates: new FeatureGates() });
          return runtimeConfig;
        }),
    )
    .option(
      '--feature-gates <pairs>',
      'features to switch on or off: NAME=true or NAME=false, with commas between them',
      (text: string, before: Readonly<Record<string, boolean>> | undefined) =>
        checked(() => {
          const featureGates = { ...before, ...parseFeatureGates(text) };
          // Refuses what is unknown or locked.
          return new FeatureGates(featureGates).list().length > 0 ? featureGates : {};
        }),
    );
}

/** Adds kube-apiserver's flags that say where etcd is. */
export function withEtcdFlags(command: Command): Command {
  return command
    .option(
      '--etcd-servers <urls>',
      'etcd to keep objects in: http(s)://host:port, with commas between them',
      parseList,
    )
    .option('--etcd-cafile <file>', 'CA of the certificates of etcd')
    .option('--etcd-certfile <file>', 'client certificate for etcd')
    .option('--etcd-keyfile <file>', 'its key')
    .option('--etcd-prefix <prefix>', 'what all keys in etcd begin with (default: /registry)');
}

function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof OptionError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** A port number; 0 lets the system choose. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('it must be a number from 0 to 65535.');
  return port;
}

/** `a,b`. */
export function parseList(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

/** How a switch is written in kube flags: `--leader-elect=false`. */
export function parseSwitch(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('it must be true or false.');
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
