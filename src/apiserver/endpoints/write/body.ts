import { decodeJson } from '#machinery/codec/json.ts';
import { JsonError } from '#machinery/codec/json-errors.ts';
import { decodeClientYaml, YamlError } from '#machinery/codec/yaml.ts';
import { badRequest, requestEntityTooLarge, unsupportedMediaType } from '#machinery/errors/status-error.ts';
import { invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { apiVersionOf, type Fields, type KubeObject } from '#machinery/meta/types.ts';
import type { RequestContext } from '../../pipeline/types.ts';
import { type Call, warn } from '../call.ts';
import { keepReset } from './managed-fields-reset.ts';
import { BUILTIN_ENCODINGS, type Encoding, MEDIA_TYPES } from '../representation/negotiate.ts';
import { invalidObject } from './options.ts';
import { type RawBody, strictFindings, warningsOf, yamlProblem } from './strictness.ts';

/** Upstream's limit of a request's body. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;

export type { RawBody } from './strictness.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/**
 * Reads a JSON or YAML body; what is no such text is a 400 in upstream's words. Bodies in other encodings that the
 * server knows have become JSON before; `encodings` only names them to a client that sends something else.
 */
export async function readBody(
  context: RequestContext,
  mustBe: string,
  encodings: readonly Encoding[] = BUILTIN_ENCODINGS,
): Promise<RawBody> {
  const encoding = bodyEncoding(context, encodings);
  const bytes = await context.request.readBody(BODY_BYTES_MAX);
  return decodeBody(bytes, { encoding, mustBe });
}

export function decodeBody(bytes: Uint8Array, options: { encoding: 'json' | 'yaml'; mustBe: string }): RawBody {
  const text = (): string => Buffer.from(bytes).toString();
  try {
    if (options.encoding === 'json') return { ...decodeJson(bytes), text, jsonBytes: bytes.length };
    return decodeYamlBody(text());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // Upstream's server converts YAML by a function that does not say so.
    const problem =
      error instanceof YamlError ? error.problem : `couldn't get version/kind; json parse error: ${reason}`;
    throw unrecognized(bytes, { mustBe: options.mustBe, problem });
  }
}

/** The failure of a body of which not even the kind could be read. */
export function unrecognized(bytes: Uint8Array, { mustBe, problem }: { mustBe: string; problem: string }): Error {
  return badRequest(`the object provided is unrecognized (must be of type ${mustBe}): ${problem} (${summary(bytes)})`);
}

const SUMMARY_BYTES = 30;

function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const start = Buffer.from(bytes.subarray(0, SUMMARY_BYTES));
  return `${start.toString(start[0] === 0x7b ? 'utf8' : 'hex')}${bytes.length > SUMMARY_BYTES ? ' ...' : ''}`;
}

