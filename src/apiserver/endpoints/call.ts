import type { ResourceDefinition, SubresourceDefinition } from '#api/registry/resource.ts';
import type { RequestContext } from '../pipeline/types.ts';
import type { ServerCore } from '../server-core.ts';
import type { ResourceStorage } from '../storage/resource-storage.ts';

/** One authorized request for a stored resource, with everything an endpoint needs. */
export interface Call {
  readonly core: ServerCore;
  readonly context: RequestContext;
  readonly definition: ResourceDefinition;
  readonly storage: ResourceStorage;
  readonly subresource: SubresourceDefinition | undefined;
}

/** The resource as failures name it. */
export function targetOf(call: Call, name = call.context.info.name): { group: string; resource: string; name: string } {
  return { group: call.definition.group, resource: call.definition.resource, name };
}

/** Adds a text for the `Warning` header, once. */
export function warn(context: RequestContext, text: string): void {
  if (text !== '' && !context.warnings.includes(text)) context.warnings.push(text);
}
