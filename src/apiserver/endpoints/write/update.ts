import { deepEqual } from '#machinery/codec/deep.ts';
import { conflict, notFound, OPTIMISTIC_LOCK_DETAIL, type StatusError } from '#machinery/errors/status-error.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { validateObjectMetaUpdate } from '#machinery/validation/metadata.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Prepared } from '../../storage/resource-cache.ts';
import { type Call, targetOf, warn } from '../call.ts';
import { servedObject } from '../representation/serve.ts';
import { admissionRequest, admitMutating, admitValidating } from './admit.ts';
import { carryMetadata, isSpecEqual, type WriteMode } from './carry-over.ts';
import { shouldDeleteNow } from './deletion.ts';
import { keepTimesOfNoop, trackWrite } from './field-owners.ts';
import { invalidObject, type WriteOptions } from './options.ts';
import { exclusively } from './exclusive.ts';
import { type Outcome, recordWrite, startHook } from './outcome.ts';

/** Lost races before a write that does not name a version gives up; each one means another write went through. */
const CONFLICT_TRIES = 200;

export interface UpdateRequest {
  readonly name: string;
  readonly mode: WriteMode;
  readonly options: WriteOptions;
  /** Makes the next object from the current one; called anew after a lost race. Both arguments may be kept. */
  readonly change: (live: KubeObject) => KubeObject | Promise<KubeObject>;
  /** What to do where the object does not exist; default: 404. */
  readonly whenAbsent?: () => Promise<Outcome>;
  /** Apply has computed managedFields itself. */
  readonly keepsManagedFields?: boolean;
  /** The current object was judged; a lost race judges again. Throws to refuse. */
  readonly check?: (live: KubeObject) => void;
  /** What admission sees where the subresource speaks a kind of its own. */
  readonly seenAs?: {
    readonly kind: string;
    readonly show: (object: KubeObject) => KubeObject;
    /** Takes over into the next object what admission has made of what it was shown. */
    readonly accept: (next: KubeObject, shown: KubeObject) => void;
  };
}

/** For writes of existing objects, one function retried on conflict. */
export function updateObject(call: Call, request: UpdateRequest): Promise<Outcome> {
  const { storage, context } = call;
  return storage.fromCached(
    { name: request.name, namespace: context.info.namespace },
    (current) => updateFrom(call, request, current),
    (outcome, current) => outcome.type === 'stored' && outcome.entry === current,
  );
}

async function updateFrom(call: Call, request: UpdateRequest, before: Entry | undefined): Promise<Outcome> {
  let current = before;
  for (let attempt = 1; ; attempt++) {
    if (current === undefined) {
      if (request.whenAbsent !== undefined) return request.whenAbsent();
      throw notFound(targetOf(call, request.name));
    }
    const result = await tryUpdate(call, request, current);
    if (result.type !== 'conflict') return result;
    if (attempt === CONFLICT_TRIES) throw conflict(targetOf(call, request.name), OPTIMISTIC_LOCK_DETAIL);
    current = result.current;
  }
}

type Attempt = Outcome | { readonly type: 'conflict'; readonly current: Entry | undefined };

async function tryUpdate(call: Call, request: UpdateRequest, current: Entry): Promise<Attempt> {
  const { definition } = call;
  const { options, mode, seenAs } = request;
  const live = servedObject(definition, await call.storage.present(current));
  request.check?.(live);
  const next = await request.change(live);
  // An applied configuration is about the object as it is.
  if (request.keepsManagedFields === true) next.metadata.resourceVersion ??= String(current.revision);
  checkPreconditions(call, { next, live, current, name: request.name });
  carryMetadata(next, live);
  mode.reset(next, live);
  if (request.keepsManagedFields !== true) track(call, { next, live, options, mode });
  const shown = seenAs?.show(next) ?? next;
  const admission = admissionRequest(call, {
    operation: 'UPDATE',
    object: shown,
    oldObject: seenAs?.show(live) ?? live,
    isDryRun: options.isDryRun,
    ...(seenAs === undefined ? {} : { kind: seenAs.kind }),
  });
  await admitMutating(call, admission);
  seenAs?.accept(next, shown);
  keepTimesOfNoop(next, live);
  prepare(call, { next, live, mode });
  const finishUpdate = async (stillAlone: () => void): Promise<Attempt> => {
    const finish = startHook(call, { operation: 'UPDATE', object: next, oldObject: live, dryRun: options.isDryRun });
    let isCommitted = false;
    try {
      validateNext(call, { next, live, mode });
      await admitValidating(call, admission);
      stillAlone();
      const attempt = await commitNext(call, { next, live, current, options });
      isCommitted = attempt.type === 'stored';
      return attempt;
    } finally {
      finish(isCommitted ? 'committed' : 'failed');
    }
  };
  // A status gives nothing out.
  return mode.rules === 'status'
    ? finishUpdate(() => undefined)
    : exclusively(call, { operation: 'UPDATE', object: next }, finishUpdate);
}

interface Pair {
  readonly next: KubeObject;
  readonly live: KubeObject;
}

