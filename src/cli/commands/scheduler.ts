import type { Command } from 'commander';
import { clientConfig, type ElectedFlags, healthPort, serveComponent, withElectedFlags } from '../component.ts';

interface SchedulerFlags extends ElectedFlags {
  readonly schedulerName: string;
}

/** `tiphys scheduler`: the scheduler alone, for any API server. */
export function addSchedulerCommand(program: Command): void {
  withElectedFlags(program.command('scheduler'), { securePort: 10_259 })
    .description('run a scheduler, for any Kubernetes API server')
    .option('--scheduler-name <name>', 'schedule the pods that ask for this one', 'default-scheduler')
    .action(async (flags: SchedulerFlags) => {
      const { runScheduler } = await import('#cluster/components/scheduler.ts');
      const config = clientConfig(flags, 'kube-scheduler/v1.36.0 (tiphys)');
      await serveComponent({ name: 'scheduler', config, v: flags.v }, async (deps) => {
        const health = await healthPort(flags, deps);
        return runScheduler(
          {
            election: { isElecting: flags.leaderElect, leaseNamespace: flags.leaderElectResourceNamespace },
            schedulerName: flags.schedulerName,
            ...(health === undefined ? {} : { health }),
          },
          deps,
        );
      });
    });
}
