import type { ResourceDefinition, SubresourceDefinition } from '#api/registry/resource.ts';
import { genericStatus, notFound } from '#machinery/errors/status-error.ts';
import { type ApiResponse, type Handler, type RequestContext, textResponse } from '../pipeline/types.ts';
import type { ServerCore } from '../server-core.ts';
import { type Call, warn } from './call.ts';
import { componentStatuses } from './component-statuses.ts';
import { admitConnection } from './connect.ts';
import { create } from './create.ts';
import { deleteCollection, deleteOne } from './delete.ts';
import { getOne } from './get.ts';
import { list } from './list.ts';
import { patch } from './patch.ts';
import { binding } from './subresources/binding.ts';
import { eviction } from './subresources/eviction.ts';
import {
  APPROVAL_MODE,
  checkResizable,
  EPHEMERAL_CONTAINERS_MODE,
  FINALIZE_MODE,
  RESIZE_MODE,
} from './subresources/modes.ts';
import { scale } from './subresources/scale.ts';
import { status, wholeObject } from './subresources/status.ts';
import { update } from './update.ts';
import { watch } from './watch.ts';

type Endpoint = (call: Call) => Promise<ApiResponse>;

const VERBS: Readonly<Record<string, Endpoint>> = {
  get: getOne,
  list,
  watch,
  create,
  update,
  patch,
  delete: deleteOne,
  deletecollection: deleteCollection,
};

const SUBRESOURCES: Readonly<Record<string, Endpoint>> = {
  status,
  scale,
  binding,
  eviction,
  finalize: (call) => wholeObject(call, FINALIZE_MODE),
  approval: (call) => wholeObject(call, APPROVAL_MODE),
  ephemeralcontainers: (call) => wholeObject(call, EPHEMERAL_CONTAINERS_MODE),
  resize: (call) => wholeObject(call, RESIZE_MODE, checkResizable),
};

/** Finds the endpoint of an authorized request: a special handler, or the generic one of the verb. */
export function dispatcher(
  core: ServerCore,
  handlers: { special: ReadonlyMap<string, Handler>; paths: Handler },
): Handler {
  return async (context) => {
    const { info } = context;
    if (!info.isResourceRequest) return handlers.paths(context);
    const base = `${info.group}/${info.resource}`;
    const definition = core.registry.byResource(info.group, info.version, info.resource);
    if (definition === undefined) return pageNotFound();
    warn(context, definition.deprecationWarning ?? '');
    const special = handlers.special.get(info.subresource === '' ? base : `${base}/${info.subresource}`);
    if (special !== undefined) {
      if (info.subresource !== '') await admitConnection(core, context, definition);
      return special(context);
    }
    return info.subresource === ''
      ? serveResource(core, context, definition)
      : serveSubresource(core, context, definition);
  };
}

export function pageNotFound(): ApiResponse {
  return textResponse(404, '404 page not found\n');
}

async function serveResource(
  core: ServerCore,
  context: RequestContext,
  definition: ResourceDefinition,
): Promise<ApiResponse> {
  const { info } = context;
  if (definition.resource === 'bindings' && definition.group === '') return serveBindings(core, context);
  const endpoint = VERBS[info.verb];
  if (!isInScope(context, definition)) return pageNotFound();
  if (endpoint === undefined || !definition.verbs.some((verb) => verb === info.verb)) throw methodNotAllowed();
  if (definition.storagePrefix === undefined) return componentStatuses(core, context, definition);
  if (info.verb === 'create' && definition.namespaced && info.namespace === '') throw methodNotAllowed();
  const storage = await core.storageOf(definition);
  return endpoint({ core, context, definition, storage, subresource: undefined });
}

async function serveSubresource(
  core: ServerCore,
  context: RequestContext,
  definition: ResourceDefinition,
): Promise<ApiResponse> {
  const { info } = context;
  const subresource = definition.subresources.find(({ name }) => name === info.subresource);
  const endpoint = SUBRESOURCES[info.subresource];
  if (definition.isCustom === true && subresource === undefined) {
    throw notFound({ group: info.group, resource: info.resource, name: info.name });
  }
  if (subresource === undefined || endpoint === undefined || !isInScope(context, definition)) return pageNotFound();
  if (!servesVerb(subresource, info.verb)) throw methodNotAllowed();
  const storage = await core.storageOf(definition);
  return endpoint({ core, context, definition, storage, subresource });
}

function servesVerb({ verbs }: SubresourceDefinition, verb: string): boolean {
  return verbs.some((known) => known === verb);
}

// Objects are named inside their scope: no pod without a namespace, no node within one.
function isInScope({ info }: RequestContext, definition: ResourceDefinition): boolean {
  if (definition.namespaced)
    return info.namespace !== '' || info.verb === 'list' || info.verb === 'watch' || info.name === '';
  return info.namespace === '' || definition.resource === 'namespaces';
}

async function serveBindings(core: ServerCore, context: RequestContext): Promise<ApiResponse> {
  const pods = core.registry.byResource('', 'v1', 'pods');
  if (pods === undefined) return pageNotFound();
  if (context.info.verb !== 'create' || context.info.namespace === '') throw methodNotAllowed();
  return binding({ core, context, definition: pods, storage: await core.storageOf(pods), subresource: undefined });
}

function methodNotAllowed(): Error {
  const message = 'the server does not allow this method on the requested resource';
  return genericStatus(405, 'MethodNotAllowed', message, {});
}
