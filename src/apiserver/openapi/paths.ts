import { returnsDeletedObject } from '#api/registry/deleted-object.ts';
import type { ResourceDefinition, SubresourceDefinition } from '#api/registry/resource.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import { ENCODINGS, type Operation, writePath } from './operations.ts';
import {
  CONNECT_PARAMETERS,
  DELETE_OPTIONS_BODY,
  LOG_PARAMETERS,
  NAME,
  NAMESPACE,
  type Parameter,
  PATCH_BODY,
  PROXY_PATH,
  VERB_PARAMETERS,
  WATCHING,
} from './parameters.ts';
import type { Dialect } from './schema-writer.ts';

type Json = Readonly<Record<string, unknown>>;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const COLLECTION_VERBS = ['list', 'create', 'deletecollection'];
const OBJECT_VERBS = ['get', 'update', 'patch', 'delete'];
const METHODS: Readonly<Record<string, string>> = {
  get: 'get',
  list: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};
const WORDS: Readonly<Record<string, string>> = { get: 'read', update: 'replace', deletecollection: 'delete' };
const CODES: Readonly<Record<string, readonly number[]>> = {
  create: [200, 201, 202],
  update: [200, 201],
  patch: [200, 201],
  delete: [200, 202],
};
const PROXY_METHODS = ['delete', 'get', 'head', 'options', 'patch', 'post', 'put'];
const WATCH_TYPES = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
/** Names of the schemas of other groups' kinds that subresources speak. */
export const FOREIGN_SCHEMAS: Readonly<Record<string, string>> = {
  Binding: 'io.k8s.api.core.v1.Binding',
  Eviction: 'io.k8s.api.policy.v1.Eviction',
  Scale: 'io.k8s.api.autoscaling.v1.Scale',
  TokenRequest: 'io.k8s.api.authentication.v1.TokenRequest',
};

interface PathContext {
  readonly dialect: Dialect;
  readonly reference: (name: string) => Json;
}

/** All paths of one resource: collection, object, subresources, and the deprecated ones for watches. */
export function pathsOf(definition: ResourceDefinition, context: PathContext): Record<string, Json> {
  return new ResourcePaths(definition, context).all();
}

/** The paths that list what a group and a version have. */
export function groupPaths(definition: { group: string; version: string }, context: PathContext): Record<string, Json> {
  const { group, version } = definition;
  const words = groupWords(group);
  const get = (id: string, tag: string, schema: string): Json =>
    writePath(
      [
        {
          method: 'get',
          id,
          tag,
          parameters: [],
          consumes: ENCODINGS,
          produces: ENCODINGS,
          description: 'what there is',
          answers: { 200: context.reference(`${META}.${schema}`) },
        },
      ],
      context.dialect,
    );
  const tag = `${camel(words)}_${version}`;
  const resources = get(`get${pascal(words)}${capital(version)}APIResources`, tag, 'APIResourceList');
  if (group === '')
    return { '/api/': get('getCoreAPIVersions', 'core', 'APIVersions'), [`/api/${version}/`]: resources };
  return {
    '/apis/': get('getAPIVersions', 'apis', 'APIGroupList'),
    [`/apis/${group}/`]: get(`get${pascal(words)}APIGroup`, camel(words), 'APIGroup'),
    [`/apis/${group}/${version}/`]: resources,
  };
}

class ResourcePaths {
  readonly #definition: ResourceDefinition;
  readonly #context: PathContext;
  readonly #paths: Record<string, Json> = {};
  readonly #encodings: readonly string[];
  readonly #watchTypes: readonly string[];

  constructor(definition: ResourceDefinition, context: PathContext) {
    this.#definition = definition;
    this.#context = context;
    // Custom resources have no protobuf form.
    this.#encodings = definition.isCustom === true ? ENCODINGS.slice(0, 2) : ENCODINGS;
    this.#watchTypes = definition.isCustom === true ? WATCH_TYPES.slice(0, 1) : WATCH_TYPES;
  }

