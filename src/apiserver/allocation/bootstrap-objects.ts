import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  NAMESPACES,
  PRIORITY_CLASSES,
  SERVICE_CIDRS,
  SERVICES,
} from '#api/generated/resources.ts';
import type { ConfigMap, Endpoints, EndpointSlice, Namespace, PriorityClass, Service } from '#api/generated/types.ts';
import type { Client, ResourceType } from '#client/client.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { AddressRange, familyOf } from './address-range.ts';

export interface BootstrapOptions {
  /** Where pods and nodes reach this API server; not a loopback address. */
  readonly advertiseAddress: string;
  readonly port: number;
  /** Addresses of all API servers, where there are several on one store; `advertiseAddress` is one of them. */
  readonly serverAddresses?: readonly string[];
  readonly serviceCidrs?: readonly string[];
  /** PEM of the CA of client certificates, and of the front proxy's: aggregated API servers read them from here. */
  readonly clientCa?: string;
  readonly frontProxyCa?: string;
}

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const SYSTEM_CLASSES = [
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
];

/** The namespaces that everything else of a new cluster stands in. */
export async function ensureSystemNamespaces(client: Client): Promise<void> {
  await Promise.all(
    SYSTEM_NAMESPACES.map((name) =>
      ensure<Namespace>(client, NAMESPACES, { kind: 'Namespace', apiVersion: 'v1', metadata: { name }, spec: {} }),
    ),
  );
}

/** What a new cluster holds besides policy: priority classes, the service range and `kubernetes.default`. */
export async function ensureBootstrapObjects(client: Client, options: BootstrapOptions): Promise<void> {
  await Promise.all([
    ...SYSTEM_CLASSES.map(({ name, ...fields }) =>
      ensure<PriorityClass>(client, PRIORITY_CLASSES, {
        kind: 'PriorityClass',
        apiVersion: 'scheduling.k8s.io/v1',
        metadata: { name },
        ...fields,
      }),
    ),
    ensure(client, SERVICE_CIDRS, {
      kind: 'ServiceCIDR',
      apiVersion: 'networking.k8s.io/v1',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: [...(options.serviceCidrs ?? ['10.96.0.0/16'])] },
    }),
    ensureAuthenticationConfig(client, options),
    publishApiServer(client, options),
  ]);
}

/** Makes `kubernetes.default` lead to this API server; repeat it when the address changes. */
export async function publishApiServer(client: Client, options: BootstrapOptions): Promise<void> {
  const { advertiseAddress, port, serverAddresses = [advertiseAddress] } = options;
  const range = new AddressRange(options.serviceCidrs?.[0] ?? '10.96.0.0/16');
  await ensure<Service>(client, SERVICES, kubernetesService(range, port));
  await Promise.all([
    reconcile<Endpoints>(client, ENDPOINTS, {
      kind: 'Endpoints',
      apiVersion: 'v1',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
      },
      subsets: [
        { addresses: serverAddresses.map((ip) => ({ ip })), ports: [{ name: 'https', port, protocol: 'TCP' }] },
      ],
    }),
    reconcile<EndpointSlice>(client, ENDPOINT_SLICES, {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'kubernetes' },
      },
      addressType: familyOf(advertiseAddress) ?? 'IPv4',
      endpoints: serverAddresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      ports: [{ name: 'https', port, protocol: 'TCP' }],
    }),
  ]);
}

function kubernetesService(range: AddressRange, port: number): Service {
  return {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: range.at(0),
      clusterIPs: [range.at(0)],
      ipFamilies: [range.family],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
      sessionAffinity: 'None',
    },
  };
}

async function ensureAuthenticationConfig(client: Client, { clientCa, frontProxyCa }: BootstrapOptions): Promise<void> {
  if (clientCa === undefined || frontProxyCa === undefined) return;
  await reconcile<ConfigMap>(client, CONFIG_MAPS, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      'client-ca-file': clientCa,
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-client-ca-file': frontProxyCa,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  });
}

function nameOf(object: KubeObject): { name: string; namespace?: string } {
  const { name = '', namespace } = object.metadata;
  return namespace === undefined ? { name } : { name, namespace };
}

/** Creates the object unless it is there. */
async function ensure<T extends KubeObject>(client: Client, resource: ResourceType<T>, object: T): Promise<void> {
  try {
    await client.get(resource, nameOf(object));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await create(client, resource, object);
  }
}

/** Creates the object, or makes the fields of an existing one what they should be. */
async function reconcile<T extends KubeObject>(client: Client, resource: ResourceType<T>, object: T): Promise<void> {
  try {
    const current = await client.get(resource, nameOf(object));
    const wanted: T = {
      ...current,
      ...object,
      metadata: { ...current.metadata, labels: { ...current.metadata.labels, ...object.metadata.labels } },
    };
    const isSame = deepEqual({ ...wanted, metadata: undefined }, { ...current, metadata: undefined });
    if (!isSame) await client.update(resource, wanted);
  } catch (error) {
    // Another API server that starts at the same moment wrote it.
    if (isConflict(error)) return;
    if (!isNotFound(error)) throw error;
    await create(client, resource, object);
  }
}

async function create<T extends KubeObject>(client: Client, resource: ResourceType<T>, object: T): Promise<void> {
  try {
    await client.create(resource, object);
  } catch (error) {
    // Another API server that starts at the same moment made it, which may show as an address that is taken.
    if (!isAlreadyExists(error) && !(await exists(client, resource, object))) throw error;
  }
}

async function exists<T extends KubeObject>(client: Client, resource: ResourceType<T>, object: T): Promise<boolean> {
  try {
    await client.get(resource, nameOf(object));
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
