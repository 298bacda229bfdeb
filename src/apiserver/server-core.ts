import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { Forms } from './endpoints/representation/forms.ts';
import type { Metrics } from './metrics/server-metrics.ts';
import type { AdmissionPlugin, Authorizer } from './pipeline/types.ts';
import type { ComponentCheck, WriteHook } from './server-parts.ts';
import type { WriteCauses } from './storage/causes.ts';
import type { WatchHub } from './storage/hub.ts';
import type { ResourceStorage } from './storage/resource-storage.ts';

/** What the server's own endpoints share. */
export interface ServerCore {
  readonly executor: Executor;
  readonly registry: ResourceRegistry;
  readonly schemas: SchemaSet;
  readonly log: Logger;
  readonly hub: WatchHub;
  readonly causes: WriteCauses;
  readonly metrics: Metrics;
  readonly forms: Forms;
  readonly authorizer: Authorizer;
  readonly admission: readonly AdmissionPlugin[];
  readonly writeHooks: ReadonlyMap<string, WriteHook>;
  /** The components that `componentstatuses` tells of; a check gives the reason where one is not healthy. */
  readonly componentChecks: readonly ComponentCheck[];
  /** The storage of a definition; loads the watch cache at the first call for a resource added later. */
  storageOf(definition: ResourceDefinition): ResourceStorage | Promise<ResourceStorage>;
}
