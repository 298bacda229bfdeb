import { isDeeperThan } from '#machinery/codec/deep.ts';
import { decodeJson, encodeValue } from '#machinery/codec/json.ts';
import { DEPTH_MAX } from '#machinery/codec/json-errors.ts';
import {
  badRequest,
  genericStatus,
  requestEntityTooLarge,
  StatusError,
  unsupportedMediaType,
} from '#machinery/errors/status-error.ts';
import { invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { PatchError } from '#machinery/patch/errors.ts';
import { applyJsonPatch, JSON_PATCH_OPERATIONS_MAX } from '#machinery/patch/json-patch.ts';
import { applyMergePatch } from '#machinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '#machinery/patch/strategic-merge-patch.ts';
import { goText } from '#machinery/schema/go-print.ts';
import { jsonKind } from '#machinery/schema/go-types.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { apply, decodeApplyBody } from './apply.ts';
import { type Call, warn } from './call.ts';
import { matchName, matchNamespace } from './create.ts';
import { BODY_BYTES_MAX, decodeObject, type RawBody } from './write/body.ts';
import { mainMode, type WriteMode } from './write/carry-over.ts';
import { checkCustomType } from './write/custom-type.ts';
import { invalidObject, type WriteOptions, writeOptions } from './write/options.ts';
import { respondOutcome } from './write/outcome.ts';
import { updateObject } from './write/update.ts';

export type PlainPatchType = 'json' | 'merge' | 'strategic';
export type PatchType = PlainPatchType | 'apply';

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** PATCH of one object. */
export function patch(call: Call): Promise<ApiResponse> {
  return patchThrough(call, mainMode(call.definition));
}

/** PATCH of one object through one of its subresources that takes the whole object. */
export async function patchThrough(
  call: Call,
  mode: WriteMode,
  check?: (live: KubeObject) => void,
): Promise<ApiResponse> {
  const type = patchTypeOf(call);
  const options = writeOptions(call.context, { kind: 'PatchOptions', isApply: type === 'apply' });
  const bytes = await call.context.request.readBody(BODY_BYTES_MAX);
  if (type === 'apply') return apply(call, { body: decodeApplyBody(bytes), mode, options, check });
  const body = decodePatch(bytes, type);
  const outcome = await updateObject(call, {
    name: call.context.info.name,
    mode,
    options,
    change: (live) => patched(call, live, { type, body, options }),
    ...(check === undefined ? {} : { check }),
  });
  return respondOutcome(call, outcome);
}

/** What kind of patch the body is; strategic merge only for built-in kinds, whose schema has its rules. */
export function patchTypeOf({ context, definition }: Call): PatchType {
  const header = (context.request.headers['content-type'] ?? '').split(';')[0] ?? '';
  const type = Object.hasOwn(PATCH_TYPES, header) ? PATCH_TYPES[header] : undefined;
  const isBuiltin = definition.custom === undefined;
  if (type !== undefined && (type !== 'strategic' || isBuiltin)) return type;
  const accepted = Object.keys(PATCH_TYPES).filter((name) => isBuiltin || PATCH_TYPES[name] !== 'strategic');
  throw unsupportedMediaType(accepted);
}

/** A decoded patch that is no apply. */
export interface PatchBody {
  readonly value: unknown;
  /** What strict validation refuses in the patch itself. */
  readonly findings: readonly string[];
}

/** Reads a patch; what is none is a 400, and too many operations are a 413. */
export function decodePatch(bytes: Uint8Array, type: PlainPatchType): PatchBody {
  const prefix = type === 'strategic' ? '' : 'error decoding patch: ';
  let body: RawBody;
  try {
    body = decodeJson(bytes);
  } catch (error) {
    throw badRequest(`${prefix}${error instanceof Error ? error.message : String(error)}`);
  }
  const { value } = body;
  const duplicates = body.duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`);
  if (type === 'json') return checkedOperations(value, duplicates);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(
      `${prefix}json: cannot unmarshal ${jsonKind(value)} into Go value of type map[string]interface {}`,
    );
  }
  return { value, findings: duplicates };
}

const OPERATION_FIELDS = new Set(['op', 'path', 'from', 'value']);

function checkedOperations(value: unknown, duplicates: readonly string[]): PatchBody {
  if (!Array.isArray(value)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${jsonKind(value)} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (value.length > JSON_PATCH_OPERATIONS_MAX) {
    throw requestEntityTooLarge(
      `Request entity too large: The allowed maximum operations in a JSON patch is ${JSON_PATCH_OPERATIONS_MAX}, got ${value.length}`,
    );
  }
  const findings = [...duplicates];
  for (const [index, operation] of value.entries()) {
    checkOperation(operation);
    for (const name of Object.keys(operation)) {
      if (!OPERATION_FIELDS.has(name)) findings.push(`unknown field ${JSON.stringify(`[${index}].${name}`)}`);
    }
  }
  return { value, findings: findings.map((text) => `json patch ${text}`) };
}

function checkOperation(operation: unknown): asserts operation is object {
  if (typeof operation !== 'object' || operation === null || Array.isArray(operation)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${jsonKind(operation)} into Go value of type handlers.jsonPatchOp`,
    );
  }
  for (const [name, value] of Object.entries(operation)) {
    if (name === 'value' || !OPERATION_FIELDS.has(name) || typeof value === 'string' || value === null) continue;
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${jsonKind(value)} into Go struct field jsonPatchOp.${name} of type string`,
    );
  }
}

/** Applies a patch to a plain document; failures are the statuses that upstream answers. */
export function applyPatch(
  { storage }: Call,
  document: unknown,
  { type, body, schemaName }: { type: PlainPatchType; body: PatchBody; schemaName?: string },
): unknown {
  try {
    if (type === 'json') {
      const patched = applyJsonPatch(document, body.value);
      // Operations can move what is there into each other; of the other patches none goes deeper than its parts.
      if (isDeeperThan(patched, DEPTH_MAX)) throw badRequest('exceeded max depth');
      return patched;
    }
    if (type === 'merge') return applyMergePatch(document, body.value);
    return applyStrategicMergePatch(document, body.value, storage.schemas, schemaName ?? storage.definition.schemaName);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw patchFailure(error, type);
  }
}

interface Patch {
  readonly type: PlainPatchType;
  readonly body: PatchBody;
  readonly options: WriteOptions;
}

function patched(call: Call, live: KubeObject, { type, body, options }: Patch): KubeObject {
  const value = applyPatch(call, live, { type, body });
  checkCustomType(call, value);
  const { fieldValidation } = options;
  const fail = (reason: string): StatusError => refusedPatch({ type, body, value }, reason);
  const unknown: string[] = [];
  const object = decodeObject(
    call,
    { value, duplicates: [] },
    {
      fieldValidation,
      fail: (reason) => {
        const isStrict = reason.startsWith(STRICT_PREFIX);
        if (isStrict) unknown.push(reason.slice(STRICT_PREFIX.length));
        return fail(isStrict ? `${STRICT_PREFIX}${[...body.findings, ...unknown].join(', ')}` : reason);
      },
    },
  );
  if (body.findings.length > 0 && fieldValidation === 'Strict') {
    throw fail(`${STRICT_PREFIX}${body.findings.join(', ')}`);
  }
  if (fieldValidation === 'Warn') for (const text of body.findings) warn(call.context, text);
  matchName(call, object);
  matchNamespace(call, object);
  return object;
}

const STRICT_PREFIX = 'strict decoding error: ';

/** 422 where the patched object cannot be read; it shows a strategic patch itself, and of the others the result. */
function refusedPatch(
  { type, body, value }: { type: PlainPatchType; body: PatchBody; value: unknown },
  reason: string,
): StatusError {
  const shown = type === 'strategic' ? goText(body.value) : encodeValue(value);
  return invalidObject({ group: '', kind: '', name: '' }, [invalidValue(new FieldPath('patch'), shown, reason)]);
}

// A JSON patch whose operation fails is a 422 without a cause, and so are lists of lists; what is no patch is a 400.
function patchFailure(error: unknown, type: PlainPatchType): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (type !== 'merge' && error instanceof PatchError && error.code === 'inapplicable') {
    return genericStatus(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
  }
  return badRequest(text);
}
