import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { findCluster, withDataDir } from '../options.ts';
import { forgetContext, stopClusterAt } from './down.ts';

/** `tiphys delete`: stops the cluster and removes its data directory and its context. */
export function addDeleteCommand(program: Command): void {
  withDataDir(program.command('delete'))
    .description('stop the cluster and remove its data')
    .option('--kubeconfig <path>', 'the file that has the context "tiphys" (default: as kubectl chooses)')
    .action(async (options: { dataDir: string; kubeconfig?: string }) => {
      const { directory, state } = findCluster(options.dataDir);
      if (!existsSync(directory.root)) {
        process.stderr.write(`nothing to delete: ${directory.root} does not exist\n`);
        return;
      }
      // Never remove a folder that is not ours, whatever --data-dir says.
      if (!existsSync(join(directory.root, 'format'))) {
        throw new CliError(`${directory.root} is no data directory of tiphys: nothing was removed`);
      }
      await stopClusterAt(options.dataDir);
      if (state !== undefined) {
        const path = options.kubeconfig === undefined ? {} : { path: options.kubeconfig };
        await forgetContext({ context: state.context, server: state.url, ...path });
      }
      rmSync(directory.root, { recursive: true, force: true });
      rmSync(directory.runDirectory, { recursive: true, force: true });
      process.stderr.write(`deleted ${directory.root}\n`);
    });
}
