import { decodeJson } from '#machinery/codec/json.ts';
import { decodeYaml } from '#machinery/codec/yaml.ts';
import { badRequest, unsupportedMediaType } from '#machinery/errors/status-error.ts';
import { apiVersionOf, type Fields, type KubeObject } from '#machinery/meta/types.ts';
import type { RequestContext } from '../../pipeline/types.ts';
import { type Call, warn } from '../call.ts';

/** Upstream's limit of a request's body. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;
const ACCEPTED = ['application/json', 'application/yaml'];

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface RawBody {
  readonly value: unknown;
  /** Paths of keys that stood twice. */
  readonly duplicates: readonly string[];
}

/** Reads a JSON or YAML body; what is no such text is a 400 in upstream's words. */
export async function readBody(context: RequestContext, mustBe: string): Promise<RawBody> {
  const encoding = bodyEncoding(context);
  const bytes = await context.request.readBody(BODY_BYTES_MAX);
  return decodeBody(bytes, { encoding, mustBe });
}

export function decodeBody(bytes: Uint8Array, options: { encoding: 'json' | 'yaml'; mustBe: string }): RawBody {
  try {
    if (options.encoding === 'json') return decodeJson(bytes);
    const documents = decodeYaml(Buffer.from(bytes).toString());
    return { value: documents[0] ?? null, duplicates: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${options.mustBe}): couldn't get version/kind; ` +
        `${options.encoding} parse error: ${reason} (${Buffer.from(bytes.subarray(0, 24)).toString('hex')}${bytes.length > 24 ? ' ...' : ''})`,
    );
  }
}

function bodyEncoding({ request }: RequestContext): 'json' | 'yaml' {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === '' || type === 'application/json') return 'json';
  if (type === 'application/yaml') return 'yaml';
  throw unsupportedMediaType(ACCEPTED);
}

/** Reads the object of a create or update: checked against the kind and its schema, defaulted. */
export async function readObject(call: Call, fieldValidation: FieldValidation): Promise<KubeObject> {
  const body = await readBody(call.context, call.definition.kind);
  checkKind(call, body.value);
  return decodeObject(call, body, { fieldValidation, fail: (reason) => cannotHandle(call, body.value, reason) });
}

/** Decodes a value by the resource's schema: prunes, reports by `fieldValidation`, defaults. */
export function decodeObject(
  call: Call,
  { value, duplicates }: RawBody,
  { fieldValidation, fail }: { fieldValidation: FieldValidation; fail: (reason: string) => Error },
): KubeObject {
  const { definition, storage } = call;
  const decoded = storage.schema.decode(value, { mode: 'prune' });
  const [first] = decoded.errors;
  if (first !== undefined) throw fail(first.message);
  if (fieldValidation !== 'Ignore')
    report(call, { ...decoded, duplicates, isStrict: fieldValidation === 'Strict', fail });
  // Safe: the schema of a stored kind is an object with metadata; what is missing is filled in here.
  const fields = decoded.value as Fields & Partial<KubeObject>;
  const { metadata, kind: _kind, apiVersion: _apiVersion, ...rest } = fields;
  const object: KubeObject = {
    kind: definition.kind,
    apiVersion: apiVersionOf(definition),
    metadata: metadata ?? {},
    ...rest,
  };
  definition.strategy.applyDefaults?.(object);
  return object;
}

function report(
  { context }: Call,
  findings: {
    unknown: readonly string[];
    duplicates: readonly string[];
    isStrict: boolean;
    fail: (reason: string) => Error;
  },
): void {
  if (findings.unknown.length === 0 && findings.duplicates.length === 0) return;
  const texts = [
    ...findings.duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...findings.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
  if (findings.isStrict) throw findings.fail(`strict decoding error: ${texts.join(', ')}`);
  for (const text of texts) warn(context, text);
}

function checkKind(call: Call, value: unknown): void {
  const { definition } = call;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw cannotHandle(call, value, `json: cannot unmarshal ${jsonType(value)} into Go value of type ${goType(call)}`);
  }
  const { kind, apiVersion } = readTypeMeta(value);
  const expected = apiVersionOf(definition);
  if (kind !== '' && kind !== definition.kind) {
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
