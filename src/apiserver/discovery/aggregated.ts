import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { orderedGroups, resourcesOf, sortedVerbs, subresourcesOf } from './documents.ts';

/** The whole discovery in one document (KEP-3352): of the core group at `/api`, of all others at `/apis`. */
export function aggregatedDocument(
  registry: ResourceRegistry,
  { isLegacy, version }: { isLegacy: boolean; version: 'v2' | 'v2beta1' },
): object {
  const groups = isLegacy ? registry.groups().filter(({ group }) => group === '') : orderedGroups(registry);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versions.map((groupVersion) => ({
        version: groupVersion,
        resources: resourcesOf(registry, group, groupVersion).map(resourceOf),
        freshness: 'Current',
      })),
    })),
  };
}

function resourceOf(definition: ResourceDefinition): object {
  const { resource, singular, namespaced, kind, group, version, shortNames, categories } = definition;
  const subresources = subresourcesOf(definition).map((subresource) => ({
    subresource: subresource.name,
    responseKind: kindOf(subresource.kind ?? { group, version, kind }),
    verbs: sortedVerbs(subresource),
  }));
  return {
    resource,
    responseKind: kindOf({ group, version, kind }),
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: sortedVerbs(definition),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function kindOf({ group, version, kind }: { group: string; version: string; kind: string }): object {
  return { group, version, kind };
}
