import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition, SubresourceDefinition } from '#api/registry/resource.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';

/** The order in which Kubernetes lists its groups; others follow by name. */
const GROUP_ORDER = [
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

/** All groups but the core one, in the order of discovery. */
export function orderedGroups(registry: ResourceRegistry): { group: string; versions: readonly string[] }[] {
  const rank = ({ group }: { group: string }): number => {
    const index = GROUP_ORDER.indexOf(group);
    return index < 0 ? GROUP_ORDER.length : index;
  };
  return registry
    .groups()
    .filter(({ group }) => group !== '')
    .toSorted((a, b) => rank(a) - rank(b) || (a.group < b.group ? -1 : 1));
}

/** The resources of one version, by name. */
export function resourcesOf(registry: ResourceRegistry, group: string, version: string): ResourceDefinition[] {
  return registry.inVersion(group, version).toSorted((a, b) => (a.resource < b.resource ? -1 : 1));
}

/** `/api` */
export function apiVersionsDocument(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `/apis` */
export function groupListDocument(registry: ResourceRegistry): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: orderedGroups(registry).map(groupOf) };
}

/** `/apis/GROUP` */
export function groupDocument(registry: ResourceRegistry, group: string): object | undefined {
  const found = orderedGroups(registry).find((candidate) => candidate.group === group);
  return found === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(found) };
}

/** `/api/v1` and `/apis/GROUP/VERSION` */
export function resourceListDocument(registry: ResourceRegistry, group: string, version: string): object | undefined {
  const definitions = resourcesOf(registry, group, version);
  if (definitions.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources: definitions.flatMap((definition) => [
      resourceOf(registry, definition),
      ...subresourcesOf(definition).map((subresource) => subresourceOf(definition, subresource)),
    ]),
  };
}

export function subresourcesOf({ subresources }: ResourceDefinition): SubresourceDefinition[] {
  return subresources.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export function sortedVerbs({ verbs }: { verbs: readonly string[] }): string[] {
  return verbs.toSorted();
}

/** What can be done with a resource; while its definition is being deleted, nothing that writes. */
export function verbsOf({ verbs, custom }: ResourceDefinition): string[] {
  const isLeaving = custom?.isTerminating === true;
  return sortedVerbs({ verbs: isLeaving ? verbs.filter((verb) => !WRITING.has(verb)) : verbs });
}

const WRITING: ReadonlySet<string> = new Set(['create', 'patch', 'update']);

function groupOf({ group, versions }: { group: string; versions: readonly string[] }): object {
  const listed = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: listed, preferredVersion: listed[0] };
}

function resourceOf(registry: ResourceRegistry, definition: ResourceDefinition): object {
  const { resource, singular, namespaced, kind, shortNames, categories } = definition;
  return {
    name: resource,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(definition),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(definition.storagePrefix === undefined ? {} : { storageVersionHash: storageVersionHash(registry, definition) }),
  };
}

function subresourceOf(definition: ResourceDefinition, subresource: SubresourceDefinition): object {
  const { kind } = subresource;
  const isForeign = kind !== undefined && (kind.group !== definition.group || kind.version !== definition.version);
  return {
    name: `${definition.resource}/${subresource.name}`,
    singularName: '',
    namespaced: definition.namespaced,
    ...(isForeign ? { group: kind.group, version: kind.version } : {}),
    kind: kind?.kind ?? definition.kind,
    verbs: sortedVerbs(subresource),
  };
}

/** Tells clients when the stored version of a resource changed. */
function storageVersionHash(registry: ResourceRegistry, definition: ResourceDefinition): string {
  const { custom, group, kind } = definition;
  const stored =
    custom === undefined
      ? (definition.storedAs ?? storedDefinition(registry, definition))
      : { group, kind, version: custom.storageVersion };
  const text = `${stored.group}/${stored.version}/${stored.kind}`;
  return createHash('sha256').update(text).digest().subarray(0, 8).toString('base64');
}

function storedDefinition(registry: ResourceRegistry, definition: ResourceDefinition): ResourceDefinition {
  const isStored = (candidate: ResourceDefinition): boolean =>
    candidate.storagePrefix === definition.storagePrefix && candidate.storedAs === undefined;
  return registry.all().find(isStored) ?? definition;
}
