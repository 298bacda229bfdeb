import { FeatureGates } from '#api/features/feature-gates.ts';
import { builtinResources, ResourceRegistry } from '#api/registry/registry.ts';
import { builtinDescriptions } from '#api/schema/descriptions.ts';
import { builtinSchemas } from '#api/schema/load.ts';
import { protobufMessageOf, protobufTable } from '#api/schema/protobuf.ts';
import { keepApiServices } from '#apiserver/allocation/api-service-objects.ts';
import { keepFlowControl } from '#apiserver/allocation/flow-control-objects.ts';
import { IpAddressKeeper } from '#apiserver/allocation/ip-address-keeper.ts';
import { type ApiServer, createApiServer } from '#apiserver/api-server.ts';
import { createSecurity, type SecurityOptions } from '#apiserver/security.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Store } from '#store/store.ts';
import type { ApiChoice } from './api-choice.ts';

export interface AssemblyOptions extends ApiChoice, Omit<SecurityOptions, 'externalAddress' | 'serviceCidrs'> {
  /** One range, or two of different families with a comma between them. */
  readonly serviceCidr: string;
  /** Components that share the server's process, for `componentstatuses`: they are healthy as long as it answers. */
  readonly components?: readonly string[];
  /** `127.0.0.1:6443`. */
  readonly advertisedAddress: string;
}

/** What `/flagz` shows: upstream's flags that stand for these options. */
function flagsOf({ serviceCidr, advertisedAddress, featureGates = {}, runtimeConfig = {} }: AssemblyOptions) {
  const settings = (values: Readonly<Record<string, unknown>>) =>
    Object.entries(values)
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(',');
  const colon = advertisedAddress.lastIndexOf(':');
  return {
    'advertise-address': advertisedAddress.slice(0, colon),
    'anonymous-auth': 'true',
    'authorization-mode': '[Node,RBAC]',
    'feature-gates': settings(featureGates),
    'runtime-config': settings(runtimeConfig),
    'secure-port': advertisedAddress.slice(colon + 1),
    'service-cluster-ip-range': serviceCidr,
  };
}

export interface AssembledServer {
  readonly api: ApiServer;
  close(): Promise<void>;
}

/** Builds the API server with all built-in kinds and upstream's default security, without sockets. */
export async function assembleApiServer(
  options: AssemblyOptions,
  deps: { store: Store; executor: Executor; log: Logger },
): Promise<AssembledServer> {
  const { serviceCidr, advertisedAddress, runtimeConfig = {}, featureGates, ...rest } = options;
  const gates = new FeatureGates(featureGates);
  const security = createSecurity({
    ...rest,
    serviceCidrs: serviceCidr.split(','),
    externalAddress: () => advertisedAddress,
  });
  const api = await createApiServer({
    ...deps,
    registry: new ResourceRegistry(builtinResources({ runtimeConfig, gates })),
    schemas: builtinSchemas(),
    descriptions: builtinDescriptions,
    protobuf: { table: protobufTable, messageOf: protobufMessageOf },
    ...security,
    componentChecks: (options.components ?? []).map((name) => ({ name, check: () => undefined })),
    options: {
      advertisedAddress,
      features: gates.list(),
      flags: flagsOf(options),
      servesCbor: gates.isEnabled('CBORServingAndStorage'),
    },
  });
  const keepers = startKeepers(api, deps);
  return {
    api,
    close: async () => {
      for (const keeper of keepers) await keeper.stop();
      await api.close();
      security.close();
    },
  };
}

/** Starts what keeps the server's own objects; kinds that the server was told not to serve are left out. */
function startKeepers(
  { parts }: ApiServer,
  { executor, log }: { executor: Executor; log: Logger },
): { start(): void; stop(): Promise<void> }[] {
  const client = parts.clientFor({
    username: 'system:apiserver',
    groups: ['system:masters', 'system:authenticated'],
  });
  const deps = { client, executor, log };
  const isServed = (group: string, resource: string): boolean =>
    parts.registry.byResource(group, 'v1', resource) !== undefined;
  const keepers = [
    ...(isServed('flowcontrol.apiserver.k8s.io', 'flowschemas') ? keepFlowControl(parts, deps) : []),
    ...(isServed('apiregistration.k8s.io', 'apiservices') ? [keepApiServices(parts, deps)] : []),
    ...(isServed('networking.k8s.io', 'ipaddresses')
      ? [
          new IpAddressKeeper({
            services: parts.view('', 'services'),
            addresses: parts.view('networking.k8s.io', 'ipaddresses'),
            ...deps,
          }),
        ]
      : []),
  ];
  for (const keeper of keepers) keeper.start();
  return keepers;
}
