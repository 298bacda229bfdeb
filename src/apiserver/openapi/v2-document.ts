import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import { customSchemas } from './custom-schemas.ts';
import { commonPaths } from './operations.ts';
import { sharedParameters } from './parameters.ts';
import { groupPaths, pathsOf } from './paths.ts';
import { definitionsField, documentHead, namedSchema } from './protobuf-v2.ts';
import type { SchemaWriter } from './schema-writer.ts';

type Json = Readonly<Record<string, unknown>>;

/** A finished document, in slices. */
export interface Slices {
  readonly body: readonly Uint8Array[];
  readonly etag: string;
}

/** One member of a JSON object, or one field of a protobuf message, ready to be sent. */
interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

/** What one resource adds to the document; made once, for definitions never change. */
interface Fragment {
  readonly paths?: readonly Member[];
  readonly schemas: readonly Member[];
  /** Built-in definitions that this resource needs, and all that they refer to. */
  readonly roots: readonly string[];
}

type Form = 'json' | 'protobuf';

export interface V2DocumentDeps {
  readonly registry: ResourceRegistry;
  readonly executor: Pick<Executor, 'shouldPause' | 'pause'> | undefined;
  readonly writer: () => SchemaWriter;
  readonly rootsOf: (definitions: readonly ResourceDefinition[]) => string[];
  /** Roots that the document has whatever is served. */
  readonly documentRoots: readonly string[];
  readonly info: { readonly title: string; readonly version: string };
  readonly securityDefinitions: Json;
}

/**
 * The OpenAPI v2 document of everything. Each resource's part of it is kept as bytes, so that a change of one
 * CustomResourceDefinition costs what that definition costs; what is missing is made in slices of the executor.
 */
export class V2Document {
  readonly #deps: V2DocumentDeps;
  readonly #form: Form;
  readonly #fragments = new WeakMap<ResourceDefinition, Fragment>();
  #versions = new Map<string, readonly Member[]>();
  #builtin: { readonly key: string; readonly members: readonly Member[] } | undefined;
  #built: { readonly revision: number; readonly document: Promise<Slices> } | undefined;

  constructor(deps: V2DocumentDeps, form: Form) {
    this.#deps = deps;
    this.#form = form;
  }

  /** The document of what is served now. */
  current(): Promise<Slices> {
    const { revision } = this.#deps.registry;
    if (this.#built?.revision !== revision) {
      const document = this.#build();
      this.#built = { revision, document };
      // A failure is told to who asks; whoever asks next tries again.
      document.catch(() => {
        if (this.#built?.document === document) this.#built = undefined;
      });
    }
    return this.#built.document;
  }

  async #build(): Promise<Slices> {
    const definitions = this.#deps.registry.all();
    const fragments: Fragment[] = [];
    for (const definition of definitions) {
      fragments.push(this.#fragmentOf(definition));
      await this.#breathe();
    }
    const roots = new Set([...this.#deps.documentRoots, ...fragments.flatMap((fragment) => fragment.roots)]);
    const schemas = distinct([
      ...(await this.#builtinSchemas(roots)),
      ...fragments.flatMap((fragment) => fragment.schemas),
    ]);
    const paths =
      this.#form === 'json'
        ? distinct([...this.#versionPaths(definitions), ...fragments.flatMap((fragment) => fragment.paths ?? [])])
        : [];
    const hash = createHash('sha512').update(this.#form);
    for (const member of [...paths, ...schemas]) hash.update(member.hash);
    const body = this.#form === 'json' ? this.#json(paths, schemas) : this.#protobuf(schemas);
    return { body, etag: hash.digest('hex').toUpperCase() };
  }

  #fragmentOf(definition: ResourceDefinition): Fragment {
    let fragment = this.#fragments.get(definition);
    if (fragment === undefined) {
      const writer = this.#deps.writer();
      const reference = (name: string) => writer.reference(name);
      // The other form leaves paths out, but not what they refer to.
      const paths = members(pathsOf(definition, { dialect: 'v2', reference }), 'json');
      const roots = [...this.#deps.rootsOf([definition]), ...writer.referenced];
      const schemas = definition.isCustom === true ? members(customSchemas(definition, 'v2'), this.#form) : [];
      fragment = { ...(this.#form === 'json' && { paths }), schemas, roots: [...new Set(roots)] };
      this.#fragments.set(definition, fragment);
    }
    return fragment;
  }

  async #builtinSchemas(roots: ReadonlySet<string>): Promise<readonly Member[]> {
    const key = [...roots].toSorted().join(' ');
    if (this.#builtin?.key === key) return this.#builtin.members;
    const made: Member[] = [];
    for (const [name, schema] of this.#deps.writer().entries(roots)) {
      made.push(...members({ [name]: schema }, this.#form));
      await this.#breathe();
    }
    this.#builtin = { key, members: made };
    return made;
  }

  /** Lets others run where the slice of the executor is used up. */
  async #breathe(): Promise<void> {
    if (this.#deps.executor?.shouldPause() === true) await this.#deps.executor.pause('request');
  }

  /** What a server has besides resources, and the lists of what groups and versions have. */
  #versionPaths(definitions: readonly ResourceDefinition[]): Member[] {
    const before = this.#versions;
    this.#versions = new Map();
    for (const definition of definitions) {
      const key = apiVersionOf(definition);
      if (this.#versions.has(key)) continue;
      const writer = this.#deps.writer();
      const reference = (name: string) => writer.reference(name);
      const made = before.get(key) ?? members(groupPaths(definition, { dialect: 'v2', reference }), 'json');
      this.#versions.set(key, made);
    }
    return [...members(commonPaths('v2'), 'json'), ...[...this.#versions.values()].flat()];
  }

  #json(paths: readonly Member[], schemas: readonly Member[]): Uint8Array[] {
    const { info, securityDefinitions } = this.#deps;
    const tail = { parameters: sharedParameters(), securityDefinitions, security: [{ BearerToken: [] }] };
    return [
      Buffer.from(`{"swagger":"2.0","info":${JSON.stringify(info)},"paths":{`),
      ...separated(paths),
      Buffer.from('},"definitions":{'),
      ...separated(schemas),
      Buffer.from(`},${JSON.stringify(tail).slice(1)}`),
    ];
  }

  #protobuf(schemas: readonly Member[]): Uint8Array[] {
    const bytes = schemas.reduce((sum, member) => sum + member.bytes.length, 0);
    return [documentHead(this.#deps.info), definitionsField(bytes), ...schemas.map((member) => member.bytes)];
  }
}

function members(object: Json, form: Form): Member[] {
  return Object.entries(object).map(([name, value]) => {
    const bytes =
      form === 'json'
        ? Buffer.from(`${JSON.stringify(name)}:${JSON.stringify(value)}`)
        : // Safe: schemas are JSON objects.
          namedSchema(name, value as Json);
    return { name, bytes, hash: createHash('sha256').update(bytes).digest() };
  });
}

/** The last of each name, in the order of names: a document does not tell in which order things came to be. */
function distinct(all: readonly Member[]): Member[] {
  const byName = new Map(all.map((member) => [member.name, member]));
  return [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const COMMA = Buffer.from(',');

function separated(all: readonly Member[]): Uint8Array[] {
  return all.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [COMMA, bytes]));
}
