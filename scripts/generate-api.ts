/**
 * Generates `src/api/generated/` from the models of `@kubernetes/client-node` (fields, types, descriptions) and from
 * the facts in `src/api/facts/` that those models leave out (definition names, merge keys, list types, enums, which
 * fields are always written). The output depends on these inputs alone.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const factsFolder = join(root, 'src/api/facts');
const outputFolder = join(root, 'src/api/generated');
const modelsFolder = join(root, 'node_modules/@kubernetes/client-node/dist/gen/models');

interface Attribute {
  name: string;
  baseName: string;
  type: string;
  format: string;
}

interface FieldFacts {
  mergeKey?: string;
  patchStrategy?: string;
  listType?: string;
  listMapKeys?: string[];
  mapType?: string;
  enum?: string[];
  itemsEnum?: string[];
  default?: unknown;
  /** The definition of a field that the models show as `string` or `any`; `[]` and `{}` mean list and map of it. */
  ref?: string;
  /** Absent and zero are two things. */
  pointer?: boolean;
  /** Written even when it is empty. */
  always?: boolean;
}

interface DefinitionFacts {
  name: string;
  model: string;
  type: string;
  gvk?: { group: string; version: string; kind: string }[];
  mapType?: string;
  unions?: unknown;
  fields?: Record<string, FieldFacts>;
}

interface ResourceFacts {
  group: string;
  version: string;
  resource: string;
  kind: string;
  namespaced: boolean;
  schemaName: string;
}

/** Field numbers of one protobuf message, in the form of `ProtobufTable`. */
interface MessageFacts {
  message: string;
  fields: Record<string, unknown>;
}

type Schema = Record<string, unknown>;

interface Definition {
  facts: DefinitionFacts;
  attributes: Attribute[];
  required: Set<string>;
  description: string;
  fieldDescriptions: Map<string, string>;
}

const RAW_EXTENSION = 'io.k8s.apimachinery.pkg.runtime.RawExtension';
const FIELDS_V1 = 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1';
/** Definitions that JSON carries as something else than an object of their fields; documents refer to them by name. */
const specialTypes: Record<string, { schema: Schema; type: string }> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { schema: { type: 'quantity' }, type: 'Quantity' },
  [RAW_EXTENSION]: { schema: { type: 'any', named: RAW_EXTENSION }, type: 'RawExtension' },
  [FIELDS_V1]: { schema: { type: 'any', named: FIELDS_V1 }, type: 'Record<string, unknown>' },
};
const extensionsPrefix = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';
for (const name of ['JSON', 'JSONSchemaPropsOrArray', 'JSONSchemaPropsOrBool', 'JSONSchemaPropsOrStringArray']) {
  specialTypes[extensionsPrefix + name] = { schema: { type: 'any', named: extensionsPrefix + name }, type: 'unknown' };
}

/** Types that `machinery` defines for every room; the generated file imports them instead. */
const machineryTypes = new Set([
  'Condition',
  'LabelSelector',
  'LabelSelectorRequirement',
  'ListMeta',
  'ManagedFieldsEntry',
  'ObjectMeta',
  'OwnerReference',
  'Status',
  'StatusCause',
  'StatusDetails',
]);
const statusTypes = new Set(['Status', 'StatusCause', 'StatusDetails']);

async function main(): Promise<void> {
  const definitionFacts = await readFacts<DefinitionFacts>('definitions.jsonl');
  const resources = await readFacts<ResourceFacts>('resources.jsonl');
  const messages = await readFacts<MessageFacts>('protobuf.jsonl');
  const definitions = await loadDefinitions(definitionFacts);
  await mkdir(outputFolder, { recursive: true });
  await Promise.all([
    write('types.ts', typesFile(definitions)),
    write('resources.ts', resourcesFile(resources, definitions)),
    write('resource-table.ts', resourceTableFile(resources)),
    write('schemas.json', jsonLines(schemas(definitions))),
    write('descriptions.json', jsonLines(descriptions(definitions))),
    write('protobuf.json', jsonLines(Object.fromEntries(messages.map(({ message, fields }) => [message, fields])))),
  ]);
}

async function readFacts<T>(file: string): Promise<T[]> {
  const text = await readFile(join(factsFolder, file), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): T => JSON.parse(line));
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(join(outputFolder, file), text);
}

