import { createHash } from 'node:crypto';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Dialect } from './schema-writer.ts';

type Json = Record<string, unknown>;

const LIST_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';
/** Built-in definitions that those of custom resources refer to. */
export const CUSTOM_ROOTS = ['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', LIST_META] as const;
const API_CONVENTIONS = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';

/** The definitions of a custom resource and of its list. */
export function customSchemas(definition: ResourceDefinition, dialect: Dialect): Json {
  const { group, version, kind, listKind, resource, schemaName, custom } = definition;
  if (custom === undefined) return {};
  const reference = (name: string): Json => ({
    $ref: dialect === 'v2' ? `#/definitions/${name}` : `#/components/schemas/${name}`,
  });
  const metadataDescription = `Standard list metadata. More info: ${API_CONVENTIONS}#types-kinds`;
  const metadata =
    dialect === 'v2'
      ? { description: metadataDescription, ...reference(LIST_META) }
      : { description: metadataDescription, allOf: [reference(LIST_META)] };
  const published = custom.publishedSchema(dialect);
  const properties = typeof published['properties'] === 'object' ? { ...published['properties'] } : {};
  const selectable = selectableFieldsOf(definition);
  const list: Json = {
    description: `${listKind} is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeFieldsOf(properties),
      items: {
        description: `List of ${resource}. More info: ${API_CONVENTIONS}`,
        type: 'array',
        items: reference(schemaName),
      },
      metadata,
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind: listKind }],
    ...selectable,
  };
  const own: Json = { ...published, 'x-kubernetes-group-version-kind': [{ group, version, kind }], ...selectable };
  return { [schemaName]: own, [schemaName.replace(/[^.]*$/, listKind)]: list };
}

function typeFieldsOf(properties: object): Json {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name === 'apiVersion' || name === 'kind'));
}

function selectableFieldsOf({ selectableFields }: ResourceDefinition): Json {
  const fields = Object.keys(selectableFields).map((fieldPath) => ({ fieldPath }));
  return fields.length === 0 ? {} : { 'x-kubernetes-selectable-fields': fields };
}

/** Tells when the document of a version with custom resources changes, without building it. */
export function customEtag(definitions: readonly ResourceDefinition[]): string {
  const hash = createHash('sha512');
  for (const { resource, version, custom } of definitions) {
    hash.update(`${resource} ${version} ${custom?.fingerprint ?? ''}\n`);
  }
  return hash.digest('hex').toUpperCase();
}
