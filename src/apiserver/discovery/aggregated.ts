import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { orderedGroups, resourcesOf, sortedVerbs, subresourcesOf, verbsOf } from './documents.ts';

/**
 * The whole discovery in one document (KEP-3352): of the core group at `/api`, of all others at `/apis`. Groups that did
 * not change are not written anew.
 */
export class AggregatedDiscovery {
  readonly #registry: ResourceRegistry;
  /** The text of each group, and the group's revision that it shows. */
  readonly #groups = new Map<string, { revision: number; text: string }>();

  constructor(registry: ResourceRegistry) {
    this.#registry = registry;
  }

  document({ isLegacy, version }: { isLegacy: boolean; version: 'v2' | 'v2beta1' }): string {
    const registry = this.#registry;
    const names = isLegacy ? [''] : orderedGroups(registry).map(({ group }) => group);
    const items = names.map((group) => this.#group(group));
    const head = { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {} };
    if (!isLegacy && this.#groups.size > 2 * names.length + 1) this.#forgetOthers(new Set([...names, '']));
    return `${JSON.stringify(head).slice(0, -1)},"items":[${items.join(',')}]}\n`;
  }

  #group(group: string): string {
    const revision = this.#registry.groupRevision(group);
    let known = this.#groups.get(group);
    if (known?.revision !== revision) {
      known = { revision, text: JSON.stringify(groupOf(this.#registry, group)) };
      this.#groups.set(group, known);
    }
    return known.text;
  }

  #forgetOthers(kept: ReadonlySet<string>): void {
    for (const group of this.#groups.keys()) if (!kept.has(group)) this.#groups.delete(group);
  }
}

function groupOf(registry: ResourceRegistry, group: string): object {
  return {
    metadata: group === '' ? {} : { name: group },
    versions: registry.versionsOf(group).map((version) => ({
      version,
      resources: resourcesOf(registry, group, version).map(resourceOf),
      freshness: 'Current',
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
    verbs: verbsOf(definition),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function kindOf({ group, version, kind }: { group: string; version: string; kind: string }): object {
  return { group, version, kind };
}