async function loadDefinitions(facts: DefinitionFacts[]): Promise<Definition[]> {
  const models: Record<string, { attributeTypeMap?: Attribute[] }> = await import(join(modelsFolder, 'all.js'));
  return Promise.all(
    facts.map(async (definition): Promise<Definition> => {
      const declaration = definition.model === '' ? emptyDeclaration() : await readDeclaration(definition.model);
      return {
        facts: definition,
        attributes: [...(models[definition.model]?.attributeTypeMap ?? [])],
        required: declaration.required,
        description: declaration.description,
        fieldDescriptions: declaration.fieldDescriptions,
      };
    }),
  );
}

type Declaration = Pick<Definition, 'required' | 'description' | 'fieldDescriptions'>;

function emptyDeclaration(): Declaration {
  return { required: new Set(), description: '', fieldDescriptions: new Map() };
}

/** Reads a model's `.d.ts`: its comments, and which fields have no question mark. */
async function readDeclaration(model: string): Promise<Declaration> {
  const declaration = emptyDeclaration();
  let comment: string[] = [];
  let inComment = false;
  for (const line of (await readFile(join(modelsFolder, `${model}.d.ts`), 'utf8')).split('\n')) {
    const text = line.trim();
    if (text === '/**') {
      inComment = true;
      comment = [];
    } else if (text === '*/') {
      inComment = false;
    } else if (inComment) {
      comment.push(text.replace(/^\*\s?/, ''));
    } else if (text.startsWith('export declare class')) {
      declaration.description = commentText(comment);
      comment = [];
    } else {
      const field = /^'([^']+)'(\?)?: /.exec(text);
      if (field === null) continue;
      const name = field[1] ?? '';
      if (comment.length > 0) declaration.fieldDescriptions.set(name, commentText(comment));
      if (field[2] === undefined) declaration.required.add(name);
      comment = [];
    }
  }
  // The declarations name fields as the class does; `default` and the like get an underscore there.
  return declaration;
}

function commentText(lines: string[]): string {
  return lines.join('\n').trim().replaceAll("\\'", "'").replaceAll('\\"', '"').replaceAll('*_/', '*/');
}

/** A type of the models, taken apart: what it holds and how often. */
interface Shape {
  wrapping: 'array' | 'map' | 'arrayMap' | 'none';
  item: string;
}

function shapeOf(type: string): Shape {
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (map !== undefined) {
    const inner = /^Array<(.*)>$/.exec(map)?.[1];
    return inner === undefined ? { wrapping: 'map', item: map } : { wrapping: 'arrayMap', item: inner };
  }
  const array = /^Array<(.*)>$/.exec(type)?.[1];
  return array === undefined ? { wrapping: 'none', item: type } : { wrapping: 'array', item: array };
}

class Translator {
  readonly #byModel: ReadonlyMap<string, DefinitionFacts>;
  readonly #byName: ReadonlyMap<string, DefinitionFacts>;

  constructor(definitions: Definition[]) {
    this.#byModel = new Map(definitions.map(({ facts }) => [facts.model, facts]));
    this.#byName = new Map(definitions.map(({ facts }) => [facts.name, facts]));
  }

  schema(attribute: Attribute, facts: FieldFacts): Schema {
    const { wrapping, item } = shapeOf(attribute.type);
    const inner = this.#item(item, attribute.format, facts).schema;
    const value = facts.itemsEnum === undefined ? inner : { ...inner, enum: facts.itemsEnum };
    switch (wrapping) {
      case 'none':
        return value;
      case 'array':
        return { type: 'array', items: value };
      case 'map':
        return { type: 'map', items: value };
      case 'arrayMap':
        return { type: 'map', items: { type: 'array', items: value } };
    }
  }

  typeText(attribute: Attribute, facts: FieldFacts): string {
    const { wrapping, item } = shapeOf(attribute.type);
    const inner = this.#item(item, attribute.format, facts).type;
    switch (wrapping) {
      case 'none':
        return inner;
      case 'array':
        return `${inner}[]`;
      case 'map':
        return `Record<string, ${inner}>`;
      case 'arrayMap':
        return `Record<string, ${inner}[]>`;
    }
  }

