import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { kubeconfigPaths, kubeconfigTarget } from '#client/kubeconfig/kubeconfig-file.ts';
import { loadKubeconfig } from '#client/kubeconfig/kubeconfig.ts';
import { mergeContext } from '#client/kubeconfig/merge-context.ts';
import { apiChoice } from '#cluster/api-choice.ts';
import { dataDirectoryAt } from '#cluster/data-directory.ts';
import type { MachineCluster } from '#cluster/machine/machine-cluster.ts';
import { chooseRuntime, missingForContainers, type RuntimeName } from '#cluster/machine/runtime-choice.ts';
import type { Progress } from '#cluster/progress.ts';
import { type EtcdFlags, etcdFlags } from '#cluster/store-choice.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { CliError } from '../cli-error.ts';
import { ConsoleProgress } from '../console-progress.ts';
import { fileLogger } from '../file-logger.ts';
import {
  type ApiFlags,
  currentUid,
  isDefaultDataDir,
  parseCount,
  parsePort,
  withApiFlags,
  withDataDir,
  withEtcdFlags,
} from '../options.ts';

const CONTEXT = 'tiphys';

interface UpFlags extends ApiFlags, EtcdFlags {
  readonly dataDir: string;
  readonly port?: number;
  readonly runtime?: RuntimeName;
  readonly nodes: number;
  readonly detach?: boolean;
  readonly kubeconfig?: string | false;
  readonly clusterCidr?: string;
  readonly serviceClusterIpRange?: string;
  readonly v: number;
}

/** `tiphys up`: a whole cluster on this machine, in the foreground or (`--detach`) in the background. */
export function addUpCommand(program: Command): void {
  withEtcdFlags(withApiFlags(withDataDir(program.command('up'))))
    .description('start a cluster on this machine')
    .option('--port <port>', 'port of the API server; 0: any free one (default: as last time, else 6443)', parsePort)
    .addOption(
      new Option(
        '--runtime <name>',
        'what runs containers (default: containerd where it can run, else process)',
      ).choices(['containerd', 'process', 'simulated']),
    )
    .option('--nodes <count>', 'how many nodes', parseCount, 1)
    .option('-d, --detach', 'return when the cluster is ready, and leave it running')
    .option('--kubeconfig <path>', 'the file that gets the context "tiphys" (default: as kubectl chooses)')
    .option('--no-kubeconfig', 'leave the kubeconfig alone')
    .option('--cluster-cidr <cidr>', 'addresses of pods (first start only)')
    .option('--service-cluster-ip-range <cidr>', 'addresses of services, or two ranges with a comma (first start only)')
    .option('-v, --v <level>', 'how much to log', (text) => Number(text), 0)
    .action(async (flags: UpFlags) => {
      if (flags.detach === true) await upDetached(flags);
      else await upForeground(flags);
    });
}

async function upForeground(flags: UpFlags): Promise<void> {
  const progress = new ConsoleProgress();
  const tell = tellParent();
  const uid = currentUid();
  const missing = missingForContainers(process.env, uid);
  const choice = chooseRuntime(flags.runtime, missing);
  if (choice.type === 'impossible') throw new CliError(choice.reason, { hint: choice.hint });
  if (choice.note !== undefined) progress.note(choice.note);
  const directory = dataDirectoryAt(flags.dataDir, uid);
  const log = fileLogger({ path: join(directory.logs, 'server.log'), verbosity: flags.v });
  const executor = new RealExecutor({ onError: (error) => log.error('a task failed', { error }) });
  const stopSignal = nextStopSignal();
  const { startMachineCluster } = await import('#cluster/machine/machine-cluster.ts');
  process.stderr.write(`Starting a cluster in ${directory.root}\n`);
  const starting = startMachineCluster(
    {
      dataDir: flags.dataDir,
      runtime: choice.runtime,
      nodes: flags.nodes,
      ...(flags.port === undefined ? {} : { port: flags.port }),
      ...(flags.clusterCidr === undefined ? {} : { podCidr: flags.clusterCidr }),
      ...(flags.serviceClusterIpRange === undefined ? {} : { serviceCidr: flags.serviceClusterIpRange }),
      selfCommand: [process.execPath, ...selfArguments()],
      context: CONTEXT,
      etcd: etcdFlags(flags),
      ...apiChoice(flags),
      verbosity: flags.v,
    },
    { executor, log, progress, uid, environment: process.env },
  ).catch((error: unknown) => {
    throw explain(error);
  });
  const cluster = await starting;
  await announce({ cluster, flags, progress });
  tell('ready');
  const signal = await stopSignal;
  process.stderr.write(`\n${signal}: stopping (objects stay in ${directory.root})\n`);
  await stop(cluster, progress);
  process.exit(0);
}

