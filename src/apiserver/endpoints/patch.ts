import { encodeValue } from '#machinery/codec/json.ts';
import { badRequest, genericStatus, StatusError, unsupportedMediaType } from '#machinery/errors/status-error.ts';
import { invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { PatchError } from '#machinery/patch/errors.ts';
import { applyJsonPatch } from '#machinery/patch/json-patch.ts';
import { applyMergePatch } from '#machinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '#machinery/patch/strategic-merge-patch.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { apply } from './apply.ts';
import type { Call } from './call.ts';
import { matchName, matchNamespace } from './create.ts';
import { BODY_BYTES_MAX, decodeBody, decodeObject, type RawBody } from './write/body.ts';
import { mainMode, type WriteMode } from './write/carry-over.ts';
import { invalidObject, type WriteOptions, writeOptions } from './write/options.ts';
import { respondOutcome } from './write/outcome.ts';
import { updateObject } from './write/update.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

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
  const body = await readPatch(call, type);
  if (type === 'apply') return apply(call, { body, mode, options });
  const outcome = await updateObject(call, {
    name: call.context.info.name,
    mode,
    options,
    change: (live) => patched(call, live, { type, body, options }),
    ...(check === undefined ? {} : { check }),
  });
  return respondOutcome(call, outcome);
}

/** What kind of patch the body is; strategic merge only where the schema has its rules. */
export function patchTypeOf({ context, storage }: Call): PatchType {
  const header = (context.request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const type = PATCH_TYPES[header];
  const isBuiltin = Object.hasOwn(storage.schemas, storage.definition.schemaName);
  if (type !== undefined && (type !== 'strategic' || isBuiltin)) return type;
  const accepted = Object.keys(PATCH_TYPES).filter((name) => isBuiltin || PATCH_TYPES[name] !== 'strategic');
  throw unsupportedMediaType(accepted);
}

export async function readPatch({ context }: Call, type: PatchType): Promise<RawBody> {
  const bytes = await context.request.readBody(BODY_BYTES_MAX);
  try {
    return decodeBody(bytes, { encoding: type === 'apply' ? 'yaml' : 'json', mustBe: 'Patch' });
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

/** Applies a patch to a plain document; failures are the statuses that upstream answers. */
export function applyPatch(
  { storage }: Call,
  document: unknown,
  { type, body, schemaName }: { type: 'json' | 'merge' | 'strategic'; body: RawBody; schemaName?: string },
): unknown {
  try {
    if (type === 'json') return applyJsonPatch(document, body.value);
    if (typeof body.value !== 'object' || body.value === null || Array.isArray(body.value)) {
      throw badRequest(
        `json: cannot unmarshal ${Array.isArray(body.value) ? 'array' : typeof body.value} into Go value of type map[string]interface {}`,
      );
    }
    if (type === 'merge') return applyMergePatch(document, body.value);
    return applyStrategicMergePatch(document, body.value, storage.schemas, schemaName ?? storage.definition.schemaName);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw patchFailure(error, type);
  }
}

function patched(
  call: Call,
  live: KubeObject,
  { type, body, options }: { type: 'json' | 'merge' | 'strategic'; body: RawBody; options: WriteOptions },
): KubeObject {
  const value = applyPatch(call, live, { type, body });
  const object = decodeObject(
    call,
    { value, duplicates: type === 'json' ? [] : body.duplicates },
    {
      fieldValidation: options.fieldValidation,
      fail: (reason) =>
        invalidObject({ group: '', kind: '', name: '' }, [
          invalidValue(new FieldPath('patch'), encodeValue(body.value), reason),
        ]),
    },
  );
  matchName(call, object);
  matchNamespace(call, object);
  return object;
}

// A JSON patch whose operation fails is a 422 without a cause; a patch that is no patch is a 400.
function patchFailure(error: unknown, type: PatchType): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (type === 'json' && error instanceof PatchError && error.code === 'inapplicable') {
    return genericStatus(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
  }
  return badRequest(text);
}
