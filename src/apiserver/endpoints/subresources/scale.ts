import { deepCopy } from '#machinery/codec/deep.ts';
import { badRequest, conflict, methodNotSupported, OPTIMISTIC_LOCK_DETAIL } from '#machinery/errors/status-error.ts';
import { invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { apiVersionOf, type Fields, fieldsOf, type KubeObject, type LabelSelector } from '#machinery/meta/types.ts';
import { applyConfiguration } from '#machinery/managed-fields/apply.ts';
import { entriesAfterScale, entriesOfScale } from '#machinery/managed-fields/scale.ts';
import { typedErrors, typedErrorText } from '#machinery/managed-fields/typed-errors.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import { type Call, targetOf } from '../call.ts';
import { readEntry } from '../get.ts';
import { appliedObject, decodeApplyBody, reportDuplicates } from '../apply.ts';
import { applyPatch, decodePatch, patchTypeOf } from '../patch.ts';
import { respondValue } from '../representation/respond.ts';
import { servedObject } from '../representation/serve.ts';
import { mainMode } from '../write/carry-over.ts';
import { BODY_BYTES_MAX, readBody } from '../write/body.ts';
import { invalidObject, type WriteOptions, writeOptions } from '../write/options.ts';
import { updateObject } from '../write/update.ts';

const SCALE_SCHEMA = 'io.k8s.api.autoscaling.v1.Scale';

interface Scale extends KubeObject {
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

/** `/scale`: the replicas of a workload as one small object of `autoscaling/v1`. */
export async function scale(call: Call): Promise<ApiResponse> {
  switch (call.context.info.verb) {
    case 'get':
      return respondValue(
        call,
        scaleOf(call, servedObject(call.definition, await call.storage.present(await readEntry(call)))),
      );
    case 'update':
      return updateScale(call);
    case 'patch':
      return patchScale(call);
    default:
      throw methodNotSupported(targetOf(call), call.context.info.verb);
  }
}

async function updateScale(call: Call): Promise<ApiResponse> {
  const options = writeOptions(call.context, { kind: 'UpdateOptions' });
  const { value } = await readBody(call.context, 'Scale');
  const given = decodeScale(call, value);
  return write(call, options, () => given);
}

async function patchScale(call: Call): Promise<ApiResponse> {
  const type = patchTypeOf(call);
  const options = writeOptions(call.context, { kind: 'PatchOptions', isApply: type === 'apply' });
  const bytes = await call.context.request.readBody(BODY_BYTES_MAX);
  if (type === 'apply') return applyScale(call, bytes, options);
  const body = decodePatch(bytes, type);
  return write(call, options, (current) =>
    decodeScale(call, applyPatch(call, current, { type, body, schemaName: SCALE_SCHEMA })),
  );
}

/** Server-side apply of a Scale: who owns the replicas of the workload owns those of its Scale, and the other way. */
async function applyScale(call: Call, bytes: Uint8Array, options: WriteOptions): Promise<ApiResponse> {
  const body = decodeApplyBody(bytes);
  const type = 'autoscaling/v1, Kind=Scale';
  const applied = appliedObject(body, type);
  const errors = typedErrors(call.core.schemas, SCALE_SCHEMA, applied);
  if (errors.length > 0) {
    const { name = '', namespace = '' } = applied.metadata;
    throw badRequest(`failed to create typed patch object (${namespace}/${name}; ${type}): ${typedErrorText(errors)}`);
  }
  const path = replicasPath(call);
  return write(call, { ...options, keepsManagedFields: true }, (current, live) => {
    const before = live.metadata.managedFields ?? [];
    const managed = { ...current, metadata: { ...current.metadata, managedFields: entriesOfScale(before, path) } };
    const { object, managedFields } = applyConfiguration({
      live: managed,
      applied,
      manager: options.manager,
      force: options.isForced,
      subresource: 'scale',
      timeMs: call.core.executor.clock.now(),
      schemas: call.core.schemas,
      schemaName: SCALE_SCHEMA,
      unowned: ['status'],
    });
    reportDuplicates(call, body, options);
    const { managedFields: _, ...metadata } = object.metadata;
    const wanted = decodeScale(call, { ...object, metadata });
    const apiVersion = apiVersionOf(call.definition);
    wanted.metadata.managedFields = entriesAfterScale(before, managedFields, { path, apiVersion });
    return wanted;
  });
}

function replicasPath({ definition }: Call): string {
  return definition.strategy.scale?.specReplicas ?? '.spec.replicas';
}

type ChangeScale = (current: Scale, live: KubeObject) => Scale;

/** Writes the replicas of the Scale that `change` makes of the current one; an apply brings managedFields with it. */
async function write(
  call: Call,
  options: WriteOptions & { keepsManagedFields?: boolean },
  change: ChangeScale,
): Promise<ApiResponse> {
  const { keepsManagedFields = false } = options;
  const outcome = await updateObject(call, {
    name: call.context.info.name,
    mode: { ...mainMode(call.definition), subresource: 'scale' },
    options,
    keepsManagedFields,
    seenAs: {
      kind: 'Scale',
      show: (object) => scaleOf(call, object),
      // Admission may have changed the replicas.
      accept: (next, shown) => setPath(next, replicasPath(call), decodeScale(call, shown).spec.replicas ?? 0),
    },
    change: (live) => {
      const wanted = change(scaleOf(call, live), live);
      checkWanted(call, wanted, live);
      const next = deepCopy(live);
      const { managedFields } = wanted.metadata;
      if (keepsManagedFields && managedFields !== undefined) next.metadata.managedFields = managedFields;
      setPath(next, replicasPath(call), wanted.spec.replicas ?? 0);
      return next;
    },
  });
  const object =
    outcome.type === 'dryRun'
      ? outcome.object
      : servedObject(call.definition, await call.storage.present(outcome.entry));
  return respondValue(call, scaleOf(call, object));
}

function checkWanted(call: Call, wanted: Scale, live: KubeObject): void {
  const { name = '', resourceVersion = '' } = wanted.metadata;
  const replicas = wanted.spec.replicas ?? 0;
  if (name !== '' && name !== live.metadata.name) {
    throw badRequest(
      `the name of the object (${name}) does not match the name on the URL (${live.metadata.name ?? ''})`,
    );
  }
  if (resourceVersion !== '' && resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(targetOf(call), OPTIMISTIC_LOCK_DETAIL);
  }
  if (replicas >= 0) return;
  const path = new FieldPath('spec.replicas');
  throw invalidObject({ group: 'autoscaling', kind: 'Scale', name: live.metadata.name ?? '' }, [
    invalidValue(path, replicas, 'must be greater than or equal to 0'),
  ]);
}

function decodeScale(call: Call, value: unknown): Scale {
  const { value: decoded, errors } = compileSchema(call.storage.schemas, SCALE_SCHEMA).decode(value, { mode: 'prune' });
  const [first] = errors;
  if (first !== undefined) throw badRequest(`Scale in version "v1" cannot be handled as a Scale: ${first.message}`);
  // Safe: it passed the schema of Scale.
  const fields = decoded as Partial<Scale>;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: fields.metadata ?? {},
    spec: fields.spec ?? {},
    status: fields.status ?? { replicas: 0 },
  };
}

function scaleOf({ definition }: Call, object: KubeObject): Scale {
  const paths = definition.strategy.scale;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  // A custom resource may name no path.
  const selector = paths?.selector === '' ? '' : selectorText(valueAt(object, paths?.selector ?? '.spec.selector'));
  const replicas = numberOf(valueAt(object, paths?.specReplicas ?? '.spec.replicas'));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    // Upstream's field is left out when it is zero.
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: numberOf(valueAt(object, paths?.statusReplicas ?? '.status.replicas')),
      ...(selector === '' ? {} : { selector }),
    },
  };
}

/** A selector as text; a plain map of labels (replication controllers) is one, too. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector;
  if (typeof selector !== 'object' || selector === null) return '';
  if ('matchLabels' in selector || 'matchExpressions' in selector) {
    // Safe: the object passed its schema, where this field is a label selector.
    return compileLabelSelector(selector as LabelSelector).toString();
  }
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${String(value)}`)
    .toSorted()
    .join(',');
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function valueAt(object: KubeObject, path: string): unknown {
  let value: unknown = object;
  for (const name of path.split('.').filter((part) => part !== '')) {
    if (typeof value !== 'object' || value === null) return undefined;
    // Safe: a JSON object's fields are read as unknown.
    value = (value as Fields)[name];
  }
  return value;
}

function setPath(object: KubeObject, path: string, value: number): void {
  const names = path.split('.').filter((part) => part !== '');
  const last = names.pop() ?? '';
  let fields = fieldsOf(object);
  for (const name of names) {
    const inner = fields[name];
    // Safe: as above.
    const next = (typeof inner === 'object' && inner !== null ? inner : {}) as Fields;
    fields[name] = next;
    fields = next;
  }
  fields[last] = value;
}
