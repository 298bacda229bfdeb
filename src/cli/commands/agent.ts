import { type Command, Option } from 'commander';
import { readAgentConfig } from '#cluster/machine/agent-config.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { stderrLogger } from '../file-logger.ts';

/** `tiphys agent`: one node's kubelet, service proxy and DNS. `tiphys up` starts it with `--config`. */
export function addAgentCommand(program: Command): void {
  program
    .command('agent')
    .description('run a node: kubelet, service proxy and DNS')
    .addOption(new Option('--config <file>', 'the configuration that "tiphys up" wrote').makeOptionMandatory())
    .action(async (flags: { config: string }) => {
      // A command loads only what it runs: the others' rooms would cost memory and time to start.
      const { startAgent } = await import('#cluster/agent.ts');
      const config = readAgentConfig(flags.config);
      const log = stderrLogger({ verbosity: config.verbosity });
      const executor = new RealExecutor({ onError: (error) => log.error('a task failed', { error }) });
      const stopped = new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      });
      const agent = await startAgent(config, { executor, log, environment: process.env });
      await stopped;
      await agent.stop();
      process.exit(0);
    });
}
