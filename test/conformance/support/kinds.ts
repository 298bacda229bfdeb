import type * as k8s from '@kubernetes/client-node';

/**
 * What every object has. Types of fields come from Kubernetes' own client; where it says `Date`, there is a string here,
 * as on the wire.
 */
export interface Meta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: k8s.V1OwnerReference[];
  creationTimestamp?: string;
  deletionTimestamp?: string;
  managedFields?: unknown[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: Meta;
}

export interface KubeList<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  readonly items: T[];
}

/** An object whose fields a test sets and compares as JSON. */
export interface JsonObject extends KubeObject {
  [field: string]: unknown;
}

export interface Kind<T extends KubeObject> {
  readonly groupVersion: string;
  readonly kind: string;
  readonly resource: string;
  /** Never set: it only carries the type. */
  readonly example?: T;
}

type Wire<T> = Omit<T, 'metadata'> & { metadata?: Meta };

export function kindOf<T extends KubeObject = JsonObject>(
  groupVersion: string,
  kind: string,
  resource: string,
): Kind<T> {
  return { groupVersion, kind, resource };
}

export type Pod = Wire<k8s.V1Pod>;
export type Service = Wire<k8s.V1Service>;
export type Node = Wire<k8s.V1Node>;
export type Deployment = Wire<k8s.V1Deployment>;
export type ReplicaSet = Wire<k8s.V1ReplicaSet>;
export type ReplicationController = Wire<k8s.V1ReplicationController>;
export type EndpointSlice = Wire<k8s.V1EndpointSlice>;
export type Endpoints = Wire<k8s.V1Endpoints>;
export type Scale = Wire<k8s.V1Scale>;

export const NAMESPACES = kindOf<Wire<k8s.V1Namespace>>('v1', 'Namespace', 'namespaces');
export const CONFIG_MAPS = kindOf<Wire<k8s.V1ConfigMap>>('v1', 'ConfigMap', 'configmaps');
export const SECRETS = kindOf<Wire<k8s.V1Secret>>('v1', 'Secret', 'secrets');
export const SERVICE_ACCOUNTS = kindOf<Wire<k8s.V1ServiceAccount>>('v1', 'ServiceAccount', 'serviceaccounts');
export const PODS = kindOf<Pod>('v1', 'Pod', 'pods');
export const POD_TEMPLATES = kindOf<Wire<k8s.V1PodTemplate>>('v1', 'PodTemplate', 'podtemplates');
export const NODES = kindOf<Node>('v1', 'Node', 'nodes');
export const SERVICES = kindOf<Service>('v1', 'Service', 'services');
export const ENDPOINTS = kindOf<Endpoints>('v1', 'Endpoints', 'endpoints');
export const EVENTS = kindOf<JsonObject>('v1', 'Event', 'events');
export const LIMIT_RANGES = kindOf<Wire<k8s.V1LimitRange>>('v1', 'LimitRange', 'limitranges');
export const RESOURCE_QUOTAS = kindOf<Wire<k8s.V1ResourceQuota>>('v1', 'ResourceQuota', 'resourcequotas');
export const PERSISTENT_VOLUMES = kindOf<Wire<k8s.V1PersistentVolume>>('v1', 'PersistentVolume', 'persistentvolumes');
export const PERSISTENT_VOLUME_CLAIMS = kindOf<Wire<k8s.V1PersistentVolumeClaim>>(
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
);
export const REPLICATION_CONTROLLERS = kindOf<ReplicationController>(
  'v1',
  'ReplicationController',
  'replicationcontrollers',
);
export const DEPLOYMENTS = kindOf<Deployment>('apps/v1', 'Deployment', 'deployments');
export const REPLICA_SETS = kindOf<ReplicaSet>('apps/v1', 'ReplicaSet', 'replicasets');
export const ENDPOINT_SLICES = kindOf<EndpointSlice>('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices');
export const LEASES = kindOf<JsonObject>('coordination.k8s.io/v1', 'Lease', 'leases');
export const RUNTIME_CLASSES = kindOf<Wire<k8s.V1RuntimeClass>>('node.k8s.io/v1', 'RuntimeClass', 'runtimeclasses');
export const PRIORITY_CLASSES = kindOf<Wire<k8s.V1PriorityClass>>(
  'scheduling.k8s.io/v1',
  'PriorityClass',
  'priorityclasses',
);
export const POD_DISRUPTION_BUDGETS = kindOf<Wire<k8s.V1PodDisruptionBudget>>(
  'policy/v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const CLUSTER_ROLES = kindOf<Wire<k8s.V1ClusterRole>>(
  'rbac.authorization.k8s.io/v1',
  'ClusterRole',
  'clusterroles',
);
export const ROLE_BINDINGS = kindOf<Wire<k8s.V1RoleBinding>>(
  'rbac.authorization.k8s.io/v1',
  'RoleBinding',
  'rolebindings',
);
