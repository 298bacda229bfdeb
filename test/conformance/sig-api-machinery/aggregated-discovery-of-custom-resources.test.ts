import { expect } from 'vitest';
import { conformanceTest, type Scene } from '../support/conformance-test.ts';
import { DEFINITIONS, type Definition, newDefinition, serve } from '../support/custom-resources.ts';
import { eventually } from '../support/eventually.ts';

interface Discovery {
  readonly kind: string;
  readonly apiVersion: string;
  readonly items: readonly {
    readonly metadata: { name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly freshness: string;
      readonly resources: readonly {
        readonly resource: string;
        readonly responseKind: { group: string; version: string; kind: string };
        readonly scope: string;
        readonly singularResource: string;
        readonly shortNames?: readonly string[];
        readonly categories?: readonly string[];
        readonly verbs: readonly string[];
        readonly subresources?: readonly { subresource: string; verbs: readonly string[] }[];
      }[];
    }[];
  }[];
}

const MEDIA_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

function definitionOf(suffix: string): Definition {
  const definition = newDefinition({
    suffix,
    versions: [{ subresources: { status: {} } }, {}, { name: 'v3', served: false }],
  });
  definition.spec.names['shortNames'] = [`s${suffix}`];
  definition.spec.names['categories'] = ['conformance'];
  return definition;
}

/** What discovery says of one group; asked until it says anything. */
async function groupOf(scene: Scene, { spec }: Definition, accept: string) {
  return eventually(`the discovery of ${spec.group}`, async () => {
    const answer = await scene.api.raw<Discovery>('GET', '/apis', { accept });
    expect(answer.headers['content-type']).toContain('as=APIGroupDiscoveryList');
    expect([answer.body.kind, answer.body.apiVersion]).toEqual(['APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2']);
    const group = answer.body.items.find(({ metadata }) => metadata.name === spec.group);
    if (group === undefined) throw new Error(`no group ${spec.group}`);
    return group;
  });
}

conformanceTest(
  '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs [Conformance]',
  async (scene) => {
    const definition = definitionOf(scene.unique('raw'));
    await serve(scene, definition);
    const { group, names } = definition.spec;
    const found = await groupOf(scene, definition, MEDIA_TYPE);
    expect(found.versions.map(({ version, freshness }) => [version, freshness])).toEqual([
      ['v2', 'Current'],
      ['v1', 'Current'],
    ]);
    const resource = found.versions.find(({ version }) => version === 'v1')?.resources[0];
    expect(resource).toMatchObject({
      resource: names.plural,
      responseKind: { group, version: 'v1', kind: names.kind },
      scope: 'Namespaced',
      singularResource: names['singular'],
      shortNames: names['shortNames'],
      categories: ['conformance'],
    });
    expect(resource?.verbs.toSorted()).toEqual(VERBS.toSorted());
    expect(resource?.subresources).toMatchObject([{ subresource: 'status', verbs: ['get', 'patch', 'update'] }]);
  },
);

conformanceTest(
  '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface for CRDs [Conformance]',
  async (scene) => {
    const definition = definitionOf(scene.unique('agg'));
    await serve(scene, definition);
    const accept = `${MEDIA_TYPE},application/json`;
    const { spec, metadata } = definition;
    for (const { version, resources } of (await groupOf(scene, definition, accept)).versions) {
      expect(resources.map(({ resource }) => resource)).toEqual([spec.names.plural]);
      const plain = await scene.api.call<{ resources: { name: string }[] }>('GET', `/apis/${spec.group}/${version}`);
      expect(plain.resources.map(({ name }) => name)).toContain(spec.names.plural);
    }
    await scene.api.of(DEFINITIONS).delete(metadata?.name ?? '');
    await eventually('the group to be gone', async () => {
      const { body } = await scene.api.raw<Discovery>('GET', '/apis', { accept });
      expect(body.items.map((item) => item.metadata.name)).not.toContain(spec.group);
    });
  },
);
