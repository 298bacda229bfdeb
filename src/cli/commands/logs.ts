import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { findCluster, withDataDir } from '../options.ts';

/** `tiphys logs`: the logs of Tiphys' own processes (those of pods are `kubectl logs`). */
export function addLogsCommand(program: Command): void {
  withDataDir(program.command('logs'))
    .description('logs of the server, the agents and containerd (for pods: kubectl logs)')
    .argument('[component]', 'server, agent-NODE or containerd-NODE; without it, a list', 'server')
    .option('-f, --follow', 'go on with what is written')
    .option('-n, --tail <lines>', 'how many of the last lines', '200')
    .action(async (component: string, options: { dataDir: string; follow?: boolean; tail: string }) => {
      const { directory } = findCluster(options.dataDir);
      const path = join(directory.logs, `${component}.log`);
      if (!existsSync(path) || !statSync(path).isFile()) {
        const known = existsSync(directory.logs)
          ? readdirSync(directory.logs).flatMap((name) => (name.endsWith('.log') ? [name.slice(0, -4)] : []))
          : [];
        const hint = known.length === 0 ? {} : { hint: `there are: ${known.join(', ')}` };
        throw new CliError(`there is no log of "${component}" in ${directory.logs}`, hint);
      }
      const args = ['-n', options.tail, ...(options.follow === true ? ['-F'] : []), path];
      await new Promise<void>((resolve, reject) => {
        const child = spawn('tail', args, { stdio: 'inherit' });
        child.on('error', reject);
        child.on('exit', () => resolve());
      });
    });
}
