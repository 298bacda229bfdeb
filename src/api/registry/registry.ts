import { RESOURCE_TABLE } from '../generated/resource-table.ts';
import { builtinKinds } from './builtin-kinds.ts';
import { defineResource } from './define-resource.ts';
import type { KindRules } from './kind.ts';
import type { ResourceDefinition } from './resource.ts';

/** A definition for every stable resource of Kubernetes 1.36, in the order of the resource table. */
export function builtinResources(): readonly ResourceDefinition[] {
  const rulesOf = new Map<string, KindRules>();
  for (const rules of builtinKinds) {
    const { group, version, resource } = rules.resource;
    rulesOf.set(resourceKey(group, version, resource), rules);
  }
  return RESOURCE_TABLE.map((row) =>
    defineResource(row, rulesOf.get(resourceKey(row.group, row.version, row.resource))),
  );
}

/** The resources that a server knows; custom resources come and go while it runs. */
export class ResourceRegistry {
  readonly #byResource = new Map<string, ResourceDefinition>();
  readonly #byKind = new Map<string, ResourceDefinition>();

  constructor(definitions: Iterable<ResourceDefinition> = builtinResources()) {
    for (const definition of definitions) this.add(definition);
  }

  byResource(group: string, version: string, resource: string): ResourceDefinition | undefined {
    return this.#byResource.get(resourceKey(group, version, resource));
  }

  byKind(group: string, version: string, kind: string): ResourceDefinition | undefined {
    return this.#byKind.get(resourceKey(group, version, kind));
  }

  all(): readonly ResourceDefinition[] {
    return [...this.#byResource.values()];
  }

  /** Every group with its versions, stable and higher versions first, in the order they were added. */
  groups(): readonly { group: string; versions: readonly string[] }[] {
    const versionsOf = new Map<string, string[]>();
    for (const { group, version } of this.#byResource.values()) {
      const versions = versionsOf.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      versionsOf.set(group, versions);
    }
    return [...versionsOf].map(([group, versions]) => ({ group, versions: versions.toSorted(compareVersions) }));
  }

  /** Adds a resource, or replaces the one of the same group, version and plural. */
  add(definition: ResourceDefinition): void {
    const { group, version, resource, kind } = definition;
    const before = this.byResource(group, version, resource);
    if (before !== undefined) this.#byKind.delete(resourceKey(group, version, before.kind));
    this.#byResource.set(resourceKey(group, version, resource), definition);
    this.#byKind.set(resourceKey(group, version, kind), definition);
  }

  remove(group: string, version: string, resource: string): void {
    const definition = this.byResource(group, version, resource);
    if (definition === undefined) return;
    this.#byResource.delete(resourceKey(group, version, resource));
    this.#byKind.delete(resourceKey(group, version, definition.kind));
  }
}

function resourceKey(group: string, version: string, name: string): string {
  return `${group}/${version}/${name}`;
}

const versionPattern = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/;
const stageRank: Record<string, number> = { alpha: 0, beta: 1, stable: 2 };

/** Kubernetes' order of versions: stable before beta before alpha, then higher first, then others by name. */
export function compareVersions(left: string, right: string): number {
  const a = versionPattern.exec(left);
  const b = versionPattern.exec(right);
  if (a === null || b === null) {
    if (a !== null) return -1;
    if (b !== null) return 1;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  const stages = (stageRank[b[2] ?? 'stable'] ?? 0) - (stageRank[a[2] ?? 'stable'] ?? 0);
  if (stages !== 0) return stages;
  const majors = Number(b[1]) - Number(a[1]);
  return majors !== 0 ? majors : Number(b[3] ?? 0) - Number(a[3] ?? 0);
}
