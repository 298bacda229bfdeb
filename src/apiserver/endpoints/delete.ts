import { returnsDeletedObject } from '#api/registry/deleted-object.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { isNotFound, notFound } from '#machinery/errors/status-error.ts';
import { fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import type { Entry } from '../storage/entry.ts';
import { readList } from '../storage/list.ts';
import { type Call, targetOf } from './call.ts';
import { listQueryOf } from './list.ts';
import { respondList } from './representation/list-body.ts';
import { respondEntry, respondObject, respondValue } from './representation/respond.ts';
import { servedObject } from './representation/serve.ts';
import { admissionRequest, admitMutating, admitValidating } from './write/admit.ts';
import { decodeBody } from './write/body.ts';
import {
  checkPreconditions,
  type DeletionOptions,
  deletionOptionsObject,
  deletionOptionsOf,
  namespaceFinalizers,
  planDeletion,
} from './write/deletion.ts';
import { recordWrite, startHook } from './write/outcome.ts';

const OPTIONS_BYTES_MAX = 256 * 1024;

/** DELETE of one object. */
export async function deleteOne(call: Call): Promise<ApiResponse> {
  const options = await readDeletionOptions(call);
  const { name } = call.context.info;
  const result = await deleteObject(call, { name, namespace: call.context.info.namespace, options });
  if (result.type === 'dryRun') return respondObject(call, result.object);
  if (result.type === 'kept' || returnsDeletedObject(call.definition))
    return respondEntry(call, await call.storage.present(result.entry));
  return respondValue(call, successStatus(call, result.entry.object));
}

/** Objects of a collection that are deleted at once: their writes share what one flush of the store costs. */
const DELETIONS_AT_ONCE = 16;

/** DELETE of a collection: everything that matches, as it was when the request came. */
export async function deleteCollection(call: Call): Promise<ApiResponse> {
  const options = await readDeletionOptions(call);
  const { storage, core } = call;
  const page = await readList(core.hub, storage.cache, listQueryOf(call));
  const left = page.entries.values();
  const deleteRest = async (): Promise<void> => {
    for (const entry of left) {
      if (core.executor.shouldPause()) await core.executor.pause('request');
      await deleteEntry(call, entry, options);
    }
  };
  const workers = Math.min(DELETIONS_AT_ONCE, page.entries.length);
  await Promise.all(Array.from({ length: workers }, deleteRest));
  const shown = storage.showsStored ? page : { ...page, entries: await storage.presentAll(page.entries) };
  return respondList(call, shown);
}

async function deleteEntry(call: Call, { object }: Entry, options: DeletionOptions): Promise<void> {
  const { name = '', namespace = '' } = object.metadata;
  try {
    await deleteObject(call, { name, namespace, options });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

export type Deleted =
  | { readonly type: 'removed'; readonly entry: Entry }
  /** It stays for a while: finalizers, or a grace period. */
  | { readonly type: 'kept'; readonly entry: Entry }
  | { readonly type: 'dryRun'; readonly object: KubeObject };

/** Deletes, or starts to; retried when the object changes meanwhile. */
export function deleteObject(
  call: Call,
  { name, namespace, options }: { name: string; namespace: string; options: DeletionOptions },
): Promise<Deleted> {
  return call.storage.fromCached(
    { name, namespace },
    (current) => deleteFrom(call, current, { name, options }),
    (deleted, current) => deleted.type === 'kept' && deleted.entry === current,
  );
}

async function deleteFrom(
  call: Call,
  before: Entry | undefined,
  { name, options }: { name: string; options: DeletionOptions },
): Promise<Deleted> {
  let current = before;
  for (;;) {
    if (current === undefined) throw notFound(targetOf(call, name));
    const result = await tryDelete(call, current, options);
    if (result.type !== 'conflict') return result;
    current = result.current;
  }
}

type Attempt = Deleted | { readonly type: 'conflict'; readonly current: Entry | undefined };

async function tryDelete(call: Call, current: Entry, options: DeletionOptions): Promise<Attempt> {
  const { definition, core, storage } = call;
  const object = servedObject(definition, await storage.present(current));
  // What admission is to see: the object before it is marked, which changes metadata and status as wholes.
  const oldObject = { ...object, metadata: { ...object.metadata } };
  const nowMs = core.executor.clock.now();
  if (object.metadata.deletionTimestamp === undefined) definition.strategy.prepareForDeletion?.(object, nowMs);
  const step = isNamespace(call)
    ? planNamespace(call, object, options)
    : planDeletion(definition, object, { options, nowMs });
  if (step.type === 'pending') return { type: 'kept', entry: current };
  const admission = admissionRequest(call, {
    operation: 'DELETE',
    oldObject,
    isDryRun: options.isDryRun,
    options: () => deletionOptionsObject(options),
  });
  await admitMutating(call, admission);
  await admitValidating(call, admission);
  if (options.isDryRun) return { type: 'dryRun', object };
  if (step.type === 'mark') {
    const prepared = await storage.encode(object);
    // Deleting what waits for its finalizers changes nothing.
    if (Buffer.compare(prepared.encoded.bytes, current.encoded.bytes) === 0) return { type: 'kept', entry: current };
    const marked = await storage.put(current.key, prepared, current.revision);
    if (marked.type === 'conflict') return marked;
    recordWrite(call, marked.entry);
    return { type: 'kept', entry: marked.entry };
  }
  const finish = startHook(call, { operation: 'DELETE', object, dryRun: false });
  const removed = await storage.remove(current);
  finish(removed.type === 'committed' ? 'committed' : 'failed');
  if (removed.type === 'conflict') return removed;
  recordWrite(call, removed.entry);
  return { type: 'removed', entry: removed.entry };
}

function isNamespace({ definition }: Call): boolean {
  return definition.group === '' && definition.resource === 'namespaces';
}

// A namespace first becomes Terminating; it goes when its content is gone and `spec.finalizers` is empty.
function planNamespace(
  call: Call,
  namespace: KubeObject,
  options: DeletionOptions,
): { type: 'remove' | 'mark' | 'pending' } {
  checkPreconditions(call.definition, namespace, options);
  const nowMs = call.core.executor.clock.now();
  const wasDeleting = namespace.metadata.deletionTimestamp !== undefined;
  if (wasDeleting && namespaceFinalizers(namespace).length > 0) return { type: 'pending' };
  const step = planDeletion(call.definition, namespace, { options, nowMs });
  if (namespaceFinalizers(namespace).length === 0 && step.type === 'remove') return step;
  namespace.metadata.deletionTimestamp ??= formatTime(nowMs);
  const fields = fieldsOf(namespace);
  const status = fields['status'];
  fields['status'] = { ...(typeof status === 'object' ? status : {}), phase: 'Terminating' };
  return { type: 'mark' };
}

async function readDeletionOptions({ context }: Call): Promise<DeletionOptions> {
  const bytes = await context.request.readBody(OPTIONS_BYTES_MAX);
  if (bytes.length === 0) return deletionOptionsOf({}, context.request.query);
  const isYaml = (context.request.headers['content-type'] ?? '').startsWith('application/yaml');
  const { value } = decodeBody(bytes, { encoding: isYaml ? 'yaml' : 'json', mustBe: 'DeleteOptions' });
  // Safe: an object's fields are read one by one as unknown.
  const body = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  return deletionOptionsOf(body, context.request.query);
}

function successStatus({ definition }: Call, { metadata }: KubeObject): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: metadata.name,
      ...(definition.group === '' ? {} : { group: definition.group }),
      kind: definition.resource,
      uid: metadata.uid,
    },
  };
}
