import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { isAlive, type ProcessId } from '#cluster/machine/state-file.ts';
import { findCluster, withDataDir } from '../options.ts';

/** `tiphys status`: exit code 0 where the cluster runs and is ready, 3 where it does not run, 4 where it is not ready. */
export function addStatusCommand(program: Command): void {
  withDataDir(program.command('status'))
    .description('what runs, where, and how much memory it takes')
    .option('-o, --output <format>', 'text or json', 'text')
    .action((options: { dataDir: string; output: string }) => {
      const { directory, state, isRunning } = findCluster(options.dataDir);
      process.exitCode = isRunning ? (state?.isReady === true ? 0 : 4) : 3;
      if (options.output === 'json') {
        const running = isRunning && state !== undefined;
        process.stdout.write(`${JSON.stringify({ dataDir: directory.root, running, ...state }, null, 2)}\n`);
        return;
      }
      if (state === undefined || !isRunning) {
        process.stdout.write(`not running: ${directory.root}\nstart it with "npm start" or "tiphys up --detach"\n`);
        return;
      }
      const rows: [string, string][] = [
        ['data directory', directory.root],
        ['server', state.url],
        ['context', state.context],
        ['runtime', state.runtime],
        ['state', state.isReady ? 'ready' : 'starting'],
        ['server process', describe(state.server)],
      ];
      for (const node of state.nodes) {
        if (node.agent !== undefined) rows.push([`agent ${node.name}`, describe(node.agent)]);
        if (node.containerd !== undefined) rows.push([`containerd ${node.name}`, describe(node.containerd)]);
      }
      const width = Math.max(...rows.map(([name]) => name.length));
      for (const [name, value] of rows) process.stdout.write(`${name.padEnd(width)}  ${value}\n`);
    });
}

function describe(id: ProcessId): string {
  if (!isAlive(id)) return `pid ${id.pid}, gone`;
  const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${id.pid}/status`, 'utf8'))?.[1];
  return rss === undefined ? `pid ${id.pid}` : `pid ${id.pid}, ${(Number(rss) / 1024).toFixed(0)} MB`;
}
