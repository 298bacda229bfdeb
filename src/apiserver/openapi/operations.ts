import { LOG_PATH, type Parameter, writeParameters } from './parameters.ts';
import type { Dialect } from './schema-writer.ts';

type Json = Readonly<Record<string, unknown>>;

export const ENCODINGS: readonly string[] = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];
const STATUS_TEXTS: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

/** One operation, whichever version of the standard it is then written in. */
export interface Operation {
  readonly method: string;
  readonly id: string;
  readonly tag: string;
  readonly description?: string;
  readonly action?: string;
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
  readonly parameters: readonly Parameter[];
  /** Of the body; default: anything. */
  readonly consumes?: readonly string[];
  readonly produces?: readonly string[];
  /** Schema of the answer for each status code that is no failure. */
  readonly answers: Readonly<Record<number, Json>>;
}

/** One path of a document; parameters that all its operations share stand beside them. */
export function writePath(operations: readonly Operation[], dialect: Dialect): Json {
  const [first, ...others] = operations;
  const common = (first?.parameters ?? []).filter(
    (parameter) =>
      parameter.in !== 'body' &&
      others.every((operation) => operation.parameters.some((own) => isSame(own, parameter))),
  );
  const isCommon = (parameter: Parameter) => common.some((shared) => isSame(shared, parameter));
  const written = operations.map((operation): [string, Json] => {
    const own = operation.parameters.filter((parameter) => !isCommon(parameter));
    return [operation.method, dialect === 'v2' ? writeV2(operation, own) : writeV3(operation, own)];
  });
  return {
    ...Object.fromEntries(written),
    ...(common.length === 0 ? {} : { parameters: writeParameters(common, dialect) }),
  };
}

/** The paths that every server has besides its resources. */
export function commonPaths(dialect: Dialect): Record<string, Json> {
  const plain = (tag: string, id: string, rest: Partial<Operation>): Json =>
    writePath([{ method: 'get', tag, id, parameters: [], answers: {}, ...rest }], dialect);
  const reference = (name: string): Json => ({
    $ref: `${dialect === 'v3' ? '#/components/schemas/' : '#/definitions/'}${name}`,
  });
  return {
    '/version/': plain('version', 'getCodeVersion', {
      description: "the server's version",
      consumes: ['application/json'],
      produces: ['application/json'],
      answers: { 200: reference('io.k8s.apimachinery.pkg.version.Info') },
    }),
    '/logs/': plain('logs', 'logFileListHandler', {}),
    '/logs/{logpath}': plain('logs', 'logFileHandler', { parameters: [LOG_PATH] }),
    '/openid/v1/jwks/': plain('openid', 'getServiceAccountIssuerOpenIDKeyset', {
      description: 'the public keys that service-account tokens are checked with',
      produces: ['application/jwk-set+json'],
      answers: { 200: { type: 'string' } },
    }),
    '/.well-known/openid-configuration/': plain('WellKnown', 'getServiceAccountIssuerOpenIDConfiguration', {
      description: 'the configuration of the issuer of service-account tokens',
      produces: ['application/json'],
      answers: { 200: { type: 'string' } },
    }),
  };
}

function isSame(a: Parameter, b: Parameter): boolean {
  return a.name === b.name && a.in === b.in && a.shared === b.shared;
}

function described({ description, tag, id, action, kind }: Operation): Json {
  return {
    ...(description === undefined ? {} : { description }),
    operationId: id,
    tags: [tag],
    ...(action === undefined ? {} : { 'x-kubernetes-action': action }),
    ...(kind === undefined ? {} : { 'x-kubernetes-group-version-kind': kind }),
  };
}

function writeV2(operation: Operation, parameters: readonly Parameter[]): Json {
  const { consumes, produces, answers } = operation;
  const responses = Object.entries(answers).map(([code, schema]): [string, Json] => [
    code,
    { description: STATUS_TEXTS[Number(code)], schema },
  ]);
  return {
    ...described(operation),
    ...(consumes === undefined ? {} : { consumes }),
    ...(produces === undefined ? {} : { produces }),
    ...(parameters.length === 0 ? {} : { parameters: writeParameters(parameters, 'v2') }),
    responses: { ...Object.fromEntries(responses), '401': { description: 'Unauthorized' } },
    schemes: ['https'],
  };
}

function writeV3(operation: Operation, parameters: readonly Parameter[]): Json {
  const body = operation.parameters.find((parameter) => parameter.in === 'body');
  const others = parameters.filter((parameter) => parameter.in !== 'body');
  const contents = (types: readonly string[], schema: Json) =>
    Object.fromEntries(types.map((type) => [type, { schema }]));
  const responses = Object.entries(operation.answers).map(([code, schema]): [string, Json] => [
    code,
    { description: STATUS_TEXTS[Number(code)], content: contents(operation.produces ?? [], schema) },
  ]);
  return {
    ...described(operation),
    ...(others.length === 0 ? {} : { parameters: writeParameters(others, 'v3') }),
    ...(body?.schema === undefined
      ? {}
      : {
          requestBody: {
            content: contents(operation.consumes ?? ['*/*'], inComponents(body.schema)),
            ...(body.isRequired === true ? { required: true } : {}),
          },
        }),
    responses: { ...Object.fromEntries(responses), '401': { description: 'Unauthorized' } },
  };
}

/** Bodies are told once, for version 2. */
function inComponents(schema: Json): Json {
  const { $ref } = schema;
  return typeof $ref === 'string' ? { $ref: $ref.replace('#/definitions/', '#/components/schemas/') } : schema;
}
