import { ensureBootstrapObjects, ensureSystemNamespaces } from '#apiserver/allocation/bootstrap-objects.ts';
import { type SigningKey, seededSigningKey } from '#apiserver/authentication/jwt.ts';
import { ensureBootstrapPolicy } from '#apiserver/authorization/bootstrap/bootstrap-policy.ts';
import { LocalClient } from '#apiserver/local-client.ts';
import type { ApiRequest, ApiResponse, UserInfo } from '#apiserver/pipeline/types.ts';
import { type Client, ConnectionError } from '#client/client.ts';
import { startControllers } from '#controllers/manager.ts';
import type { VirtualExecutor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { startScheduler } from '#scheduler/scheduler.ts';
import type { Store } from '#store/store.ts';
import { ensureAddons } from './addons.ts';
import { type ApiChoice, apiChoice } from './api-choice.ts';
import { type AssembledServer, assembleApiServer } from './api-server-assembly.ts';
import { componentUser, controllerUser } from './component-user.ts';
import { type FaultRates, faultyClient } from './faults.ts';
import { addressAt } from './settings.ts';

export interface SimulatedControlPlaneOptions extends ApiChoice {
  /** One range, or two of different families with a comma between them. Default: `10.96.0.0/16`. */
  readonly serviceCidr?: string;
  /** Which controllers, as `--controllers`. Default: all. */
  readonly controllers?: readonly string[];
  readonly scheduler?: boolean;
  /** What goes wrong between controllers, scheduler and nodes on one side and the API server on the other. */
  readonly faults?: Partial<FaultRates>;
}

interface Deps {
  readonly store: Store;
  readonly executor: VirtualExecutor;
  readonly log: Logger;
}

export const SERVICE_CIDR = '10.96.0.0/16';
export const CLUSTER_DNS = addressAt(SERVICE_CIDR, 10);

const MASTERS: UserInfo = { username: 'system:admin', groups: ['system:masters', 'system:authenticated'] };

/**
 * API server, controllers and scheduler on a store, without sockets. Can be stopped and started again as one: clients
 * made here outlive that, and get a `ConnectionError` while nothing answers.
 */
export class SimulatedControlPlane {
  readonly admin: Client;
  readonly #options: SimulatedControlPlaneOptions;
  readonly #deps: Deps;
  readonly #signingKey: SigningKey;
  #server: AssembledServer | undefined;
  readonly #components: (() => Promise<unknown>)[] = [];

  constructor(options: SimulatedControlPlaneOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#signingKey = seededSigningKey(deps.executor.random.bytes(32));
    this.admin = this.clientFor(MASTERS);
  }

  clientFor(user: UserInfo): Client {
    return new LocalClient({ handle: (request) => this.#handle(request) }, user);
  }

  /** The client of a component or node: reads the server's own frozen objects, and feels the faults asked for. */
  componentClientFor(user: UserInfo): Client {
    const client = new LocalClient({ handle: (request) => this.#handle(request) }, user, { frozen: true });
    const { faults } = this.#options;
    return faults === undefined ? client : faultyClient(client, { ...faults, random: this.#deps.executor.random });
  }

  /** Who wrote what since the last start, as far as it is remembered. */
  writes(): readonly { readonly revision: number; readonly user: string }[] {
    return this.#server?.api.writes() ?? [];
  }

  async start(): Promise<void> {
    const { serviceCidr = SERVICE_CIDR } = this.#options;
    this.#server = await assembleApiServer(
      {
        signingKey: this.#signingKey,
        serviceCidr,
        advertisedAddress: '10.0.0.1:6443',
        ...apiChoice(this.#options),
      },
      this.#deps,
    );
    await bootstrap(this.admin, serviceCidr);
    const { executor, log } = this.#deps;
    const controllers = await startControllers({
      clientFor: (name) => this.componentClientFor(controllerUser(name)),
      executor,
      log,
      options: { rootCa: ROOT_CA },
      ...(this.#options.controllers === undefined ? {} : { controllers: this.#options.controllers }),
    });
    this.#components.push(() => controllers.stop());
    if (this.#options.scheduler === false) return;
    const client = this.componentClientFor(componentUser('system:kube-scheduler'));
    const scheduler = await startScheduler({ client, executor, log });
    this.#components.push(() => scheduler.stop());
  }

  /** Settles when nothing runs any more; the store stays as it is. */
  async stop(): Promise<void> {
    for (const stop of this.#components.splice(0).toReversed()) await stop();
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }

  #handle(request: ApiRequest): Promise<ApiResponse> {
    const server = this.#server;
    if (server !== undefined) return server.api.handle(request);
    return Promise.reject(new ConnectionError('the API server does not run'));
  }
}

async function bootstrap(admin: Client, serviceCidr: string): Promise<void> {
  await ensureSystemNamespaces(admin);
  await ensureBootstrapPolicy(admin);
  const serviceCidrs = serviceCidr.split(',');
  await ensureBootstrapObjects(admin, { advertiseAddress: '10.0.0.1', port: 6443, serviceCidrs });
  await ensureAddons(admin, { clusterDns: addressAt(serviceCidr, 10) });
}

// Published in every namespace as on a real cluster. Nothing is signed with it: its key was thrown away.
const ROOT_CA = `\
-----BEGIN CERTIFICATE-----
MIIBujCCAV+gAwIBAgIUPR1XK9rfkkk36xIsf1PRDW9FJXQwCgYIKoZIzj0EAwIw
MTETMBEGA1UEAwwKa3ViZXJuZXRlczEaMBgGA1UECgwRdGlwaHlzIHNpbXVsYXRp
b24wIBcNMjYxMTIzMjE1OTEzWhgPMjEyNjEwMzAyMTU5MTNaMDExEzARBgNVBAMM
Cmt1YmVybmV0ZXMxGjAYBgNVBAoMEXRpcGh5cyBzaW11bGF0aW9uMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE5LrrZ+J6nfIctQDIe5miPCM/djgWnCgIliNQizsp
CzvjvsODRLNAzIkxRvWOA9RpoxX4v74WlJxkzFvbIqQOX6NTMFEwHQYDVR0OBBYE
FA8GPXYdwW2KqCGqTE0cvoOl2o7sMB8GA1UdIwQYMBaAFA8GPXYdwW2KqCGqTE0c
voOl2o7sMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAJW3RC/a
rlN0fvbqGwCztdy6MHoxZJTGxkWBRIiHmmUDAiEA8lZgYP3WFZT6gKW7jQLf3u3i
JAqVt5mSm5WCy63l6Pw=
-----END CERTIFICATE-----
`;
