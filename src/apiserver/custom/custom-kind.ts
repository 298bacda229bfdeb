import type { JsonSchema } from '#api/apiextensions/structural/json-schema.ts';
import { isConditionTrue } from '#api/apiextensions/v1/conditions.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#api/generated/types.ts';
import { compareVersions } from '#api/registry/registry.ts';
import type { ResourceDefinition, SubresourceDefinition, Verb } from '#api/registry/resource.ts';
import { JsonPath, printJsonValue } from '#machinery/jsonpath/json-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { Revision } from '#store/store.ts';
import { customColumns } from './columns.ts';
import { CustomVersion } from './custom-version.ts';
import { customStrategy } from './strategy.ts';

const VERBS: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const SUBRESOURCE_VERBS: readonly Verb[] = ['get', 'patch', 'update'];

export interface CustomKindInit {
  readonly crd: CustomResourceDefinition;
  readonly builtinSchemas: SchemaSet;
  /** Stored objects of this revision or before may have been written under another schema. */
  readonly currentAfter: Revision;
  /** Reads the definition again, for what is only needed when the resource is used. */
  readonly readDefinition: () => CustomResourceDefinition | undefined;
}

/** What the server makes of one CustomResourceDefinition: a resource for each served version. */
export class CustomKind {
  readonly crdName: string;
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly storagePrefix: string;
  readonly storageVersion: string;
  readonly fingerprint: string;
  /** All versions, those that are not served, too: the store may hold them. */
  readonly versions: ReadonlyMap<string, CustomVersion>;
  readonly definitions: readonly ResourceDefinition[];
  readonly #readDefinition: CustomKindInit['readDefinition'];
  currentAfter: Revision;
  /** The kind that took this one's place; what is still written through this one is then looked at again. */
  replacedBy: CustomKind | undefined;

  constructor({ crd, builtinSchemas, currentAfter, readDefinition }: CustomKindInit) {
    const { spec, status, metadata } = crd;
    const names = status?.acceptedNames ?? spec.names;
    this.crdName = metadata.name ?? '';
    this.group = spec.group;
    this.kind = names.kind;
    this.plural = names.plural;
    this.storagePrefix = `/registry/${spec.group}/${names.plural}`;
    this.storageVersion = spec.versions.find(({ storage }) => storage)?.name ?? '';
    this.fingerprint = fingerprintOf(crd);
    this.currentAfter = currentAfter;
    this.#readDefinition = readDefinition;
    const isTerminating = isTerminatingDefinition(crd);
    this.versions = new Map(
      spec.versions.map(({ name }) => [
        name,
        new CustomVersion({
          schemaName: schemaNameOf(spec.group, name, names.kind),
          fingerprint: this.fingerprint,
          storageVersion: this.storageVersion,
          isTerminating,
          readSchema: () => this.#schemaOf(name),
          builtinSchemas,
        }),
      ]),
    );
    this.definitions = spec.versions.filter(({ served }) => served).map((version) => this.#define(crd, version));
  }

  #define(crd: CustomResourceDefinition, version: CustomResourceDefinitionVersion): ResourceDefinition {
    const { spec, status } = crd;
    const names = status?.acceptedNames ?? spec.names;
    const rules = this.versions.get(version.name);
    if (rules === undefined) throw new Error(`no rules for version "${version.name}" of "${this.crdName}"`);
    const warning = deprecationWarning(crd, version);
    return {
      group: spec.group,
      version: version.name,
      resource: names.plural,
      singular: names.singular ?? names.kind.toLowerCase(),
      kind: names.kind,
      listKind: names.listKind ?? `${names.kind}List`,
      namespaced: spec.scope === 'Namespaced',
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      verbs: VERBS,
      storagePrefix: this.storagePrefix,
      schemaName: schemaNameOf(spec.group, version.name, names.kind),
      subresources: subresourcesOf(version),
      strategy: customStrategy(rules, version),
      columns: customColumns(version.additionalPrinterColumns),
      selectableFields: selectableFieldsOf(version),
      ...(warning === undefined ? {} : { deprecationWarning: warning }),
      isCustom: true,
      custom: rules,
    };
  }

  #schemaOf(version: string): JsonSchema {
    const definition = this.#readDefinition();
    const found = definition?.spec.versions.find(({ name }) => name === version)?.schema?.openAPIV3Schema;
    // Safe: what the API server stored passed the schema of JSONSchemaProps and the rules of definitions.
    return (found as JsonSchema | undefined) ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  }
}

/** Tells whether a definition, as it is now, would make another kind. */
export function fingerprintOf({ metadata, spec, status }: CustomResourceDefinition): string {
  const names = JSON.stringify(status?.acceptedNames ?? spec.names);
  const isTerminating = isTerminatingDefinition({ metadata, ...(status === undefined ? {} : { status }) });
  return `${metadata.uid ?? ''} ${metadata.generation ?? 0} ${isTerminating} ${names}`;
}

export function isTerminatingDefinition(crd: Pick<CustomResourceDefinition, 'metadata' | 'status'>): boolean {
  return crd.metadata.deletionTimestamp !== undefined || isConditionTrue(crd.status?.conditions, 'Terminating');
}

/** `com.example.stable.v1.CronTab` */
function schemaNameOf(group: string, version: string, kind: string): string {
  return `${group.split('.').toReversed().join('.')}.${version}.${kind}`;
}

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion): SubresourceDefinition[] {
  const scale = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  return [
    ...(subresources?.status === undefined ? [] : [{ name: 'status', verbs: SUBRESOURCE_VERBS }]),
    ...(subresources?.scale === undefined ? [] : [{ name: 'scale', verbs: SUBRESOURCE_VERBS, kind: scale }]),
  ];
}

function selectableFieldsOf({
  selectableFields = [],
}: CustomResourceDefinitionVersion): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      let path: JsonPath | undefined;
      const read = (object: KubeObject): string => {
        path ??= new JsonPath(`{${jsonPath}}`, { allowMissingKeys: true });
        const value = path.find(object)[0]?.[0];
        return value === undefined || value === null ? '' : printJsonValue(value);
      };
      return [jsonPath.replace(/^\./, ''), read];
    }),
  );
}

/** Upstream's words where the version has none of its own. */
function deprecationWarning(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): string | undefined {
  if (version.deprecated !== true) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const [newer] = spec.versions
    .filter(({ served, deprecated, name }) => served && deprecated !== true && compareVersions(name, version.name) < 0)
    .map(({ name }) => name)
    .toSorted(compareVersions);
  const message = `${spec.group}/${version.name} ${spec.names.kind} is deprecated`;
  return newer === undefined ? message : `${message}; use ${spec.group}/${newer} ${spec.names.kind}`;
}