async function announce(context: {
  cluster: MachineCluster;
  flags: UpFlags;
  progress: ConsoleProgress;
}): Promise<void> {
  const { cluster, flags, progress } = context;
  if (flags.kubeconfig !== false) {
    const path = flags.kubeconfig ?? kubeconfigTarget(kubeconfigPaths({ env: process.env }));
    const config = loadKubeconfig({ path: cluster.directory.kubeconfig, env: {} });
    await progress.step(`context "${CONTEXT}" in ${path}`, () =>
      mergeContext({ path, name: CONTEXT, config, makeCurrent: true }, { clock: new RealClock() }),
    );
  }
  process.stderr.write(`ready in ${progress.elapsed()}: ${cluster.url}\n`);
  const which = isDefaultDataDir(flags.dataDir) ? '' : ` --data-dir ${flags.dataDir}`;
  process.stderr.write(`next: npx tiphys kubectl${which} get nodes\n`);
}

async function stop(cluster: MachineCluster, progress: Progress): Promise<void> {
  // A second signal while pods stop must not leave half of them: it is noted, and the stop goes on.
  process.on('SIGINT', () => process.stderr.write('still stopping …\n'));
  await cluster.stop(progress);
}

/** Starts the same command in the background and relays its progress until it is ready or has failed. */
async function upDetached(flags: UpFlags): Promise<void> {
  const directory = dataDirectoryAt(flags.dataDir, currentUid());
  const args = process.argv.slice(2).filter((argument) => argument !== '--detach' && argument !== '-d');
  // The log's folder may be made before the directory is checked, so it lies outside of it.
  mkdirSync(directory.runDirectory, { recursive: true, mode: 0o700 });
  const log = openSync(join(directory.runDirectory, 'up.log'), 'w', 0o600);
  const child = spawn(process.execPath, [...selfArguments(), ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, TIPHYS_RELAY: '1' },
  });
  closeSync(log);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('message', (message: unknown) => {
      if (message === 'ready') resolve(0);
      else process.stderr.write(String(message));
    });
    child.on('exit', (exitCode) => resolve(exitCode ?? 1));
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (code !== 0) removeIfUnused(directory.runDirectory);
  process.exitCode = code;
}

/** After a failed start: the folder of the log goes, unless a running cluster has its sockets there. */
function removeIfUnused(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).some((name) => name !== 'up.log')) return;
  rmSync(folder, { recursive: true, force: true });
}

/** In a detached child, standard error goes to the parent too; afterwards only to the log. */
function tellParent(): (message: string) => void {
  if (process.env['TIPHYS_RELAY'] !== '1' || process.send === undefined) return () => undefined;
  const write = process.stderr.write.bind(process.stderr);
  const relay = (chunk: string | Uint8Array): boolean => {
    if (process.connected) process.send?.(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    return write(chunk);
  };
  // Safe: our own callers pass text only, and none waits for the callback of the full signature.
  process.stderr.write = relay as typeof process.stderr.write;
  // A parent that was interrupted must not take the cluster with it.
  process.on('disconnect', () => undefined);
  return (message) => {
    if (process.connected) process.send?.(message);
  };
}

/** How this very command was started, without the arguments after it. */
function selfArguments(): string[] {
  const [, script = ''] = process.argv;
  return [script];
}

function nextStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
  });
}

function explain(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'EADDRINUSE':
      return new CliError(`cannot listen: ${error.message}`, {
        hint: 'another program uses that port; choose one with --port (0: any free one)',
      });
    case 'EACCES':
      return new CliError(`not permitted: ${error.message}`, { hint: 'choose another port or --data-dir' });
    case 'AlreadyRunning':
      return new CliError(error.message, { hint: 'see "tiphys status"; stop it with "tiphys down"' });
    default:
      return error;
  }
}
