import { decodeJson } from '#machinery/codec/json.ts';
import { decodeClientYaml } from '#machinery/codec/yaml.ts';
import { badRequest, conflict } from '#machinery/errors/status-error.ts';
import { applyConfiguration } from '#machinery/managed-fields/apply.ts';
import { typedErrors, typedErrorText } from '#machinery/managed-fields/typed-errors.ts';
import type { Fields, KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { type Call, targetOf, warn } from './call.ts';
import { matchName, matchNamespace } from './create.ts';
import { createAbsent } from './update.ts';
import { decodeObject } from './write/body.ts';
import type { WriteMode } from './write/carry-over.ts';
import { converterOf, unownedFields } from './write/field-owners.ts';
import type { WriteOptions } from './write/options.ts';
import { type Outcome, respondOutcome } from './write/outcome.ts';
import { updateObject } from './write/update.ts';

/** A decoded apply patch. */
export interface AppliedBody {
  readonly value: unknown;
  /** Keys that stand twice, with their lines. */
  readonly duplicates: readonly string[];
}

interface ApplyRequest {
  readonly body: AppliedBody;
  readonly mode: WriteMode;
  readonly options: WriteOptions;
  /** Judges the object before it is written; throws to refuse. */
  readonly check?: ((live: KubeObject) => void) | undefined;
}

/** Reads the body of an apply, which is YAML; 400 where it is none. */
export function decodeApplyBody(bytes: Uint8Array): AppliedBody {
  const text = Buffer.from(bytes).toString();
  const json = /^\s*\{/.test(text) ? decodeCleanJson(bytes) : undefined;
  if (json !== undefined) return json;
  try {
    const { value, duplicates } = decodeClientYaml(text);
    return { value: value ?? {}, duplicates };
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Most clients send JSON; the lines of what stands twice in it only the YAML parser knows. */
function decodeCleanJson(bytes: Uint8Array): AppliedBody | undefined {
  try {
    const body = decodeJson(bytes);
    return body.duplicates.length === 0 ? body : undefined;
  } catch {
    // YAML that begins like JSON, or neither: the YAML parser tells.
    return undefined;
  }
}

/** Server-side apply: PATCH with what one manager has an opinion on; creates what is not there. */
export async function apply(call: Call, { body, mode, options, check }: ApplyRequest): Promise<ApiResponse> {
  const { definition } = call;
  const applied = appliedObject(body, `${definition.group}/${definition.version}, Kind=${definition.kind}`);
  checkTyped(call, applied);
  let status = 200;
  const whenAbsent = (): Promise<Outcome> => {
    status = 201;
    const object = merged(call, { live: undefined, applied, mode, options });
    const { uid = '' } = applied.metadata;
    if (uid !== '') {
      const detail = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
      throw conflict(targetOf(call), detail);
    }
    reportDuplicates(call, body, options);
    return createAbsent(call, object, { ...options, keepsManagedFields: true });
  };
  const outcome = await updateObject(call, {
    name: call.context.info.name,
    mode,
    options,
    keepsManagedFields: true,
    change: (live) => {
      const object = merged(call, { live, applied, mode, options });
      reportDuplicates(call, body, options);
      return object;
    },
    ...(check === undefined ? {} : { check }),
    ...(mode.subresource === '' ? { whenAbsent } : {}),
  });
  return respondOutcome(call, outcome, status);
}

interface MergeInput {
  readonly live: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly mode: WriteMode;
  readonly options: WriteOptions;
}

function merged(call: Call, { live, applied, mode, options }: MergeInput): KubeObject {
  const { definition, storage, core } = call;
  const { object, managedFields } = applyConfiguration({
    live,
    applied,
    manager: options.manager,
    force: options.isForced,
    subresource: mode.subresource,
    timeMs: core.executor.clock.now(),
    schemas: storage.schemas,
    schemaName: definition.schemaName,
    unowned: unownedFields(definition, mode.subresource),
    convert: converterOf(call),
  });
  const { managedFields: _, ...metadata } = object.metadata;
  const value = { ...object, metadata };
  const whole = decodeObject(call, { value, duplicates: [] }, { fieldValidation: 'Ignore', fail: badRequest });
  whole.metadata.managedFields = managedFields;
  if (applied.metadata.resourceVersion === undefined) delete whole.metadata.resourceVersion;
  matchName(call, whole);
  matchNamespace(call, whole);
  return whole;
}

/** The applied object, whose kind and version are those of the request; 400 where they are others. */
export function appliedObject({ value }: AppliedBody, expectedType: string): KubeObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('error decoding YAML: error unmarshaling JSON: json: cannot unmarshal into a map');
  }
  // Safe: an object is read by its own keys; what is needed of it is checked here and by the schema.
  const fields = value as Fields;
  const { metadata } = fields;
  const kind = textOf(fields['kind']);
  const apiVersion = textOf(fields['apiVersion']);
  const [group, version] = splitVersion(apiVersion);
  const type = `${group}/${version}, Kind=${kind}`;
  if (type !== expectedType) throw badRequest(`invalid object type: ${type}`);
  if (metadata !== undefined && metadata !== null && (typeof metadata !== 'object' || Array.isArray(metadata))) {
    throw badRequest('metadata of the applied configuration must be an object');
  }
  const meta = (metadata ?? {}) as KubeObject['metadata'];
  if (Array.isArray(meta.managedFields)) throw badRequest('metadata.managedFields must be nil');
  return { ...fields, kind, apiVersion, metadata: meta };
}

/** As upstream reads an object whose fields it does not know: what is no text is none. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function splitVersion(apiVersion: string): [group: string, version: string] {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
}

/** What does not fit the schema cannot be owned field by field: 400, whatever `fieldValidation` says. */
function checkTyped({ storage, definition }: Call, applied: KubeObject): void {
  const errors = typedErrors(storage.schemas, definition.schemaName, applied);
  if (errors.length === 0) return;
  const { name = '', namespace = '' } = applied.metadata;
  const type = `${definition.group}/${definition.version}, Kind=${definition.kind}`;
  throw badRequest(
    `failed to create typed patch object (${textOf(namespace)}/${textOf(name)}; ${type}): ${typedErrorText(errors)}`,
  );
}

export function reportDuplicates(call: Call, { duplicates }: AppliedBody, { fieldValidation }: WriteOptions): void {
  if (duplicates.length === 0 || fieldValidation === 'Ignore') return;
  const text = `error converting YAML to JSON: yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}`;
  if (fieldValidation === 'Strict') throw badRequest(`error strict decoding YAML: ${text}`);
  warn(call.context, text);
}
