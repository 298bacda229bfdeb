import { randomBytes } from 'node:crypto';
import type { Api } from './api.ts';
import { eventually } from './eventually.ts';
import { type JsonObject, type Kind, kindOf } from './kinds.ts';

/** The parts of a definition that the tests look at; the rest is plain JSON. */
export interface Definition extends JsonObject {
  spec: {
    group: string;
    scope: string;
    names: Record<string, unknown> & { plural: string; kind: string };
    versions: DefinitionVersion[];
    conversion?: unknown;
  };
  status?: {
    acceptedNames?: Record<string, unknown>;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    storedVersions?: string[];
  };
}

export interface DefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  schema?: { openAPIV3Schema: Record<string, unknown> };
  [part: string]: unknown;
}

export const DEFINITIONS = kindOf<Definition>(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
);

/** What anything goes in. */
export const OPEN_SCHEMA = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export interface DefinitionOptions {
  readonly schema?: Record<string, unknown>;
  readonly group?: string;
  readonly versions?: readonly Partial<DefinitionVersion>[];
  readonly scope?: 'Namespaced' | 'Cluster';
  readonly suffix?: string;
}

/** A definition with names that no other test has. */
export function newDefinition(options: DefinitionOptions = {}): Definition {
  const suffix = options.suffix ?? randomBytes(4).toString('hex');
  const plural = `e2e-test-${suffix}-crds`;
  const group = options.group ?? `e2e-${suffix}.example.com`;
  const schema = options.schema ?? OPEN_SCHEMA;
  const versions = (options.versions ?? [{}]).map((version, index) => ({
    name: `v${index + 1}`,
    served: true,
    storage: index === 0,
    schema: { openAPIV3Schema: schema },
    ...version,
  }));
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: options.scope ?? 'Namespaced',
      names: {
        plural,
        singular: `e2e-test-${suffix}-crd`,
        kind: `E2e-test-${suffix}-crd`,
        listKind: `E2e-test-${suffix}-crd-list`,
      },
      versions,
    },
  };
}

/** Creates a definition and waits until it is served; it goes after the test. */
export async function serve(
  { api, after }: { api: Api; after: (cleanUp: () => Promise<unknown>) => void },
  definition: Definition,
): Promise<Definition> {
  const name = definition.metadata?.name ?? '';
  await api.of(DEFINITIONS).create(definition);
  after(() => api.of(DEFINITIONS).delete(name));
  const { group, names, versions } = definition.spec;
  for (const version of versions.filter(({ served }) => served)) {
    await eventually(`${names.plural}.${version.name}.${group} to be served`, () =>
      api.call('GET', `/apis/${group}/${version.name}/${names.plural}`),
    );
  }
  return api.of(DEFINITIONS).get(name);
}

/** The resources that a version of a definition defines. */
export function kindFrom({ spec }: Definition, version = spec.versions[0]?.name ?? ''): Kind<JsonObject> {
  return kindOf(`${spec.group}/${version}`, spec.names.kind, spec.names.plural);
}
