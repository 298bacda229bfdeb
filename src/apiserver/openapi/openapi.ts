import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { notAcceptable } from '#machinery/errors/status-error.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import { VERSION } from '../endpoints/version.ts';
import { type ApiResponse, jsonResponse, type RequestContext, textResponse } from '../pipeline/types.ts';
import { type Descriptions, descriptionsOf } from './descriptions.ts';
import { encodeOpenApiV2 } from './protobuf-v2.ts';
import { pathsOf } from './paths.ts';
import { type Dialect, SchemaWriter } from './schema-writer.ts';

interface Document {
  readonly body: Uint8Array;
  readonly etag: string;
}

/** The name that is answered, and the one that older clients ask for, which is no valid media type. */
const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const PROTOBUF_V2_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const INFO = { title: 'Kubernetes', version: VERSION.gitVersion };

/** OpenAPI v2 and v3, built at their first use from the schemas that the server itself decodes with, and kept. */
export class OpenApi {
  readonly #registry: ResourceRegistry;
  readonly #schemas: SchemaSet;
  readonly #loadDescriptions: () => Promise<unknown>;
  #descriptions: Descriptions | undefined;
  /** Invariant: made from the definitions in `#seen`. */
  readonly #documents = new Map<string, Document>();
  #seen: readonly ResourceDefinition[] = [];

  constructor(options: { registry: ResourceRegistry; schemas: SchemaSet; descriptions: () => Promise<unknown> }) {
    this.#registry = options.registry;
    this.#schemas = options.schemas;
    this.#loadDescriptions = options.descriptions;
  }

  /** `/openapi/v2`: one document of everything, as JSON, or as protobuf for clients that take nothing else. */
  async serveV2(context: RequestContext): Promise<ApiResponse> {
    const accept = context.request.headers['accept'] ?? '';
    this.#descriptions ??= descriptionsOf(await this.#loadDescriptions());
    if (accept === '' || /application\/json|\*\/\*/.test(accept)) {
      return serve(
        context,
        this.#document('v2', () => this.#buildV2()),
      );
    }
    if (!accept.includes(PROTOBUF_V2) && !accept.includes(PROTOBUF_V2_ASKED)) {
      throw notAcceptable(['application/json', PROTOBUF_V2]);
    }
    const document = this.#document('v2 protobuf', () => encodeOpenApiV2(this.#buildV2()));
    return serve(context, document, PROTOBUF_V2);
  }

  /** `/openapi/v3` and the document of each version below it. */
  async serveV3(context: RequestContext): Promise<ApiResponse> {
    this.#descriptions ??= descriptionsOf(await this.#loadDescriptions());
    const path = context.info.path.replace(/^\/openapi\/v3\/?/, '').replace(/\/+$/, '');
    if (path === '') return jsonResponse(200, this.#index());
    const definitions = this.#definitionsAt(path);
    if (definitions.length === 0) return textResponse(404, '404 page not found\n');
    return serve(context, this.#versionDocument(path, definitions));
  }

  #index(): object {
    const paths: Record<string, { serverRelativeURL: string }> = {};
    for (const path of this.#versionPaths()) {
      const { etag } = this.#versionDocument(path, this.#definitionsAt(path));
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${etag}` };
    }
    return { paths };
  }

  #versionPaths(): string[] {
    return [...new Set(this.#registry.all().map(pathOf))].toSorted();
  }

  #definitionsAt(path: string): ResourceDefinition[] {
    return this.#registry.all().filter((definition) => pathOf(definition) === path);
  }

  #versionDocument(path: string, definitions: readonly ResourceDefinition[]): Document {
    return this.#document(`v3 ${path}`, () => this.#buildV3(definitions));
  }

  #document(key: string, build: () => Readonly<Record<string, unknown>> | Uint8Array): Document {
    const now = this.#registry.all();
    if (now.length !== this.#seen.length || now.some((definition, index) => definition !== this.#seen[index])) {
      this.#documents.clear();
      this.#seen = now;
    }
    let document = this.#documents.get(key);
    if (document === undefined) {
      const built = build();
      const body = built instanceof Uint8Array ? built : Buffer.from(JSON.stringify(built));
      document = { body, etag: createHash('sha512').update(body).digest('hex').toUpperCase() };
      this.#documents.set(key, document);
    }
    return document;
  }

  #buildV3(definitions: readonly ResourceDefinition[]): Readonly<Record<string, unknown>> {
    const writer = this.#writer('v3');
    return {
      openapi: '3.0.0',
      info: INFO,
      paths: this.#paths(definitions, writer, 'v3'),
      components: {
        schemas: writer.definitions(this.#rootsOf(definitions)),
        securitySchemes: {
          BearerToken: {
            type: 'apiKey',
            description: 'Bearer Token authentication',
            name: 'authorization',
            in: 'header',
          },
        },
      },
    };
  }

  #buildV2(): Readonly<Record<string, unknown>> {
    const writer = this.#writer('v2');
    const definitions = this.#registry.all();
    return {
      swagger: '2.0',
      info: INFO,
      paths: this.#paths(definitions, writer, 'v2'),
      definitions: writer.definitions(this.#rootsOf(definitions)),
    };
  }

  #paths(definitions: readonly ResourceDefinition[], writer: SchemaWriter, dialect: Dialect): object {
    const reference = (name: string): Record<string, unknown> => writer.reference(name);
    return Object.assign({}, ...definitions.map((definition) => pathsOf(definition, { dialect, reference })));
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
    for (const { schemaName, subresources } of definitions) {
      roots.add(schemaName);
      roots.add(`${schemaName}List`);
      if (subresources.some(({ name }) => name === 'scale')) roots.add('io.k8s.api.autoscaling.v1.Scale');
      if (subresources.some(({ name }) => name === 'eviction')) roots.add('io.k8s.api.policy.v1.Eviction');
    }
    return [...roots];
  }
}

function pathOf({ group, version }: ResourceDefinition): string {
  return group === '' ? `api/${version}` : `apis/${apiVersionOf({ group, version })}`;
}

function serve({ request }: RequestContext, { body, etag }: Document, mediaType = 'application/json'): ApiResponse {
  const headers = { 'content-type': mediaType, etag: `"${etag}"`, vary: 'Accept' };
  if (request.headers['if-none-match'] === `"${etag}"`) return { type: 'bytes', status: 304, headers, body: [] };
  const isCurrent = request.query.get('hash') === etag;
  const cache = isCurrent ? { 'cache-control': 'public, immutable' } : {};
  return { type: 'bytes', status: 200, headers: { ...headers, ...cache }, body: [body] };
}
