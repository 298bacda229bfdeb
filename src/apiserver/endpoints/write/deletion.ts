import { encodeValue } from '#machinery/codec/json.ts';
import { formatTime, parseTime } from '#machinery/clock/clock.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { badRequest, conflict } from '#machinery/errors/status-error.ts';
import { type FieldError, invalidValue, notSupported } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import { dryRunOf, invalidOptions } from './options.ts';

export type Propagation = 'Orphan' | 'Background' | 'Foreground';

/** `DeleteOptions` as the body and query of a request give them. */
export interface DeletionOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: Propagation | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly isDryRun: boolean;
}

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

/** What a deletion does to the object now. */
export type DeletionStep =
  /** The object goes at once. */
  | { readonly type: 'remove' }
  /** The object, changed in place, stays until a kubelet or its finalizers let it go. */
  | { readonly type: 'mark' }
  /** It is on its way out already, and nothing changes. */
  | { readonly type: 'pending' };

/** Decides a deletion and marks `object` (changed in place) where it stays for now. */
export function planDeletion(
  definition: ResourceDefinition,
  object: KubeObject,
  { options, nowMs }: { options: DeletionOptions; nowMs: number },
): DeletionStep {
  checkPreconditions(definition, object, options);
  const grace = startGrace(definition, object, { options, nowMs });
  if (grace.type === 'pending') return grace;
  setCollectionFinalizers(definition, object, options);
  const hasFinalizers = (object.metadata.finalizers?.length ?? 0) > 0;
  if (grace.type === 'graceful') return grace.seconds > 0 || hasFinalizers ? { type: 'mark' } : { type: 'remove' };
  if (!hasFinalizers) return { type: 'remove' };
  markAsDeleting(object, nowMs);
  return { type: 'mark' };
}

/** Whether an update lets an object that was waiting for its finalizers go. */
export function shouldDeleteNow(definition: ResourceDefinition, next: KubeObject, live: KubeObject): boolean {
  if ((next.metadata.finalizers?.length ?? 0) > 0 || live.metadata.deletionTimestamp === undefined) return false;
  if (definition.group === '' && definition.resource === 'namespaces') return namespaceFinalizers(next).length === 0;
  return live.metadata.deletionGracePeriodSeconds === 0;
}

/** `spec.finalizers` of a namespace, which guard its content. */
export function namespaceFinalizers(namespace: KubeObject): readonly string[] {
  const spec = fieldsOf(namespace)['spec'];
  if (typeof spec !== 'object' || spec === null || !('finalizers' in spec)) return [];
  return Array.isArray(spec.finalizers) ? spec.finalizers : [];
}

export function checkPreconditions(
  definition: ResourceDefinition,
  { metadata }: KubeObject,
  options: DeletionOptions,
): void {
  const target = { group: definition.group, resource: definition.kind, name: metadata.name ?? '' };
  const { uid = '', resourceVersion = '' } = metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    throw conflict(
      target,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). ` +
        'The object might have been deleted and then recreated',
    );
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    throw conflict(
      target,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in ` +
        `record (${resourceVersion}). The object might have been modified`,
    );
  }
}

type Grace =
  | { readonly type: 'none' }
  | { readonly type: 'pending' }
  | { readonly type: 'graceful'; readonly seconds: number };

// Only kinds with a grace period (pods) are marked and left to whoever ends them.
function startGrace(
  definition: ResourceDefinition,
  object: KubeObject,
  { options, nowMs }: { options: DeletionOptions; nowMs: number },
): Grace {
  const { gracePeriodSeconds } = definition.strategy;
  const { metadata } = object;
  if (gracePeriodSeconds === undefined) return { type: 'none' };
  if (metadata.deletionTimestamp !== undefined) return shortenGrace(object, options);
  const requested = options.gracePeriodSeconds;
  // Upstream takes a negative period as one second.
  const seconds = gracePeriodSeconds(object, requested !== undefined && requested < 0 ? 1 : requested);
  metadata.deletionTimestamp = formatTime(nowMs + seconds * 1000);
  metadata.deletionGracePeriodSeconds = seconds;
  if (metadata.generation !== undefined) metadata.generation += 1;
  return { type: 'graceful', seconds };
}

function shortenGrace({ metadata }: KubeObject, { gracePeriodSeconds }: DeletionOptions): Grace {
  const before = metadata.deletionGracePeriodSeconds;
  if (before === undefined) return { type: 'none' };
  const seconds = gracePeriodSeconds !== undefined && gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;
  if (seconds === undefined || seconds >= before) return { type: 'pending' };
  const endsAtMs = parseTime(metadata.deletionTimestamp ?? '') ?? 0;
  metadata.deletionTimestamp = formatTime(endsAtMs - before * 1000 + seconds * 1000);
  metadata.deletionGracePeriodSeconds = seconds;
  return { type: 'graceful', seconds };
}