  all(): Record<string, Json> {
    const { namespaced, resource, subresources, isCustom } = this.#definition;
    const root = this.#root();
    const base = namespaced ? `${root}/namespaces/{namespace}/${resource}` : `${root}/${resource}`;
    this.#verbs(base, COLLECTION_VERBS);
    this.#verbs(`${base}/{name}`, OBJECT_VERBS);
    if (namespaced) this.#verbs(`${root}/${resource}`, ['list']);
    for (const subresource of subresources) this.#subresource(`${base}/{name}/${subresource.name}`, subresource);
    if (this.#serves('watch') && isCustom !== true) this.#watches(root);
    return this.#paths;
  }

  #root(): string {
    return this.#definition.group === ''
      ? `/api/${this.#definition.version}`
      : `/apis/${apiVersionOf(this.#definition)}`;
  }

  #serves(verb: string): boolean {
    return this.#definition.verbs.some((known) => known === verb);
  }

  #verbs(path: string, verbs: readonly string[]): void {
    const served = verbs.filter((verb) => this.#serves(verb));
    if (served.length > 0)
      this.#write(
        path,
        served.map((verb) => this.#operation(verb, path)),
      );
  }

  #write(path: string, operations: readonly Operation[]): void {
    this.#paths[path] = writePath(operations, this.#context.dialect);
  }

  #subresource(path: string, subresource: SubresourceDefinition): void {
    const kind = subresource.kind?.kind ?? '';
    if (CONNECT_PARAMETERS[kind] !== undefined) return this.#connect(path, subresource, kind);
    const verbs = ['get', 'create', 'update', 'patch', 'delete'].filter((verb) =>
      subresource.verbs.some((known) => known === verb),
    );
    const isLog = subresource.name === 'log';
    this.#write(
      path,
      verbs.map((verb) => {
        const operation = this.#operation(verb, path, subresource);
        if (!isLog) return operation;
        const parameters = [...pathParameters(path), ...LOG_PARAMETERS];
        const produces = ['text/plain', ...(operation.produces ?? [])];
        return { ...operation, parameters, produces, answers: { 200: { type: 'string' } } };
      }),
    );
  }

  #connect(path: string, { name, verbs, kind: target }: SubresourceDefinition, kind: string): void {
    const methods = name === 'proxy' ? PROXY_METHODS : verbs.map((verb) => METHODS[verb] ?? verb);
    const paths = name === 'proxy' ? [path, `${path}/{path}`] : [path];
    for (const each of paths) {
      const suffix = each === path ? '' : 'WithPath';
      const operations = methods.map((method): Operation => {
        const id = `connect${this.#groupVersion()}${capital(method)}${this.#scope(each)}${this.#definition.kind}`;
        return {
          method,
          id: `${id}${capital(name)}${suffix}`,
          tag: this.#tag(),
          action: 'connect',
          description: `connect to ${name} of a ${this.#definition.kind} by ${method.toUpperCase()}`,
          ...(target === undefined ? {} : { kind: target }),
          parameters: [...pathParameters(each), ...(CONNECT_PARAMETERS[kind] ?? [])],
          consumes: ['*/*'],
          produces: ['*/*'],
          answers: { 200: { type: 'string' } },
        };
      });
      this.#write(each, operations);
    }
  }

  #watches(root: string): void {
    const { namespaced, resource, kind } = this.#definition;
    const watchRoot = `${root}/watch`;
    const base = namespaced ? `${watchRoot}/namespaces/{namespace}/${resource}` : `${watchRoot}/${resource}`;
    const add = (path: string, suffix: string, action: string): void => {
      const scope = path.includes('{namespace}') ? 'Namespaced' : '';
      this.#write(path, [
        {
          method: 'get',
          tag: this.#tag(),
          action,
          kind: this.#kind(),
          id: `watch${this.#groupVersion()}${scope}${kind}${suffix}`,
          description: `watch ${kind}; deprecated: list with the parameter watch`,
          parameters: [...pathParameters(path), ...WATCHING],
          consumes: ['*/*'],
          produces: [...this.#encodings, ...this.#watchTypes],
          answers: { 200: this.#context.reference(`${META}.WatchEvent`) },
        },
      ]);
    };
    add(base, 'List', 'watchlist');
    if (this.#serves('get')) add(`${base}/{name}`, '', 'watch');
    if (namespaced) add(`${watchRoot}/${resource}`, 'ListForAllNamespaces', 'watchlist');
  }

  #operation(verb: string, path: string, subresource?: SubresourceDefinition): Operation {
    const { namespaced, kind } = this.#definition;
    const isAcross = verb === 'list' && namespaced && !path.includes('{namespace}');
    const collection = verb === 'deletecollection' ? 'Collection' : '';
    const word = `${WORDS[verb] ?? verb}${this.#groupVersion()}${collection}`;
    const id = `${word}${this.#scope(path)}${kind}${capital(subresource?.name ?? '')}`;
    return {
      method: METHODS[verb] ?? verb,
      id: isAcross ? `${id}ForAllNamespaces` : id,
      tag: this.#tag(),
      description: `${verb} ${subresource === undefined ? '' : `${subresource.name} of `}${kind}`,
      action: verb === 'create' ? 'post' : verb === 'update' ? 'put' : verb,
      kind: subresource?.kind ?? this.#kind(),
      parameters: [...pathParameters(path), ...(VERB_PARAMETERS[verb] ?? []), ...this.#body(verb, subresource)],
      consumes: verb === 'patch' ? this.#patchTypes() : ['*/*'],
      produces: verb === 'list' ? [...this.#encodings, ...this.#watchTypes] : this.#encodings,
      answers: Object.fromEntries(
        (CODES[verb] ?? [200]).map((code) => [code, this.#context.reference(this.#answer(verb, subresource))]),
      ),
    };
  }

  #patchTypes(): readonly string[] {
    return this.#definition.isCustom === true ? PATCH_TYPES.filter((type) => !type.includes('strategic')) : PATCH_TYPES;
  }

  #body(verb: string, subresource: SubresourceDefinition | undefined): Parameter[] {
    if (verb === 'patch') return [PATCH_BODY];
    if (verb === 'delete' || verb === 'deletecollection') return [DELETE_OPTIONS_BODY];
    if (verb !== 'create' && verb !== 'update') return [];
    const schema = { $ref: `#/definitions/${this.#schemaOf(subresource)}` };
    return [{ name: 'body', in: 'body', isRequired: true, schema }];
  }

  #schemaOf(subresource: SubresourceDefinition | undefined): string {
    return FOREIGN_SCHEMAS[subresource?.kind?.kind ?? ''] ?? this.#definition.schemaName;
  }

  #answer(verb: string, subresource: SubresourceDefinition | undefined): string {
    if (verb === 'list') return this.#definition.schemaName.replace(/[^.]*$/, this.#definition.listKind);
    if (verb === 'deletecollection') return `${META}.Status`;
    if (verb === 'delete' && !returnsDeletedObject(this.#definition)) return `${META}.Status`;
    return this.#schemaOf(subresource);
  }

  #kind(): { group: string; version: string; kind: string } {
    const { group, version, kind } = this.#definition;
    return { group, version, kind };
  }

  #scope(path: string): string {
    return path.includes('{namespace}') ? 'Namespaced' : '';
  }

  #groupVersion(): string {
    return `${pascal(groupWords(this.#definition.group))}${capital(this.#definition.version)}`;
  }

  #tag(): string {
    return `${camel(groupWords(this.#definition.group))}_${this.#definition.version}`;
  }
}

function pathParameters(path: string): Parameter[] {
  const known: Readonly<Record<string, Parameter>> = { namespace: NAMESPACE, name: NAME, path: PROXY_PATH };
  return [...path.matchAll(/\{(\w+)\}/g)].flatMap(([, name = '']) => known[name] ?? []);
}

/** `rbac.authorization.k8s.io` is `rbac`, `authorization`; groups of custom resources keep all their parts. */
function groupWords(group: string): string[] {
  if (group === '') return ['core'];
  return group.replace(/\.k8s\.io$/, '').split(/[.-]/);
}

function pascal(words: readonly string[]): string {
  return words.map(capital).join('');
}

function camel([first = '', ...rest]: readonly string[]): string {
  return first + pascal(rest);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
