import { LocalClient } from '#apiserver/local-client.ts';
import {
  ensureBootstrapObjects,
  ensureSystemNamespaces,
  publishApiServer,
} from '#apiserver/allocation/bootstrap-objects.ts';
import { EndpointLeases } from '#apiserver/allocation/endpoint-leases.ts';
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
import type { Store } from '#store/store.ts';
import { ensureAddons } from './addons.ts';
import { type ApiChoice, apiChoice } from './api-choice.ts';
import { type AssembledServer, assembleApiServer } from './api-server-assembly.ts';
import { componentUser, controllerUser } from './component-user.ts';
import type { DataDirectory } from './data-directory.ts';
import { runElected } from './run-elected.ts';
import { addressAt } from './settings.ts';
import { isSharedStore, type OpenedStore, openStore, type StoreChoice } from './store-choice.ts';

export interface ControlPlaneOptions extends ApiChoice {
  readonly directory: DataDirectory;
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  /** Where pods and nodes find the server. */
  readonly advertise: { readonly host: string; readonly port: number };
  readonly serviceCidr: string;
  readonly podCidr: string;
  readonly clusterDns: string;
  /** Whose certificates kubelets must have, PEM; empty: they are not checked. Default: the cluster's own CA. */
  readonly kubeletCa?: string;
  /** Which controllers run in this process, as `--controllers`; empty: none. Default: all. */
  readonly controllers?: readonly string[];
  /** Whether the scheduler runs in this process. Default: it does. */
  readonly scheduler?: boolean;
  /** Where the objects are. Default: in the directory. */
  readonly store?: StoreChoice;
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
  let opened: OpenedStore | undefined;
  const closeAll = async () => {
    await opened?.store.giveUpIfSilent?.();
    for (const close of closers.toReversed()) await close();
  };
  try {
    const [pki, openedNow] = await Promise.all([
      ensurePki(
        directory.root,
        { extraNames: options.listen.map(({ host }) => host), serviceAddress: addressAt(serviceCidr, 1) },
        { clock, random },
      ),
      openStore(directory, options.store ?? { type: 'lmdb' }, { clock, random }),
    ]);
    opened = openedNow;
    closers.push(() => openedNow.close());
    const { store } = opened;
    const localKubelets = new Map<string, LocalKubelet>();
    const server = await assembleApiServer(
      {
        signingKey: signingKey(pki.serviceAccount.privateKey),
        serviceCidr,
        ...apiChoice(options),
        components: [
          ...(options.scheduler === false ? [] : ['scheduler']),
          ...(options.controllers?.length === 0 ? [] : ['controller-manager']),
        ],
        advertisedAddress: `${options.advertise.host}:${options.advertise.port}`,
        clientCa: pki.ca.certificate,
        frontProxyCa: pki.frontProxyCa.certificate,
        kubeletClient: pki.kubeletClient,
        ...(options.kubeletCa === '' ? {} : { kubeletCa: options.kubeletCa ?? pki.ca.certificate }),
        kubeletFor: (nodeName) => localKubelets.get(nodeName),
      },
      { store, executor, log },
    );
    closers.push(() => server.close());
    closers.push(await listenEverywhere(server, { options, pki, executor, log }));
    const admin = new LocalClient(server.api, MASTERS);
    closers.push(await bootstrap({ admin, store, log, executor }, options, pki));
    closers.push(await startComponents(server, { options, pki, store, executor, log }));
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

/** Returns what to call at the end, when this server is to be forgotten. */
async function bootstrap(
  context: { admin: Client; store: Store; executor: Executor; log: Logger },
  options: ControlPlaneOptions,
  pki: Pki,
): Promise<() => Promise<void>> {
  const { admin, store, executor, log } = context;
  const objects = {
    advertiseAddress: options.advertise.host,
    port: options.advertise.port,
    serviceCidrs: options.serviceCidr.split(','),
    clientCa: pki.ca.certificate,
    frontProxyCa: pki.frontProxyCa.certificate,
  };
  const isShared = isSharedStore(store);
  const leases = new EndpointLeases(options.advertise.host, { store, clock: executor.clock, log });
  const publish = (serverAddresses: readonly string[]) => publishApiServer(admin, { ...objects, serverAddresses });
  if (isShared) await leases.start(publish);
  await ensureSystemNamespaces(admin);
  await Promise.all([
    ensureBootstrapPolicy(admin),
    ensureBootstrapObjects(admin, isShared ? { ...objects, serverAddresses: await leases.addresses() } : objects),
    ensureAddons(admin, { clusterDns: options.clusterDns }),
  ]);
  return async () => {
    if (isShared) await leases.close(publish);
  };
}

async function startComponents(
  server: AssembledServer,
  context: { options: ControlPlaneOptions; pki: Pki; store: Store; executor: Executor; log: Logger },
): Promise<() => Promise<unknown>> {
  const { options, pki, store, executor, log } = context;
  const clientFor = (name: string) => new LocalClient(server.api, controllerUser(name), FROZEN);
  const schedulerClient = new LocalClient(server.api, componentUser('system:kube-scheduler'), FROZEN);
  const controllers = () =>
    startControllers({
      ...(options.controllers === undefined ? {} : { controllers: options.controllers }),
      clientFor,
      executor,
      log,
      options: { clusterCidr: options.podCidr, rootCa: pki.ca.certificate },
    });
  const scheduler = () => startScheduler({ client: schedulerClient, executor, log });
  const hasControllers = options.controllers?.length !== 0;
  const hasScheduler = options.scheduler !== false;
  if (isSharedStore(store)) {
    // Other servers on the same store have them, too: one of each works at a time.
    const deps = { executor, log };
    const manager = { leaseName: 'kube-controller-manager', client: clientFor('kube-controller-manager') };
    const elected = [
      ...(hasControllers ? [runElected(manager, { ...deps, start: controllers })] : []),
      ...(hasScheduler
        ? [runElected({ leaseName: 'kube-scheduler', client: schedulerClient }, { ...deps, start: scheduler })]
        : []),
    ];
    return () => Promise.all(elected.map((component) => component.stop()));
  }
  const running = [...(hasControllers ? [await controllers()] : []), ...(hasScheduler ? [await scheduler()] : [])];
  return async () => {
    for (const component of running.toReversed()) await component.stop();
  };
}
