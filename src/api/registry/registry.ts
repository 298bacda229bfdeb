import { FeatureGates } from '../features/feature-gates.ts';
import { type RuntimeConfig, servedResources } from '../features/runtime-config.ts';
import { RESOURCE_TABLE } from '../generated/resource-table.ts';
import { builtinKinds } from './builtin-kinds.ts';
import { defineResource } from './define-resource.ts';
import type { KindRules } from './kind.ts';
import { optionalKinds } from './optional-kinds.ts';
import type { ResourceDefinition } from './resource.ts';

/**
 * The built-in resources that a server with these options serves; by default every stable one of Kubernetes 1.36. In
 * the order of the resource table, but that versions which are views of another one come last.
 */
export function builtinResources(
  options: { runtimeConfig?: RuntimeConfig; gates?: FeatureGates } = {},
): readonly ResourceDefinition[] {
  const served = servedResources(allResources(), { ...options, gates: options.gates ?? new FeatureGates() });
  return served.toSorted((a, b) => Number(a.storedAs !== undefined) - Number(b.storedAs !== undefined));
}

/** A definition for every resource of Kubernetes 1.36, those of alpha and beta versions included. */
export function allResources(): readonly ResourceDefinition[] {
  const rulesOf = new Map<string, KindRules>();
  for (const rules of [...builtinKinds, ...optionalKinds]) {
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
  /** Definitions by group and version. Invariant: no map in it is empty. */
  readonly #versions = new Map<string, Map<string, Map<string, ResourceDefinition>>>();
  readonly #groupRevisions = new Map<string, number>();
  #revision = 0;
  #all: readonly ResourceDefinition[] | undefined;

  constructor(definitions: Iterable<ResourceDefinition> = builtinResources()) {
    for (const definition of definitions) this.add(definition);
  }

  /** A number that grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /** A number that grows with every change of one group; zero for a group that never was. */
  groupRevision(group: string): number {
    return this.#groupRevisions.get(group) ?? 0;
  }

  byResource(group: string, version: string, resource: string): ResourceDefinition | undefined {
    return this.#byResource.get(resourceKey(group, version, resource));
  }

  byKind(group: string, version: string, kind: string): ResourceDefinition | undefined {
    return this.#byKind.get(resourceKey(group, version, kind));
  }

  all(): readonly ResourceDefinition[] {
    this.#all ??= [...this.#byResource.values()];
    return this.#all;
  }

  /** The resources of one version of a group, in the order they were added. */
  inVersion(group: string, version: string): readonly ResourceDefinition[] {
    return [...(this.#versions.get(group)?.get(version)?.values() ?? [])];
  }

  /** Every group with its versions, stable and higher versions first, in the order they were added. */
  groups(): readonly { group: string; versions: readonly string[] }[] {
    return [...this.#versions.keys()].map((group) => ({ group, versions: this.versionsOf(group) }));
  }

  /** The versions of a group, stable and higher versions first; none for a group that is not served. */
  versionsOf(group: string): readonly string[] {
    return [...(this.#versions.get(group)?.keys() ?? [])].toSorted(compareVersions);
  }

  /** Adds a resource, or replaces the one of the same group, version and plural. */
  add(definition: ResourceDefinition): void {
    const { group, version, resource, kind } = definition;
    const before = this.byResource(group, version, resource);
    if (before !== undefined) this.#byKind.delete(resourceKey(group, version, before.kind));
    this.#byResource.set(resourceKey(group, version, resource), definition);
    this.#byKind.set(resourceKey(group, version, kind), definition);
    const versions = entryOf(this.#versions, group);
    entryOf(versions, version).set(resource, definition);
    this.#changed(group);
  }

  remove(group: string, version: string, resource: string): void {
    const definition = this.byResource(group, version, resource);
    if (definition === undefined) return;
    this.#byResource.delete(resourceKey(group, version, resource));
    this.#byKind.delete(resourceKey(group, version, definition.kind));
    const versions = this.#versions.get(group);
    const resources = versions?.get(version);
    resources?.delete(resource);
    if (resources?.size === 0) versions?.delete(version);
    if (versions?.size === 0) this.#versions.delete(group);
    this.#changed(group);
  }

  #changed(group: string): void {
    this.#revision += 1;
    this.#groupRevisions.set(group, this.#revision);
    this.#all = undefined;
  }
}

function entryOf<V>(maps: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
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
