/** The public face of the library: `import { createCluster } from 'tiphys'`. */
export { createCluster, type Cluster, type CreateClusterOptions } from './create-cluster.ts';
export type { Client, ResourceType } from '#client/client.ts';
export type { KubeObject, ObjectList } from '#machinery/meta/types.ts';