function markAsDeleting({ metadata }: KubeObject, nowMs: number): void {
  if (metadata.deletionGracePeriodSeconds === undefined && metadata.generation !== undefined) metadata.generation += 1;
  metadata.deletionTimestamp ??= formatTime(nowMs);
  metadata.deletionGracePeriodSeconds = 0;
}

/** Puts in or takes away the finalizers by which the garbage collector learns what happens to dependents. */
function setCollectionFinalizers(
  definition: ResourceDefinition,
  { metadata }: KubeObject,
  options: DeletionOptions,
): void {
  const before = metadata.finalizers ?? [];
  const after = before.filter((finalizer) => finalizer !== ORPHAN_FINALIZER && finalizer !== FOREGROUND_FINALIZER);
  if (shouldOrphan(definition, before, options)) after.push(ORPHAN_FINALIZER);
  if (shouldDeleteInForeground(before, options)) after.push(FOREGROUND_FINALIZER);
  if (after.length > 0) metadata.finalizers = after;
  else delete metadata.finalizers;
}

function shouldOrphan(
  definition: ResourceDefinition,
  finalizers: readonly string[],
  { propagation }: DeletionOptions,
): boolean {
  if (propagation !== undefined) return propagation === 'Orphan';
  if (finalizers.includes(ORPHAN_FINALIZER)) return true;
  if (finalizers.includes(FOREGROUND_FINALIZER)) return false;
  return definition.strategy.defaultPropagation === 'Orphan';
}

function shouldDeleteInForeground(finalizers: readonly string[], { propagation }: DeletionOptions): boolean {
  if (propagation !== undefined) return propagation === 'Foreground';
  return finalizers.includes(FOREGROUND_FINALIZER) && !finalizers.includes(ORPHAN_FINALIZER);
}

/** Reads the fields of a `DeleteOptions` body, or of the query; 400 for a wrong type, 422 for a wrong value. */
export function deletionOptionsOf(body: Readonly<Record<string, unknown>>, query: URLSearchParams): DeletionOptions {
  const preconditions = body['preconditions'];
  const conditions: { uid?: unknown; resourceVersion?: unknown } =
    typeof preconditions === 'object' && preconditions !== null ? preconditions : {};
  const orphan = body['orphanDependents'] ?? query.get('orphanDependents') ?? undefined;
  const legacy = orphan === undefined ? undefined : orphan === true || orphan === 'true' ? 'Orphan' : 'Background';
  const policy = body['propagationPolicy'] ?? query.get('propagationPolicy') ?? undefined;
  const errors: FieldError[] = [];
  const propagation = propagationOf(policy, errors);
  if (orphan !== undefined && policy !== undefined) {
    const detail = 'orphanDependents and deletionPropagation cannot be both set';
    errors.unshift(invalidValue(PROPAGATION_PATH, policy, detail));
  }
  const isDryRun = dryRunOf([...textsOf(body['dryRun']), ...query.getAll('dryRun')], errors);
  if (errors.length > 0) throw invalidOptions('DeleteOptions', errors);
  return {
    gracePeriodSeconds: integerOf(body['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds') ?? undefined),
    propagation: propagation ?? legacy,
    uid: textOf(conditions.uid),
    resourceVersion: textOf(conditions.resourceVersion),
    isDryRun,
  };
}

/** The options of a deletion as the object that admission sees. */
export function deletionOptionsObject(options: DeletionOptions): Readonly<Record<string, unknown>> {
  const { gracePeriodSeconds, propagation, uid, resourceVersion, isDryRun } = options;
  const hasPreconditions = uid !== undefined || resourceVersion !== undefined;
  return {
    kind: 'DeleteOptions',
    apiVersion: 'meta.k8s.io/v1',
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(hasPreconditions && {
      preconditions: { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) },
    }),
    ...(propagation !== undefined && { propagationPolicy: propagation }),
    ...(isDryRun && { dryRun: ['All'] }),
  };
}

const PROPAGATION_PATH = new FieldPath('propagationPolicy');

function propagationOf(value: unknown, errors: FieldError[]): Propagation | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'Orphan' || value === 'Background' || value === 'Foreground') return value;
  errors.push(notSupported(PROPAGATION_PATH, value, ['Foreground', 'Background', 'Orphan', 'nil']));
  return undefined;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map((item) => (typeof item === 'string' ? item : encodeValue(item))) : [];
}

function integerOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw badRequest(`cannot decode DeleteOptions: gracePeriodSeconds must be an integer, not ${encodeValue(value)}`);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
