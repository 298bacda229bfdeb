import { hostname } from 'node:os';
import { LeaderElector } from '#client/leader/leader-elector.ts';
import { type ComponentDeps, type ElectedComponent, type RunningComponent } from './component.ts';

export interface ElectionOptions {
  /** `--leader-elect`: without it the component works at once, whoever else does. */
  readonly isElecting: boolean;
  readonly leaseName: string;
  readonly leaseNamespace?: string;
}

/** Starts a component when its lease is won. */
export function startElected(
  options: ElectionOptions,
  deps: ComponentDeps & { start: () => Promise<RunningComponent> },
): ElectedComponent {
  const { client, executor, log, start } = deps;
  const stopping = new AbortController();
  let started: Promise<RunningComponent | undefined> = Promise.resolve(undefined);
  const lost = Promise.withResolvers<void>();
  const begin = () => {
    started = start().catch((error: unknown) => {
      log.error('the component did not start', { lease: options.leaseName, error });
      lost.resolve();
      return undefined;
    });
  };
  const stop = async () => {
    stopping.abort();
    await (await started)?.stop();
  };
  if (!options.isElecting) {
    begin();
    return { lost: lost.promise, stop };
  }
  const { clock, random } = executor;
  const elector = new LeaderElector(
    { client, clock, random, log },
    {
      namespace: options.leaseNamespace ?? 'kube-system',
      name: options.leaseName,
      identity: `${hostname()}_${random.uuid()}`,
      // The lease is given back only after the component stopped: see `stop`.
      onStartedLeading: begin,
      onNewLeader: (identity) => log.info('new leader', { lease: options.leaseName, identity }),
    },
  );
  const elected = elector.run(stopping.signal).then(() => {
    if (!stopping.signal.aborted) lost.resolve();
  });
  return {
    lost: lost.promise,
    stop: async () => {
      await (await started)?.stop();
      stopping.abort();
      await elected;
    },
  };
}
