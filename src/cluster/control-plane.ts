import { LocalClient } from '#apiserver/local-client.ts';
import { ensureBootstrapObjects, ensureSystemNamespaces } from '#apiserver/allocation/bootstrap-objects.ts';
import { ensureBootstrapPolicy } from '#apiserver/authorization/bootstrap/bootstrap-policy.ts';
import { signingKey } from '#apiserver/authentication/jwt.ts';
import type { KeyPair } from '#apiserver/pki/certificate.ts';
import { kubeconfigFor } from '#apiserver/pki/kubeconfig.ts';
import { ensurePki, type Pki } from '#apiserver/pki/pki.ts';
import type { UserInfo } from '#apiserver/pipeline/types.ts';
import type { LocalKubelet } from '#apiserver/proxy/kubelet-connection.ts';
import { type HttpServer, listenHttps } from '#apiserver/transport/http-server.ts';
import type { Client } from '#client/client.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import { startControllers } from '#controllers/manager.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { startScheduler } from '#scheduler/scheduler.ts';
import { openLmdbStore } from '#store/lmdb/lmdb-store.ts';
import { ensureAddons } from './addons.ts';
import { type ApiChoice, apiChoice } from './api-choice.ts';
import { type AssembledServer, assembleApiServer } from './api-server-assembly.ts';
import { componentUser, controllerUser } from './component-user.ts';
import type { DataDirectory } from './data-directory.ts';
import { addressAt } from './settings.ts';

export interface ControlPlaneOptions extends ApiChoice {
  readonly directory: DataDirectory;
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  /** Where pods and nodes find the server. */
  readonly advertise: { readonly host: string; readonly port: number };
  readonly serviceCidr: string;
  readonly podCidr: string;
  readonly clusterDns: string;
  /** Which controllers run in this process, as `--controllers`; empty: none. Default: all. */
  readonly controllers?: readonly string[];
  /** Whether the scheduler runs in this process. Default: it does. */
  readonly scheduler?: boolean;
}

/** API server, controllers and scheduler of one cluster, in this process. */
export interface ControlPlane {
  readonly pki: Pki;
  /** Acts as `system:masters`. */
  readonly admin: Client;
  /** Lists and watches hand out frozen objects. */
  clientFor(user: UserInfo): Client;
  /** Informers that act as a component user; stopped with the control plane. */
  informersFor(username: string): InformerFactory;
  /** Answers for the kubelets of nodes in this process. */
  readonly localKubelets: Map<string, LocalKubelet>;
  adminKubeconfig(options: { server: string; context: string }): string;
  kubeconfigFor(userName: string, client: KeyPair, server: string): string;
  close(): Promise<void>;
}

export const MASTERS: UserInfo = { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

// Components read the server's own frozen objects: a view of 100,000 pods is then not a second copy of them.
const FROZEN = { frozen: true } as const;
const CLUSTER_NAME = 'tiphys';

/** Starts everything; resolves when requests are served and the bootstrap objects stand. */
export async function startControlPlane(
  options: ControlPlaneOptions,
  deps: { executor: Executor; log: Logger },
): Promise<ControlPlane> {
  const { executor, log } = deps;
  const { directory, serviceCidr } = options;
  const { clock, random } = executor;
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    for (const close of closers.toReversed()) await close();
  };
  try {
    const [pki, store] = await Promise.all([
      ensurePki(
        directory.root,
        { extraNames: options.listen.map(({ host }) => host), serviceAddress: addressAt(serviceCidr, 1) },
        { clock, random },
      ),
      openLmdbStore({ path: directory.store, clock }),
    ]);
    closers.push(() => store.close());
    const localKubelets = new Map<string, LocalKubelet>();
    const server = await assembleApiServer(
      {
        signingKey: signingKey(pki.serviceAccount.privateKey),
        serviceCidr,
        ...apiChoice(options),
        advertisedAddress: `${options.advertise.host}:${options.advertise.port}`,
        clientCa: pki.ca.certificate,
        frontProxyCa: pki.frontProxyCa.certificate,
        kubeletClient: pki.kubeletClient,
        kubeletCa: pki.ca.certificate,
        kubeletFor: (nodeName) => localKubelets.get(nodeName),
      },
      { store, executor, log },
    );
    closers.push(() => server.close());
    closers.push(await listenEverywhere(server, { options, pki, executor, log }));
    const admin = new LocalClient(server.api, MASTERS);
    await bootstrap(admin, options, pki);
    closers.push(await startComponents(server, { options, pki, executor, log }));
    const informers: InformerFactory[] = [];
    closers.push(() => Promise.all(informers.map((factory) => factory.stop())));
    return {
      pki,
      admin,
      localKubelets,
      clientFor: (user) => new LocalClient(server.api, user, FROZEN),
      informersFor: (username) => {
        const client = new LocalClient(server.api, componentUser(username), FROZEN);
        const factory = new InformerFactory({ client, executor, log });
        informers.push(factory);
        return factory;
      },
      adminKubeconfig: ({ server: url, context }) =>
        kubeconfigFor({
          clusterName: context,
          userName: context,
          contextName: context,
          server: url,
          ca: pki.ca.certificate,
          client: pki.admin,
        }),
      kubeconfigFor: (userName, client, url) =>
        kubeconfigFor({ clusterName: CLUSTER_NAME, userName, server: url, ca: pki.ca.certificate, client }),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function listenEverywhere(
  server: AssembledServer,
  context: { options: ControlPlaneOptions; pki: Pki; executor: Executor; log: Logger },
): Promise<() => Promise<unknown>> {
  const { options, pki, executor, log } = context;
  const listeners: HttpServer[] = [];
  const close = () => Promise.all(listeners.map((listener) => listener.close()));
  try {
    for (const { host, port } of options.listen) {
      listeners.push(
        await listenHttps({
          server: server.api,
          host,
          port,
          clock: executor.clock,
          log,
          certificate: pki.serving.certificate,
          key: pki.serving.key,
          clientCas: [pki.ca.certificate, pki.frontProxyCa.certificate],
        }),
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

async function bootstrap(admin: Client, options: ControlPlaneOptions, pki: Pki): Promise<void> {
  await ensureSystemNamespaces(admin);
  await Promise.all([
    ensureBootstrapPolicy(admin),
    ensureBootstrapObjects(admin, {
      advertiseAddress: options.advertise.host,
      port: options.advertise.port,
      serviceCidrs: options.serviceCidr.split(','),
      clientCa: pki.ca.certificate,
      frontProxyCa: pki.frontProxyCa.certificate,
    }),
    ensureAddons(admin, { clusterDns: options.clusterDns }),
  ]);
}

async function startComponents(
  server: AssembledServer,
  context: { options: ControlPlaneOptions; pki: Pki; executor: Executor; log: Logger },
): Promise<() => Promise<unknown>> {
  const { options, pki, executor, log } = context;
  const controllers = await startControllers({
    ...(options.controllers === undefined ? {} : { controllers: options.controllers }),
    clientFor: (name) => new LocalClient(server.api, controllerUser(name), FROZEN),
    executor,
    log,
    options: { clusterCidr: options.podCidr, rootCa: pki.ca.certificate },
  });
  const scheduler =
    options.scheduler === false
      ? undefined
      : await startScheduler({
          client: new LocalClient(server.api, componentUser('system:kube-scheduler'), FROZEN),
          executor,
          log,
        });
  return async () => {
    await scheduler?.stop();
    await controllers.stop();
  };
}
