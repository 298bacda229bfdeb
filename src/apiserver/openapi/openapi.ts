import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { notAcceptable } from '#machinery/errors/status-error.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import { VERSION } from '../endpoints/version.ts';
import { splitPath } from '../pipeline/request-info.ts';
import { type ApiResponse, jsonResponse, type RequestContext, textResponse } from '../pipeline/types.ts';
import { type Descriptions, descriptionsOf } from './descriptions.ts';
import { CUSTOM_ROOTS, customEtag, customSchemas } from './custom-schemas.ts';
import { FOREIGN_SCHEMAS, groupPaths, pathsOf } from './paths.ts';
import { type Dialect, SchemaWriter } from './schema-writer.ts';
import { type Slices, V2Document } from './v2-document.ts';

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** The name that is answered, and the one that older clients ask for, which is no valid media type. */
const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const PROTOBUF_V2_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** What paths outside the resources answer with. */
const DOCUMENT_ROOTS = ['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions', 'Patch', 'WatchEvent']
  .map((name) => `io.k8s.apimachinery.pkg.apis.meta.v1.${name}`)
  .concat('io.k8s.apimachinery.pkg.version.Info');
const BEARER_TOKEN = {
  type: 'apiKey',
  description: 'Bearer Token authentication',
  name: 'authorization',
  in: 'header',
};
/** Documents kept at once; a cluster with more groups of custom resources builds some of them again. */
const DOCUMENTS_MAX = 200;
const INFO = { title: 'Kubernetes', version: VERSION.gitVersion };

/** OpenAPI v2 and v3, built at their first use from the schemas that the server itself decodes with, and kept. */
export class OpenApi {
  readonly #registry: ResourceRegistry;
  readonly #schemas: SchemaSet;
  readonly #loadDescriptions: () => Promise<unknown>;
  #descriptions: Descriptions | undefined;
  /** By what they show, with the registry's (or its group's) revision that they show. */
  readonly #documents = new Map<string, Slices & { readonly revision: number }>();

  readonly #v2: V2Document;
  readonly #v2Protobuf: V2Document;

  constructor(options: {
    registry: ResourceRegistry;
    schemas: SchemaSet;
    descriptions: () => Promise<unknown>;
    /** Absent: documents are made in one go. */
    executor?: Pick<Executor, 'shouldPause' | 'pause'>;
  }) {
    this.#registry = options.registry;
    this.#schemas = options.schemas;
    this.#loadDescriptions = options.descriptions;
    const deps = {
      registry: options.registry,
      executor: options.executor,
      writer: () => this.#writer('v2'),
      rootsOf: (definitions: readonly ResourceDefinition[]) => this.#rootsOf(definitions),
      documentRoots: DOCUMENT_ROOTS,
      info: INFO,
      securityDefinitions: { BearerToken: BEARER_TOKEN },
    };
    this.#v2 = new V2Document(deps, 'json');
    this.#v2Protobuf = new V2Document(deps, 'protobuf');
  }

  /** `/openapi/v2`: one document of everything, as JSON, or as protobuf for clients that take nothing else. */
  async serveV2(context: RequestContext): Promise<ApiResponse> {
    const accept = context.request.headers['accept'] ?? '';
    this.#descriptions ??= descriptionsOf(await this.#loadDescriptions());
    if (accept === '' || /application\/json|\*\/\*/.test(accept)) {
      return serve(context, await this.#v2.current());
    }
    if (!accept.includes(PROTOBUF_V2) && !accept.includes(PROTOBUF_V2_ASKED)) {
      throw notAcceptable(['application/json', PROTOBUF_V2]);
    }
    return serve(context, await this.#v2Protobuf.current(), PROTOBUF_V2);
  }

  /** `/openapi/v3` and the document of each version below it. */
  async serveV3(context: RequestContext): Promise<ApiResponse> {
    this.#descriptions ??= descriptionsOf(await this.#loadDescriptions());
    const path = splitPath(context.info.path).slice(2).join('/');
    if (path === '') return jsonResponse(200, this.#index());
    const version = this.#versionAt(path);
    if (version === undefined) return textResponse(404, '404 page not found\n');
    return serve(context, this.#versionDocument(version));
  }

  #index(): object {
    const paths: Record<string, { serverRelativeURL: string }> = {};
    for (const { group, versions } of this.#registry.groups()) {
      for (const version of versions) {
        const path = pathOf({ group, version });
        paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#etagOf({ group, version })}` };
      }
    }
    return { paths: Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1))) };
  }

