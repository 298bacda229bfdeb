import type { Command } from 'commander';
import { kubeconfigPaths, readKubeconfig } from '#client/kubeconfig/kubeconfig-file.ts';
import { removeContext } from '#client/kubeconfig/merge-context.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { ConsoleProgress } from '../console-progress.ts';
import { currentUid, findCluster, withDataDir } from '../options.ts';

/** `tiphys down`: stops everything of a cluster, also what a killed server left behind. Objects stay. */
export function addDownCommand(program: Command): void {
  withDataDir(program.command('down'))
    .description('stop the cluster; its objects stay in the data directory')
    .action(async (options: { dataDir: string }) => {
      const stopped = await stopClusterAt(options.dataDir);
      process.stderr.write(stopped ? `stopped; start again with "tiphys up"\n` : `not running: ${options.dataDir}\n`);
    });
}

/** Returns whether there was anything to stop. */
export async function stopClusterAt(dataDir: string): Promise<boolean> {
  const { directory, state } = findCluster(dataDir);
  if (state === undefined) return false;
  const { stopCluster } = await import('#cluster/machine/stop-cluster.ts');
  await stopCluster(directory, state, {
    executor: new RealExecutor(),
    log: silentLogger,
    progress: new ConsoleProgress(),
    uid: currentUid(),
    environment: process.env,
  });
  return true;
}

/** Takes the cluster's context out of the user's kubeconfig, where it leads to this cluster and not to another. */
export async function forgetContext(options: { context: string; server: string; path?: string }): Promise<void> {
  const { context: name, server, path } = options;
  const paths = kubeconfigPaths({ env: process.env, ...(path === undefined ? {} : { path }) });
  const config = readKubeconfig(paths);
  const clusterName = config.contexts.get(name)?.fields['cluster'];
  const found = config.clusters.get(String(clusterName))?.fields['server'];
  if (found === server) await removeContext({ paths, name }, { clock: new RealClock() });
}