  #item(item: string, format: string, facts: FieldFacts): { schema: Schema; type: string } {
    if (facts.ref !== undefined) return this.#referred(facts.ref.replace(/(\[\]|\{\})$/, ''));
    if (item === 'Date') return { schema: { type: 'time' }, type: 'Time' };
    if (item === 'V1MicroTime') return { schema: { type: 'microTime' }, type: 'MicroTime' };
    if (item === 'IntOrString') return { schema: { type: 'intOrString' }, type: 'IntOrString' };
    if (item === 'string') {
      return { schema: format === 'byte' ? { type: 'bytes' } : { type: 'string' }, type: 'string' };
    }
    if (item === 'boolean') return { schema: { type: 'boolean' }, type: 'boolean' };
    if (item === 'number') {
      const type = format === 'double' ? 'number' : 'integer';
      return { schema: { type, ...(format === '' ? {} : { format }) }, type: 'number' };
    }
    if (item === 'any') return { schema: { type: 'any' }, type: 'unknown' };
    const target = this.#byModel.get(item);
    if (target === undefined) throw new Error(`no definition for model "${item}"`);
    return { schema: { type: 'ref', ref: target.name }, type: target.type };
  }

  #referred(name: string): { schema: Schema; type: string } {
    const special = specialTypes[name];
    if (special !== undefined) return special;
    const target = this.#byName.get(name);
    if (target === undefined) throw new Error(`no definition "${name}"`);
    return { schema: { type: 'ref', ref: target.name }, type: target.type };
  }
}

function factsOf(definition: Definition, attribute: Attribute): FieldFacts {
  return definition.facts.fields?.[attribute.baseName] ?? {};
}

function schemas(definitions: Definition[]): Record<string, Schema> {
  const translator = new Translator(definitions);
  const all: Record<string, Schema> = {};
  for (const definition of definitions) {
    const fields: Record<string, Schema> = {};
    for (const attribute of definition.attributes) {
      const { ref: _ref, itemsEnum: _itemsEnum, ...flags } = factsOf(definition, attribute);
      fields[attribute.baseName] = { ...translator.schema(attribute, factsOf(definition, attribute)), ...flags };
    }
    const { gvk, mapType, unions } = definition.facts;
    const required = [...requiredFields(definition)];
    all[definition.facts.name] = {
      type: 'object',
      fields,
      ...(required.length === 0 ? {} : { required }),
      ...(mapType === undefined ? {} : { mapType }),
      ...(unions === undefined ? {} : { unions }),
      ...(gvk === undefined ? {} : { gvk }),
    };
  }
  return all;
}

function requiredFields(definition: Definition): string[] {
  return definition.attributes.filter(({ name }) => definition.required.has(name)).map(({ baseName }) => baseName);
}

function descriptions(definitions: Definition[]): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (const { facts, attributes, description, fieldDescriptions } of definitions) {
    const fields: Record<string, string> = {};
    for (const { name, baseName } of attributes) {
      const text = fieldDescriptions.get(baseName) ?? fieldDescriptions.get(name);
      if (text !== undefined) fields[baseName] = text;
    }
    all[facts.name] = { description, fields };
  }
  return all;
}

function isTopLevel({ facts, attributes }: Definition): boolean {
  return facts.gvk !== undefined && attributes.some(({ baseName }) => baseName === 'metadata') && !isList(facts.type);
}

function isList(type: string): boolean {
  return type.endsWith('List');
}

function typesFile(definitions: Definition[]): string {
  const translator = new Translator(definitions);
  const imported = [...machineryTypes].filter((name) => !statusTypes.has(name)).toSorted();
  const lines = [
    '// Generated by scripts/generate-api.ts. Do not edit.',
    `import type { ${imported.join(', ')} } from '#machinery/meta/types.ts';`,
    "import type { Status, StatusDetails } from '#machinery/errors/status-error.ts';",
    '',
    '/** A resource quantity such as `500m` or `1Gi`. */',
    'export type Quantity = string;',
    '/** RFC 3339, whole seconds, UTC. */',
    'export type Time = string;',
    '/** RFC 3339 with microseconds, UTC. */',
    'export type MicroTime = string;',
    'export type IntOrString = number | string;',
    '/** Any JSON object. */',
    'export type RawExtension = Record<string, unknown>;',
    '',
  ];
  for (const definition of definitions) {
    if (!machineryTypes.has(definition.facts.type)) lines.push(...interfaceOf(definition, translator), '');
  }
  return `${lines.join('\n')}\n`;
}

