import type { Client } from '#client/client.ts';
import { controllerList, selectControllers } from '#controllers/controller-list.ts';
import { MANAGER_CLIENT, startControllers } from '#controllers/manager.ts';
import type { ControllerOptions } from '#controllers/options.ts';
import { Closers, type ComponentDeps, type ElectedComponent } from './component.ts';
import { type ElectionOptions, startElected } from './election.ts';
import { type HealthServerOptions, listenHealth } from './health-server.ts';
import { ServiceAccountClients } from './service-account-clients.ts';

export interface ControllerManagerOptions {
  readonly election: Omit<ElectionOptions, 'leaseName'>;
  /** Absent: no port. */
  readonly health?: Omit<HealthServerOptions, 'checks'>;
  /** As `--controllers`. */
  readonly controllers: readonly string[];
  readonly options: Partial<ControllerOptions>;
  /** `--use-service-account-credentials`: makes a client that authenticates with a token. Absent: all act as one. */
  readonly clientWithToken?: (tokenFile: string) => Client & { close(): Promise<void> };
}

/** The controllers on their own, for whatever API server the client is of. Throws for unknown controllers. */
export async function runControllerManager(
  options: ControllerManagerOptions,
  deps: ComponentDeps,
): Promise<ElectedComponent> {
  const { selected, unknown } = selectControllers(controllerList, options.controllers);
  if (unknown.length > 0) throw new RangeError(`no controller is named ${unknown.join(', ')}`);
  const closers = new Closers(deps.log);
  if (options.health !== undefined) {
    const well = () => undefined;
    const server = await listenHealth({ ...options.health, checks: { '/healthz': well, '/livez': well } });
    closers.add(() => server.close());
  }
  const component = startElected(
    { ...options.election, leaseName: 'kube-controller-manager' },
    { ...deps, start: () => start(options, deps, [...new Set(selected.map((one) => one.serviceAccount))]) },
  );
  closers.add(() => component.stop());
  return { lost: component.lost, stop: () => closers.closeAll() };
}

async function start(options: ControllerManagerOptions, deps: ComponentDeps, accountNames: readonly string[]) {
  const { client, executor, log } = deps;
  const { clientWithToken } = options;
  const accounts =
    clientWithToken === undefined
      ? undefined
      : await ServiceAccountClients.open(accountNames, { client, log, clock: executor.clock, clientWithToken });
  const controllers = await startControllers({
    clientFor: (name) => (name === MANAGER_CLIENT ? client : (accounts?.clientFor(name) ?? client)),
    executor,
    log,
    controllers: options.controllers,
    options: options.options,
  });
  return {
    stop: async () => {
      await controllers.stop();
      await accounts?.close();
    },
  };
}
