import { badRequest } from '#machinery/errors/status-error.ts';
import { applyConfiguration } from '#machinery/managed-fields/apply.ts';
import { apiVersionOf, type Fields, type KubeObject } from '#machinery/meta/types.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { type Call, warn } from './call.ts';
import { matchName, matchNamespace } from './create.ts';
import { createAbsent } from './update.ts';
import { decodeObject, type RawBody } from './write/body.ts';
import type { WriteMode } from './write/carry-over.ts';
import type { WriteOptions } from './write/options.ts';
import { type Outcome, respondOutcome } from './write/outcome.ts';
import { updateObject } from './write/update.ts';

interface ApplyRequest {
  readonly body: RawBody;
  readonly mode: WriteMode;
  readonly options: WriteOptions;
}

/** Server-side apply: PATCH with what one manager has an opinion on; creates what is not there. */
export async function apply(call: Call, { body, mode, options }: ApplyRequest): Promise<ApiResponse> {
  const applied = decodeApplied(call, body, options);
  matchName(call, applied);
  matchNamespace(call, applied);
  let status = 200;
  const whenAbsent = (): Promise<Outcome> => {
    status = 201;
    const object = merged(call, { live: undefined, applied, mode, options });
    return createAbsent(call, object, { ...options, keepsManagedFields: true });
  };
  const outcome = await updateObject(call, {
    name: call.context.info.name,
    mode,
    options,
    keepsManagedFields: true,
    change: (live) => merged(call, { live, applied, mode, options }),
    ...(mode.subresource === '' ? { whenAbsent } : {}),
  });
  return respondOutcome(call, outcome, status);
}

function merged(
  call: Call,
  {
    live,
    applied,
    mode,
    options,
  }: { live: KubeObject | undefined; applied: KubeObject; mode: WriteMode; options: WriteOptions },
): KubeObject {
  const { object, managedFields } = applyConfiguration({
    live,
    applied,
    manager: options.manager,
    force: options.isForced,
    subresource: mode.subresource,
    timeMs: call.core.executor.clock.now(),
    schemas: call.storage.schemas,
    schemaName: call.definition.schemaName,
  });
  const whole = decodeObject(call, { value: object, duplicates: [] }, { fieldValidation: 'Ignore', fail: badRequest });
  whole.metadata.managedFields = managedFields;
  const { resourceVersion } = applied.metadata;
  if (resourceVersion !== undefined) whole.metadata.resourceVersion = resourceVersion;
  return whole;
}

/** Checks the configuration by the schema without adding to it: only what it says is owned. */
function decodeApplied(call: Call, { value, duplicates }: RawBody, { fieldValidation }: WriteOptions): KubeObject {
  const { definition, storage, context } = call;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('error decoding YAML: the applied configuration must be an object');
  }
  const decoded = compileSchema(storage.schemas, definition.schemaName, { zeroes: 'keep' }).decode(value, {
    mode: 'prune',
  });
  const [first] = decoded.errors;
  if (first !== undefined) throw badRequest(`failed to create typed patch object: ${first.path}: ${first.message}`);
  const findings = [
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...decoded.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
  if (findings.length > 0 && fieldValidation === 'Strict') {
    throw badRequest(`strict decoding error: ${findings.join(', ')}`);
  }
  if (fieldValidation === 'Warn') for (const text of findings) warn(context, text);
  // Safe: a stored kind's schema is an object with metadata; what is missing is checked here.
  const fields = decoded.value as Fields & Partial<KubeObject>;
  checkIdentity(call, fields);
  if ((fields.metadata?.managedFields ?? []).length > 0) throw badRequest('metadata.managedFields must be nil');
  const metadata = { ...fields.metadata };
  delete metadata.managedFields;
  return { ...fields, kind: definition.kind, apiVersion: apiVersionOf(definition), metadata };
}

function checkIdentity({ definition }: Call, { kind, apiVersion }: Partial<KubeObject>): void {
  const expected = apiVersionOf(definition);
  if (kind === undefined || kind === '') throw badRequest("Object 'Kind' is missing in the applied configuration");
  if (apiVersion !== expected || kind !== definition.kind) {
    throw badRequest(
      `PATCH with apiVersion ${JSON.stringify(apiVersion ?? '')} and kind ${JSON.stringify(kind)} does not match ` +
        `the expected ${expected} ${definition.kind}`,
    );
  }
}
