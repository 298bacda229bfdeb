import type { ResourceDefinition } from '#api/registry/resource.ts';
import { badRequest } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { parseFieldSelector } from '#machinery/selectors/field-selector.ts';
import { parseLabelSelector } from '#machinery/selectors/label-selector.ts';

/** Fields by whose value watchers are looked up, so that a thousand kubelets do not see each other's pods. */
export const INDEXED_FIELDS = ['spec.nodeName'] as const;

/** Which objects a list or watch wants: a namespace, labels and fields. */
export interface Selection {
  /** Empty: all. */
  readonly namespace: string;
  /** The one name that can match, where the selector says so. */
  readonly name: string | undefined;
  /** A required value of an indexed field. */
  readonly indexed: { readonly field: string; readonly value: string } | undefined;
  /** Labels or fields are looked at; else the namespace is all. */
  readonly hasSelectors: boolean;
  /** Looks at labels and fields only. */
  matches(object: KubeObject): boolean;
}

/** Parses what the client asked for; a bad selector, or a field that cannot be selected by, is a 400. */
export function selectionOf(
  definition: ResourceDefinition,
  options: { namespace: string; labelSelector?: string | undefined; fieldSelector?: string | undefined },
): Selection {
  const labels = parse(() => parseLabelSelector(options.labelSelector ?? ''));
  const fields = parse(() => parseFieldSelector(options.fieldSelector ?? ''));
  for (const { field } of fields.terms) checkField(definition, field);
  const required = new Map<string, string>();
  for (const term of fields.terms) if (term.operator === '=') required.set(term.field, term.value);
  const indexedField = definition.isCustom === true ? undefined : INDEXED_FIELDS.find((field) => required.has(field));
  const hasFields = fields.terms.length > 0;
  const { storedAs } = definition;
  // The cache holds objects as they are stored; fields are named as they are served.
  const served = (object: KubeObject) => (storedAs === undefined ? object : storedAs.fromStored(object));
  const matchesFields = (object: KubeObject) => fields.matches((field) => fieldValue(definition, object, field));
  return {
    namespace: options.namespace === '' ? (required.get('metadata.namespace') ?? '') : options.namespace,
    name: required.get('metadata.name'),
    indexed: indexedField === undefined ? undefined : { field: indexedField, value: required.get(indexedField) ?? '' },
    hasSelectors: hasFields || !labels.isEverything,
    matches: (object) => labels.matches(object.metadata.labels) && (!hasFields || matchesFields(served(object))),
  };
}

/** The value of a selectable field; empty where the object has none. */
export function fieldValue(
  definition: Pick<ResourceDefinition, 'selectableFields'>,
  object: KubeObject,
  field: string,
): string {
  if (field === 'metadata.name') return object.metadata.name ?? '';
  if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
  return definition.selectableFields[field]?.(object) ?? '';
}

function checkField(definition: ResourceDefinition, field: string): void {
  if (field === 'metadata.name' || (field === 'metadata.namespace' && definition.namespaced)) return;
  if (Object.hasOwn(definition.selectableFields, field)) return;
  const hasOwnFields = definition.isCustom === true || Object.keys(definition.selectableFields).length > 0;
  // Kinds without fields of their own share one rule, which does not ask whether there are namespaces.
  if (field === 'metadata.namespace' && !hasOwnFields) return;
  throw badRequest(hasOwnFields ? unsupportedField(definition, field) : unknownField(field));
}

function unknownField(field: string): string {
  return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

/** Upstream's kinds with fields of their own each have a text of their own. */
function unsupportedField({ group, version, kind }: ResourceDefinition, field: string): string {
  if (kind === 'Job' && group === 'batch') return `field label ${JSON.stringify(field)} not supported for batchv1.Job`;
  if (kind === 'ResourceSlice' && group === 'resource.k8s.io') {
    return `field label not supported for ${group}/${version}, Kind=${kind}: ${field}`;
  }
  return `field label not supported: ${field}`;
}

function parse<T>(parser: () => T): T {
  try {
    return parser();
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}
