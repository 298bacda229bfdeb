import type { ResourceDefinition } from '#api/registry/resource.ts';
import { validateFinalizerNames } from '#api/validation/finalizer-names.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { alreadyExists, badRequest } from '#machinery/errors/status-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { fieldsOf, type KubeObject } from '#machinery/meta/types.ts';
import { validateObjectMeta } from '#machinery/validation/metadata.ts';
import { type Call, targetOf, warn } from '../call.ts';
import { admissionRequest, admitMutating, admitValidating } from './admit.ts';
import { hasStatus } from './carry-over.ts';
import { trackWrite } from './field-owners.ts';
import { invalidObject, type WriteOptions } from './options.ts';
import { exclusively } from './exclusive.ts';
import { type Outcome, recordWrite, startHook } from './outcome.ts';

/** Tries of a generated name that is taken, as upstream. */
const GENERATED_NAME_TRIES = 8;
/** A generated name's base is cut so that the whole fits a label. */
const GENERATED_BASE_LENGTH_MAX = 58;
const SUFFIX_LENGTH = 5;
const finalizers = new FieldPath('metadata').child('finalizers');

/**
 * Stores a new object, which is given away: defaults are already in. Metadata, managedFields, admission, strategy,
 * validation, compare-and-swap.
 */
export async function createObject(
  call: Call,
  object: KubeObject,
  { keepsManagedFields = false, ...options }: WriteOptions & { keepsManagedFields?: boolean },
): Promise<Outcome> {
  const { definition, core } = call;
  const { strategy } = definition;
  const nowMs = core.executor.clock.now();
  startMetadata(call, object, nowMs);
  if (hasStatus(definition) && strategy.prepareForCreate === undefined) delete fieldsOf(object)['status'];
  // Apply has said itself who owns what.
  if (!keepsManagedFields) {
    const { manager } = options;
    object.metadata.managedFields = trackWrite(call, { live: undefined, next: object, manager, subresource: '' });
  }
  const admission = admissionRequest(call, { operation: 'CREATE', object, isDryRun: options.isDryRun });
  await admitMutating(call, admission);
  const isGenerated = nameObject(call, object);
  strategy.prepareForCreate?.(object, { nowMs, uuid: () => core.executor.random.uuid(), user: call.context.user });
  if (strategy.hasGeneration === true) object.metadata.generation = 1;
  else delete object.metadata.generation;
  return exclusively(call, { operation: 'CREATE', object }, async (stillAlone) => {
    const finish = startHook(call, { operation: 'CREATE', object, dryRun: options.isDryRun });
    let isCommitted = false;
    try {
      validateNew(call, object);
      await admitValidating(call, admission);
      if (options.isDryRun) return dryRunCreate(call, object);
      stillAlone();
      const outcome = await commitNew(call, object, isGenerated);
      isCommitted = true;
      return outcome;
    } finally {
      finish(isCommitted ? 'committed' : 'failed');
    }
  });
}

function startMetadata(call: Call, { metadata }: KubeObject, nowMs: number): void {
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '' && metadata.resourceVersion !== '0') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  metadata.uid = call.core.executor.random.uuid();
  metadata.creationTimestamp = formatTime(nowMs);
}

function nameObject({ core }: Call, { metadata }: KubeObject): boolean {
  if ((metadata.name ?? '') !== '' || (metadata.generateName ?? '') === '') return false;
  metadata.name = generatedName(metadata.generateName ?? '', core.executor.random.suffix(SUFFIX_LENGTH));
  return true;
}

function generatedName(base: string, suffix: string): string {
  return base.slice(0, GENERATED_BASE_LENGTH_MAX) + suffix;
}

function validateNew(call: Call, object: KubeObject): void {
  const { definition, context } = call;
  const { strategy } = definition;
  const errors = validateObjectMeta(object.metadata, {
    namespaced: definition.namespaced,
    ...(strategy.validateName === undefined ? {} : { validateName: strategy.validateName }),
  });
  if (hasOwnFinalizers(definition))
    errors.push(...validateFinalizerNames(object.metadata.finalizers ?? [], finalizers));
  errors.push(...(strategy.validate?.(object) ?? []));
  if (errors.length > 0) {
    throw invalidObject({ group: definition.group, kind: definition.kind, name: object.metadata.name ?? '' }, errors);
  }
  for (const text of strategy.warnings?.(object, undefined) ?? []) warn(context, text);
}

/** Definitions of custom resources, their objects and API services are checked more loosely than all other kinds. */
function hasOwnFinalizers({ isCustom, group }: ResourceDefinition): boolean {
  return isCustom !== true && group !== 'apiextensions.k8s.io' && group !== 'apiregistration.k8s.io';
}

function dryRunCreate(call: Call, object: KubeObject): Outcome {
  const { name = '', namespace = '' } = object.metadata;
  if (call.storage.get(name, namespace) !== undefined) throw alreadyExists(targetOf(call, name));
  return { type: 'dryRun', object };
}

async function commitNew(call: Call, object: KubeObject, isGenerated: boolean): Promise<Outcome> {
  const { storage, core } = call;
  const { metadata } = object;
  for (let attempt = 1; ; attempt++) {
    const { name = '', namespace = '' } = metadata;
    const isLast = !isGenerated || attempt === GENERATED_NAME_TRIES;
    // The storage keeps what it is given; a further try needs an object of its own.
    const given = isLast ? object : { ...object, metadata: { ...metadata } };
    const result = await storage.put(storage.keyOf(name, namespace), await storage.encode(given), 0);
    if (result.type === 'committed') {
      recordWrite(call, result.entry);
      return { type: 'stored', entry: result.entry };
    }
    if (isLast) throw alreadyExists(targetOf(call, name));
    metadata.name = generatedName(metadata.generateName ?? '', core.executor.random.suffix(SUFFIX_LENGTH));
  }
}
