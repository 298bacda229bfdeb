import type { Client } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { RunningComponent } from './components/component.ts';
import { startElected } from './components/election.ts';

/**
 * Runs a component whenever this process holds its lease. A process of one component ends when it loses the lease; a
 * whole server goes on, so the component is stopped and stands for election again.
 */
export function runElected(
  { leaseName, client }: { leaseName: string; client: Client },
  deps: { executor: Executor; log: Logger; start: () => Promise<RunningComponent> },
): { stop(): Promise<void> } {
  const stopping = Promise.withResolvers<'stopping'>();
  const run = async () => {
    for (;;) {
      const component = startElected({ isElecting: true, leaseName }, { ...deps, client });
      const end = await Promise.race([stopping.promise, component.lost]);
      await component.stop();
      if (end === 'stopping') return;
      deps.log.warn('lost the lease; standing for election again', { lease: leaseName });
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.resolve('stopping');
      await running;
    },
  };
}