function decodeYamlBody(text: string): RawBody {
  const json = /^\s*\{/.test(text) ? cleanJson(text) : undefined;
  if (json !== undefined) return json;
  const { value, duplicates } = decodeClientYaml(text);
  return { value, duplicates: [], ...(duplicates.length === 0 ? {} : { yamlProblem: yamlProblem(duplicates) }) };
}

/** JSON without keys that stand twice: the lines of those only the YAML parser knows. */
function cleanJson(text: string): RawBody | undefined {
  try {
    const body = decodeJson(Buffer.from(text));
    return body.duplicates.length === 0 ? body : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function bodyEncoding({ request }: RequestContext, encodings: readonly Encoding[]): 'json' | 'yaml' {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === '' || type === 'application/json') return 'json';
  if (type === 'application/yaml') return 'yaml';
  throw unsupportedMediaType(encodings.map((encoding) => MEDIA_TYPES[encoding]));
}

/** Reads the object of a create or update: checked against the kind and its schema, defaulted. */
export async function readObject(call: Call, fieldValidation: FieldValidation): Promise<KubeObject> {
  const encodings = call.core.forms.encodingsOf(call.definition);
  const body = await readBody(call.context, call.definition.kind, encodings);
  checkKind(call, body.value);
  return decodeObject(call, body, { fieldValidation, fail: (reason) => cannotHandle(call, body.value, reason) });
}

/** Decodes a value by the resource's schema: prunes, reports by `fieldValidation`, defaults. */
export function decodeObject(
  call: Call,
  body: RawBody,
  { fieldValidation, fail }: { fieldValidation: FieldValidation; fail: (reason: string) => Error },
): KubeObject {
  const { definition, storage } = call;
  const decoded = storage.schema.decode(body.value, { mode: 'prune' });
  const [first] = decoded.errors;
  if (first !== undefined) throw fail(first.message);
  if (fieldValidation !== 'Ignore')
    report(call, strictFindings(body, decoded.unknown), { isStrict: fieldValidation === 'Strict', fail });
  // Safe: the schema of a stored kind is an object with metadata; what is missing is filled in here.
  const fields = decoded.value as Fields & Partial<KubeObject>;
  const { metadata, kind: _kind, apiVersion: _apiVersion, ...rest } = fields;
  const object: KubeObject = {
    kind: definition.kind,
    apiVersion: apiVersionOf(definition),
    metadata: metadata ?? {},
    ...rest,
  };
  const mayHaveMany = (body.jsonBytes ?? Number.POSITIVE_INFINITY) > ITEMS_MAX * ITEM_BYTES_MIN;
  if (mayHaveMany && definition.isCustom !== true) checkItems(object, { left: ITEMS_MAX });
  keepReset(object, body.value);
  definition.strategy.applyDefaults?.(object);
  return object;
}

/**
 * Items of all lists of one built-in object. The largest that people have (address ranges in a NetworkPolicy) are some
 * 10,000; a body has room for a million, and what validation says of each of them would fill the memory.
 */
const ITEMS_MAX = 25_000;
/** An item and its comma, so that most bodies need not be looked through. */
const ITEM_BYTES_MIN = 2;

function checkItems(value: object, budget: { left: number }): void {
  if (Array.isArray(value)) {
    budget.left -= value.length;
    if (budget.left < 0) {
      throw requestEntityTooLarge(
        `Request entity too large: the lists of the object have more than ${ITEMS_MAX} items`,
      );
    }
  }
  // Safe: any object can be read by its own keys.
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    const child = fields[key];
    if (typeof child === 'object' && child !== null) checkItems(child, budget);
  }
}

function report(
  { context }: Call,
  findings: readonly string[],
  { isStrict, fail }: { isStrict: boolean; fail: (reason: string) => Error },
): void {
  if (findings.length === 0) return;
  if (isStrict) throw fail(`strict decoding error: ${findings.join(', ')}`);
  for (const text of findings.flatMap(warningsOf)) warn(context, text);
}

function checkKind(call: Call, value: unknown): void {
  const { definition } = call;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw cannotHandle(call, value, `json: cannot unmarshal ${jsonType(value)} into Go value of type ${goType(call)}`);
  }
  const { kind, apiVersion } = readTypeMeta(value);
  const expected = apiVersionOf(definition);
  if (kind !== '' && kind !== definition.kind) {
    if (definition.isCustom === true) throw otherCustomKind(call, value, kind);
    const isKnown = call.core.registry.all().some((other) => other.kind === kind && apiVersionOf(other) === apiVersion);
    const version = apiVersion.split('/').at(-1) ?? '';
    const reason = isKnown
      ? `converting (${version}.${kind}) to (${coreName(call)}): unknown conversion`
      : `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`;
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: ${reason}`,
    );
  }
  if (apiVersion !== '' && apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
}

/** For custom resources any kind can be decoded; validation says that it is not the one of the path. */
function otherCustomKind({ definition, context }: Call, value: object, kind: string): Error {
  const { metadata }: { metadata?: { name?: unknown } } = value;
  const name = typeof metadata?.name === 'string' ? metadata.name : context.info.name;
  return invalidObject({ group: definition.group, kind, name }, [
    invalidValue(new FieldPath('kind'), kind, `must be ${definition.kind}`),
  ]);
}

function readTypeMeta(value: object): { kind: string; apiVersion: string } {
  const { kind, apiVersion }: { kind?: unknown; apiVersion?: unknown } = value;
  return {
    kind: typeof kind === 'string' ? kind : '',
    apiVersion: typeof apiVersion === 'string' ? apiVersion : '',
  };
}

function cannotHandle({ definition }: Call, value: unknown, reason: string): Error {
  const given = typeof value === 'object' && value !== null ? readTypeMeta(value) : { kind: '', apiVersion: '' };
  const kind = given.kind === '' ? definition.kind : given.kind;
  const version = (given.apiVersion === '' ? definition.version : given.apiVersion).split('/').at(-1) ?? '';
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: ${reason}`,
  );
}

function coreName({ definition }: Call): string {
  const room = definition.group === '' ? 'core' : (definition.group.split('.')[0] ?? 'core');
  return `${room}.${definition.kind}`;
}

function goType({ definition }: Call): string {
  return `${definition.version}.${definition.kind}`;
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
