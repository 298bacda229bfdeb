import { notFound } from '#machinery/errors/status-error.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import type { Entry } from '../storage/entry.ts';
import { parseRevision } from '../storage/list.ts';
import { type Call, targetOf } from './call.ts';
import { respondEntry } from './representation/respond.ts';

/** GET of one object. */
export async function getOne(call: Call): Promise<ApiResponse> {
  return respondEntry(call, await call.storage.present(await readEntry(call)));
}

/** The object that the request names, at least as new as it asks for; 404 where there is none. */
export async function readEntry(call: Call): Promise<Entry> {
  const { context, core, storage } = call;
  const { name, namespace } = context.info;
  const resourceVersion = context.request.query.get('resourceVersion') ?? '';
  if (resourceVersion === '') await core.hub.waitForHead();
  else await core.hub.waitFor(parseRevision(resourceVersion));
  const entry = storage.get(name, namespace);
  if (entry === undefined) throw notFound(targetOf(call));
  return entry;
}
