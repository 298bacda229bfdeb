import type { ResourceDefinition, SubresourceDefinition } from '#api/registry/resource.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import type { Dialect } from './schema-writer.ts';

type Json = Record<string, unknown>;

const METHODS: Readonly<Record<string, { readonly method: string; readonly action: string }>> = {
  get: { method: 'get', action: 'get' },
  list: { method: 'get', action: 'list' },
  create: { method: 'post', action: 'post' },
  update: { method: 'put', action: 'put' },
  patch: { method: 'patch', action: 'patch' },
  delete: { method: 'delete', action: 'delete' },
  deletecollection: { method: 'delete', action: 'deletecollection' },
};
const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const COLLECTION_VERBS = ['list', 'create', 'deletecollection'];
const OBJECT_VERBS = ['get', 'update', 'patch', 'delete'];

/** The paths of one resource: enough for clients that look for kinds, verbs and parameters. */
export function pathsOf(
  definition: ResourceDefinition,
  { dialect, reference }: { dialect: Dialect; reference: (name: string) => Json },
): Json {
  const root = definition.group === '' ? `/api/${definition.version}` : `/apis/${apiVersionOf(definition)}`;
  const base = definition.namespaced
    ? `${root}/namespaces/{namespace}/${definition.resource}`
    : `${root}/${definition.resource}`;
  const writer = new OperationWriter(definition, dialect, reference(definition.schemaName));
  const paths: Json = {};
  const add = (path: string, verbs: readonly string[], subresource?: SubresourceDefinition): void => {
    const served = subresource?.verbs ?? definition.verbs;
    const operations = verbs.filter((verb) => served.some((known) => known === verb));
    if (operations.length === 0) return;
    paths[path] = {
      ...Object.fromEntries(
        operations.map((verb) => [METHODS[verb]?.method ?? verb, writer.operation(verb, path, subresource)]),
      ),
      parameters: pathParameters(path, dialect),
    };
  };
  add(base, COLLECTION_VERBS);
  add(`${base}/{name}`, OBJECT_VERBS);
  if (definition.namespaced) add(`${root}/${definition.resource}`, ['list']);
  for (const subresource of definition.subresources) {
    add(`${base}/{name}/${subresource.name}`, ['get', 'create', 'update', 'patch', 'delete'], subresource);
  }
  return paths;
}

class OperationWriter {
  readonly #definition: ResourceDefinition;
  readonly #dialect: Dialect;
  readonly #schema: Json;

  constructor(definition: ResourceDefinition, dialect: Dialect, schema: Json) {
    this.#definition = definition;
    this.#dialect = dialect;
    this.#schema = schema;
  }

  operation(verb: string, path: string, subresource: SubresourceDefinition | undefined): Json {
    const { group, version, kind } = subresource?.kind ?? this.#definition;
    const scope = path.includes('{namespace}') ? 'Namespaced' : this.#definition.namespaced ? 'ForAllNamespaces' : '';
    const name = `${verb}${pascal(group.split('.')[0] ?? '') || 'Core'}${pascal(version)}${scope}${kind}${pascal(subresource?.name ?? '')}`;
    return {
      tags: [this.#tag()],
      description: `${verb} ${kind}`,
      operationId: name,
      ...(this.#dialect === 'v2' ? this.#v2(verb) : this.#v3(verb)),
      'x-kubernetes-action': METHODS[verb]?.action ?? verb,
      'x-kubernetes-group-version-kind': { group, version, kind },
    };
  }

  #v3(verb: string): Json {
    const content = { 'application/json': { schema: this.#schema } };
    const bodyTypes = verb === 'patch' ? PATCH_TYPES : ['application/json'];
    const bodyContent = Object.fromEntries(
      bodyTypes.map((type) => [type, { schema: verb === 'patch' ? { type: 'object' } : this.#schema }]),
    );
    return {
      parameters: queryParameters(verb).map(({ name, type }) => ({
        name,
        in: 'query',
        schema: { type, uniqueItems: true },
      })),
      ...(hasBody(verb) ? { requestBody: { required: true, content: bodyContent } } : {}),
      responses: { '200': { description: 'OK', content }, '401': { description: 'Unauthorized' } },
    };
  }

  #v2(verb: string): Json {
    const body = {
      name: 'body',
      in: 'body',
      required: true,
      schema: verb === 'patch' ? { type: 'object' } : this.#schema,
    };
    return {
      consumes: verb === 'patch' ? PATCH_TYPES : ['*/*'],
      produces: ['application/json', 'application/yaml'],
      schemes: ['https'],
      parameters: [
        ...(hasBody(verb) ? [body] : []),
        ...queryParameters(verb).map(({ name, type }) => ({ name, in: 'query', type, uniqueItems: true })),
      ],
      responses: { '200': { description: 'OK', schema: this.#schema }, '401': { description: 'Unauthorized' } },
    };
  }

  #tag(): string {
    const group = this.#definition.group === '' ? 'core' : (this.#definition.group.split('.')[0] ?? '');
    return `${group}_${this.#definition.version}`;
  }
}

function hasBody(verb: string): boolean {
  return verb === 'create' || verb === 'update' || verb === 'patch';
}

function queryParameters(verb: string): { name: string; type: string }[] {
  const text = (name: string) => ({ name, type: 'string' });
  switch (verb) {
    case 'create':
    case 'update':
      return [text('pretty'), text('dryRun'), text('fieldManager'), text('fieldValidation')];
    case 'patch':
      return [
        text('pretty'),
        text('dryRun'),
        text('fieldManager'),
        text('fieldValidation'),
        { name: 'force', type: 'boolean' },
      ];
    case 'delete':
    case 'deletecollection':
      return [
        text('pretty'),
        text('dryRun'),
        { name: 'gracePeriodSeconds', type: 'integer' },
        text('propagationPolicy'),
      ];
    case 'list':
      return [
        ...['pretty', 'continue', 'fieldSelector', 'labelSelector', 'resourceVersion', 'resourceVersionMatch'].map(
          text,
        ),
        { name: 'limit', type: 'integer' },
        { name: 'timeoutSeconds', type: 'integer' },
        { name: 'watch', type: 'boolean' },
        { name: 'allowWatchBookmarks', type: 'boolean' },
        { name: 'sendInitialEvents', type: 'boolean' },
      ];
    default:
      return [text('pretty')];
  }
}

function pathParameters(path: string, dialect: Dialect): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    ...(dialect === 'v3' ? { schema: { type: 'string', uniqueItems: true } } : { type: 'string', uniqueItems: true }),
  }));
}

function pascal(text: string): string {
  return text === '' ? '' : text.charAt(0).toUpperCase() + text.slice(1);
}