function checkPreconditions(call: Call, { next, live, current, name }: Pair & { current: Entry; name: string }): void {
  const { resourceVersion = '', uid = '' } = next.metadata;
  if (uid !== '' && uid !== live.metadata.uid) throw uidConflict(call, { name, key: current.key, uid, live });
  if (resourceVersion === '' || resourceVersion === '0') {
    if (call.definition.strategy.allowUnconditionalUpdate === false) throw mustNameVersion(call, name);
    next.metadata.resourceVersion = String(current.revision);
    return;
  }
  if (resourceVersion !== String(current.revision)) throw conflict(targetOf(call, name), OPTIMISTIC_LOCK_DETAIL);
}

function uidConflict(
  call: Call,
  { name, key, uid, live }: { name: string; key: string; uid: string; live: KubeObject },
): StatusError {
  const detail =
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: ` +
    `UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid ?? ''}`;
  return conflict(targetOf(call, name), detail);
}

function mustNameVersion({ definition }: Call, name: string): StatusError {
  const message = 'Invalid value: 0x0: must be specified for an update';
  // Upstream names the resource where all other failures of this kind name the kind.
  return invalidObject({ group: definition.group, kind: definition.resource, name }, [
    { reason: 'FieldValueInvalid', field: 'metadata.resourceVersion', message },
  ]);
}

function track(call: Call, { next, live, options, mode }: Pair & { options: WriteOptions; mode: WriteMode }): void {
  const { manager } = options;
  next.metadata.managedFields = trackWrite(call, { live, next, manager, subresource: mode.subresource });
}

function prepare(call: Call, { next, live, mode }: Pair & { mode: WriteMode }): void {
  const { strategy } = call.definition;
  const { clock, random } = call.core.executor;
  const context = { nowMs: clock.now(), uuid: () => random.uuid(), user: call.context.user };
  if (mode.rules === 'object') strategy.prepareForUpdate?.(next, live, context);
  else if (mode.rules === 'status') strategy.prepareForStatusUpdate?.(next, live, context);
  else strategy.subresources?.[mode.subresource]?.prepare?.(next, live, context);
  const isUnchanged =
    isSpecEqual(next, live, { withStatus: strategy.statusRaisesGeneration === true }) &&
    (strategy.annotationsRaiseGeneration !== true || sameAnnotations(next, live));
  if (strategy.hasGeneration !== true || !mode.raisesGeneration || isUnchanged) return;
  next.metadata.generation = (live.metadata.generation ?? 0) + 1;
}

function sameAnnotations({ metadata: next }: KubeObject, { metadata: live }: KubeObject): boolean {
  return deepEqual(next.annotations ?? {}, live.annotations ?? {});
}

function validateNext(call: Call, { next, live, mode }: Pair & { mode: WriteMode }): void {
  const { definition, context } = call;
  const { strategy } = definition;
  const errors: FieldError[] = validateObjectMetaUpdate(next.metadata, live.metadata);
  if (mode.rules === 'status') errors.push(...(strategy.validateStatusUpdate?.(next, live) ?? []));
  else if (mode.rules === 'own') {
    errors.push(...(mode.validate?.(next, live) ?? []));
    errors.push(...(strategy.subresources?.[mode.subresource]?.validate?.(next, live) ?? []));
  } else errors.push(...(strategy.validateUpdate?.(next, live) ?? []));
  if (errors.length > 0) {
    throw invalidObject({ group: definition.group, kind: definition.kind, name: live.metadata.name ?? '' }, errors);
  }
  for (const text of strategy.warnings?.(next, live) ?? []) warn(context, text);
}

async function commitNext(
  call: Call,
  { next, live, current, options }: Pair & { current: Entry; options: WriteOptions },
): Promise<Attempt> {
  const { storage } = call;
  const isGone = shouldDeleteNow(call.definition, next, live);
  if (options.isDryRun) return { type: 'dryRun', object: withVersion(next, current) };
  if (isGone) {
    const removed = await storage.remove(current);
    if (removed.type === 'conflict') return removed;
    recordWrite(call, removed.entry);
    return { type: 'stored', entry: removed.entry };
  }
  const prepared = await storage.encode(next);
  if (isSame(prepared, { live, current, next })) return { type: 'stored', entry: current };
  const result = await storage.put(current.key, prepared, current.revision);
  if (result.type === 'conflict') return result;
  recordWrite(call, result.entry);
  return { type: 'stored', entry: result.entry };
}

// The same fields in another order have the same length: only then the contents are compared.
function isSame({ encoded }: Prepared, { next, live, current }: Pair & { current: Entry }): boolean {
  const { bytes } = current.encoded;
  if (encoded.bytes.length !== bytes.length) return false;
  const { versionOffset } = encoded;
  // Stored in another version: writing it anew is how objects migrate.
  if (Buffer.compare(encoded.bytes.subarray(0, versionOffset), bytes.subarray(0, versionOffset)) !== 0) return false;
  return Buffer.compare(encoded.bytes, bytes) === 0 || deepEqual(next, live);
}

function withVersion(object: KubeObject, { revision }: Entry): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}
