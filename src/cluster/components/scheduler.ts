import { startScheduler } from '#scheduler/scheduler.ts';
import { Closers, type ComponentDeps, type ElectedComponent } from './component.ts';
import { type ElectionOptions, startElected } from './election.ts';
import { type HealthServerOptions, listenHealth } from './health-server.ts';

export interface SchedulerOptions {
  readonly election: Omit<ElectionOptions, 'leaseName'>;
  /** Absent: no port. */
  readonly health?: Omit<HealthServerOptions, 'checks'>;
  readonly schedulerName?: string;
}

/** A scheduler of its own, for whatever API server the client is of. Acts as the client's user. */
export async function runScheduler(options: SchedulerOptions, deps: ComponentDeps): Promise<ElectedComponent> {
  const { schedulerName } = options;
  const closers = new Closers(deps.log);
  if (options.health !== undefined) {
    const well = () => undefined;
    const checks = { '/healthz': well, '/livez': well, '/readyz': well };
    const server = await listenHealth({ ...options.health, checks });
    closers.add(() => server.close());
  }
  const component = startElected(
    { ...options.election, leaseName: 'kube-scheduler' },
    {
      ...deps,
      start: () => startScheduler({ ...deps, ...(schedulerName === undefined ? {} : { schedulerName }) }),
    },
  );
  closers.add(() => component.stop());
  return { lost: component.lost, stop: () => closers.closeAll() };
}