function interfaceOf(definition: Definition, translator: Translator): string[] {
  const topLevel = isTopLevel(definition);
  const lines = [...comment(definition.description, ''), `export interface ${definition.facts.type} {`];
  for (const attribute of definition.attributes) {
    const { baseName, name } = attribute;
    const facts = factsOf(definition, attribute);
    // Every stored object carries these; a spec that upstream holds by value is always written, too.
    const always =
      topLevel && (['apiVersion', 'kind', 'metadata'].includes(baseName) || (baseName === 'spec' && facts.always));
    const optional = always || definition.required.has(name) ? '' : '?';
    lines.push(...comment(definition.fieldDescriptions.get(baseName) ?? definition.fieldDescriptions.get(name), '  '));
    const key = /^[A-Za-z_]\w*$/.test(baseName) ? baseName : `'${baseName}'`;
    lines.push(`  ${key}${optional}: ${translator.typeText(attribute, facts)};`);
  }
  lines.push('}');
  return lines;
}

function comment(text: string | undefined, indent: string): string[] {
  if (text === undefined || text === '') return [];
  const lines = text.replaceAll('*/', '*\\/').split('\n');
  if (lines.length === 1) return [`${indent}/** ${lines[0]} */`];
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

/** `podtemplates` has no capitals to split at, so constants follow the kind, with the plural's ending. */
function constantName(resource: ResourceFacts): string {
  const special: Record<string, string> = {
    'autoscaling/v1': 'HORIZONTAL_POD_AUTOSCALERS_V1',
    'autoscaling/v2': 'HORIZONTAL_POD_AUTOSCALERS',
    'events.k8s.io/v1': 'EVENTS_V1_EVENTS',
  };
  const named = special[`${resource.group}/${resource.version}`];
  if (named !== undefined) return named;
  // Versions that are off by default say so in their names.
  return /\d+(?:alpha|beta)\d+$/.test(resource.version)
    ? `${stableConstantName(resource)}_${resource.version.toUpperCase()}`
    : stableConstantName(resource);
}

function stableConstantName(resource: ResourceFacts): string {
  const words = resource.kind
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toUpperCase();
  const stem = words.replaceAll('_', '').toLowerCase();
  if (stem === resource.resource) return words;
  if (resource.resource === `${stem}s`) return `${words}S`;
  if (resource.resource === `${stem}es`) return `${words}ES`;
  if (resource.resource === `${stem.slice(0, -1)}ies`) return `${words.slice(0, -1)}IES`;
  throw new Error(`no constant name for resource "${resource.resource}"`);
}

function resourcesFile(resources: ResourceFacts[], definitions: Definition[]): string {
  const typeOf = new Map(definitions.map(({ facts }) => [facts.name, facts.type]));
  const types = new Set<string>();
  const constants = resources.map((resource) => {
    const { group, version, kind, namespaced } = resource;
    const type = typeOf.get(resource.schemaName) ?? 'never';
    types.add(type);
    const value = JSON.stringify({ group, version, resource: resource.resource, kind, namespaced });
    return `export const ${constantName(resource)}: ResourceType<${type}> = Object.freeze(${value});`;
  });
  return [
    '// Generated by scripts/generate-api.ts. Do not edit.',
    "import type { ResourceType } from '../registry/resource-type.ts';",
    `import type {\n${[...types]
      .toSorted()
      .map((type) => `  ${type},\n`)
      .join('')}} from './types.ts';`,
    '',
    ...constants,
    '',
  ].join('\n');
}

/** The facts of every resource as data, for the registry. */
function resourceTableFile(resources: ResourceFacts[]): string {
  return [
    '// Generated by scripts/generate-api.ts. Do not edit.',
    "import type { ResourceRow } from '../registry/resource-row.ts';",
    '',
    'export const RESOURCE_TABLE: readonly ResourceRow[] = [',
    ...resources.map((resource) => `  ${JSON.stringify(resource)},`),
    '];',
    '',
  ].join('\n');
}

/** JSON with one definition a line: readable in a diff, small on disk. */
function jsonLines(record: Record<string, unknown>): string {
  const lines = Object.entries(record).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

await main();
