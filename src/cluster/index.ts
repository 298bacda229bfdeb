/** The public face of the library: `import { createCluster } from 'tiphys'`. */
export { createCluster, type Cluster, type CreateClusterOptions } from './create-cluster.ts';
export type { FaultRates } from './faults.ts';
export type { SimulatedNodeOptions } from './simulated-nodes.ts';
export type { UserInfo } from '#apiserver/pipeline/types.ts';
export type { Client, ResourceType, WatchEvent } from '#client/client.ts';
export type { KubeObject, ObjectList } from '#machinery/meta/types.ts';
/** The built-in resources, for the client's calls: `client.list(resources.PODS)`. */
export * as resources from '#api/generated/resources.ts';