  #versionAt(path: string): GroupVersion | undefined {
    const parts = path.split('/');
    const isCore = parts[0] === 'api' && parts.length === 2;
    if (!isCore && (parts[0] !== 'apis' || parts.length !== 3)) return undefined;
    const [group = '', version = ''] = isCore ? ['', parts[1]] : parts.slice(1);
    return this.#registry.inVersion(group, version).length === 0 ? undefined : { group, version };
  }

  /** Of what is built in, the hash of the document; of custom resources, one of what the document is made from. */
  #etagOf(version: GroupVersion): string {
    const definitions = this.#registry.inVersion(version.group, version.version);
    if (!definitions.some(({ isCustom }) => isCustom === true)) return this.#versionDocument(version).etag;
    return customEtag(definitions);
  }

  #versionDocument({ group, version }: GroupVersion): Slices {
    const definitions = this.#registry.inVersion(group, version);
    const isCustom = definitions.some((definition) => definition.isCustom === true);
    const key = `v3 ${pathOf({ group, version })}`;
    return this.#document(
      key,
      this.#registry.groupRevision(group),
      () => this.#buildV3(definitions),
      isCustom ? customEtag(definitions) : undefined,
    );
  }

  #document(key: string, revision: number, build: () => Readonly<Record<string, unknown>>, givenEtag?: string): Slices {
    let document = this.#documents.get(key);
    if (document?.revision !== revision) {
      const body = Buffer.from(JSON.stringify(build()));
      const etag = givenEtag ?? createHash('sha512').update(body).digest('hex').toUpperCase();
      document = { body: [body], etag, revision };
      this.#documents.delete(key);
      this.#documents.set(key, document);
      this.#evict();
    }
    return document;
  }

  /** Documents of custom resources come and go; what nobody asked for lately is built again when somebody does. */
  #evict(): void {
    for (const key of this.#documents.keys()) {
      if (this.#documents.size <= DOCUMENTS_MAX) return;
      this.#documents.delete(key);
    }
  }

  #buildV3(definitions: readonly ResourceDefinition[]): Readonly<Record<string, unknown>> {
    const writer = this.#writer('v3');
    return {
      openapi: '3.0.0',
      info: INFO,
      paths: this.#paths(definitions, writer),
      components: {
        schemas: this.#schemasOf(definitions, writer),
        securitySchemes: {
          BearerToken: BEARER_TOKEN,
        },
      },
    };
  }

  #schemasOf(definitions: readonly ResourceDefinition[], writer: SchemaWriter): object {
    // The body of patches stands among the parameters, which refer to it themselves.
    const patch = DOCUMENT_ROOTS.filter((name) => name.endsWith('.Patch'));
    const roots = new Set([...this.#rootsOf(definitions), ...patch, ...writer.referenced]);
    const builtin = writer.definitions(roots);
    const custom = definitions.filter(({ isCustom }) => isCustom === true);
    if (custom.length === 0) return builtin;
    const schemas: Record<string, unknown> = { ...builtin };
    for (const definition of custom) Object.assign(schemas, customSchemas(definition, 'v3'));
    return Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #paths(definitions: readonly ResourceDefinition[], writer: SchemaWriter): object {
    const dialect = 'v3';
    const reference = (name: string): Record<string, unknown> => writer.reference(name);
    const versions = new Map(definitions.map((definition) => [apiVersionOf(definition), definition]));
    const groups = [...versions.values()].map((definition) => groupPaths(definition, { dialect, reference }));
    return Object.assign(
      {},
      ...groups,
      ...definitions.map((definition) => pathsOf(definition, { dialect, reference })),
    );
  }

  #writer(dialect: Dialect): SchemaWriter {
    return new SchemaWriter({ schemas: this.#schemas, descriptions: this.#descriptions ?? {}, dialect });
  }

  /** The kinds of these resources, their lists, and what their subresources speak. */
  #rootsOf(definitions: readonly ResourceDefinition[]): string[] {
    const roots = new Set([
      'io.k8s.apimachinery.pkg.apis.meta.v1.Status',
      'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
    ]);
    for (const { schemaName, subresources, isCustom } of definitions) {
      if (isCustom === true) {
        for (const name of CUSTOM_ROOTS) roots.add(name);
      } else {
        roots.add(schemaName);
        roots.add(`${schemaName}List`);
      }
      for (const { kind } of subresources) roots.add(FOREIGN_SCHEMAS[kind?.kind ?? ''] ?? schemaName);
    }
    return [...roots];
  }
}

function pathOf({ group, version }: GroupVersion): string {
  return group === '' ? `api/${version}` : `apis/${apiVersionOf({ group, version })}`;
}

function serve({ request }: RequestContext, { body, etag }: Slices, mediaType = 'application/json'): ApiResponse {
  const headers = { 'content-type': mediaType, etag: `"${etag}"`, vary: 'Accept' };
  if (request.headers['if-none-match'] === `"${etag}"`) return { type: 'bytes', status: 304, headers, body: [] };
  const isCurrent = request.query.get('hash') === etag;
  const cache = isCurrent ? { 'cache-control': 'public, immutable' } : {};
  return { type: 'bytes', status: 200, headers: { ...headers, ...cache }, body };
}
