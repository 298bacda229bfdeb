import { describe, expect, test } from 'vitest';
import { deepCopy } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { apiVersionOf } from '#machinery/meta/types.ts';
import { decoded, defaulted } from '../testing/kit.ts';
import { randomObject } from '../testing/random-object.ts';
import { allResources, builtinResources, compareVersions, ResourceRegistry } from './registry.ts';
import type { ResourceDefinition } from './resource.ts';

const registry = new ResourceRegistry();
const context = { nowMs: 0, uuid: () => '00000000-0000-4000-8000-000000000000' };

function runEverything(definition: ResourceDefinition, object: KubeObject): void {
  const { strategy } = definition;
  strategy.applyDefaults?.(object);
  strategy.prepareForCreate?.(object, context);
  strategy.validate?.(object);
  const current = deepCopy(object);
  strategy.prepareForUpdate?.(object, current, context);
  strategy.validateUpdate?.(object, current);
  strategy.prepareForStatusUpdate?.(object, current, context);
  strategy.validateStatusUpdate?.(object, current);
  strategy.warnings?.(object, current);
  for (const column of definition.columns) column.cell(object, 0);
  for (const read of Object.values(definition.selectableFields)) expect(typeof read(object)).toBe('string');
}

describe('the registry', () => {
  test('has every stable resource of Kubernetes 1.36', () => {
    expect(registry.all()).toHaveLength(68);
    expect(registry.byKind('apps', 'v1', 'Deployment')?.resource).toBe('deployments');
    expect(registry.byResource('', 'v1', 'pods')?.shortNames).toEqual(['po']);
    expect(registry.byResource('', 'v1', 'pods')?.subresources.map((subresource) => subresource.name)).toContain(
      'eviction',
    );
  });

  test('stores objects where upstream does', () => {
    const prefix = (group: string, resource: string): string | undefined =>
      builtinResources().find((definition) => definition.group === group && definition.resource === resource)
        ?.storagePrefix;
    expect(prefix('', 'pods')).toBe('/registry/pods');
    expect(prefix('', 'services')).toBe('/registry/services/specs');
    expect(prefix('', 'endpoints')).toBe('/registry/services/endpoints');
    expect(prefix('', 'nodes')).toBe('/registry/minions');
    expect(prefix('', 'replicationcontrollers')).toBe('/registry/controllers');
    expect(prefix('networking.k8s.io', 'ingresses')).toBe('/registry/ingress');
    expect(prefix('apiregistration.k8s.io', 'apiservices')).toBe('/registry/apiregistration.k8s.io/apiservices');
    expect(prefix('authorization.k8s.io', 'subjectaccessreviews')).toBeUndefined();
    expect(prefix('', 'bindings')).toBeUndefined();
  });

  test('orders versions as discovery does', () => {
    expect(['v1beta1', 'v1', 'v2alpha1', 'v2', 'foo'].toSorted(compareVersions)).toEqual([
      'v2',
      'v1',
      'v1beta1',
      'v2alpha1',
      'foo',
    ]);
    expect(registry.groups().find(({ group }) => group === 'autoscaling')?.versions).toEqual(['v2', 'v1']);
  });

  test('adds and removes resources', () => {
    const own = new ResourceRegistry([]);
    const [first] = builtinResources();
    own.add(first!);
    expect(own.byKind('', 'v1', 'Binding')).toBe(first);
    own.remove('', 'v1', 'bindings');
    expect(own.all()).toEqual([]);
    expect(own.byKind('', 'v1', 'Binding')).toBeUndefined();
  });
});

describe.each(
  allResources().map(
    (definition) => [`${definition.resource}.${definition.version}.${definition.group}`, definition] as const,
  ),
)('%s', (_name, definition) => {
  const head = { apiVersion: apiVersionOf(definition), kind: definition.kind };

  test('takes an object that has nothing but a name', () => {
    expect(() => {
      runEverything(definition, decoded({ ...head, metadata: { name: 'x' } }));
    }).not.toThrow();
  });

  test('survives random objects, and defaults each of them once and for all', () => {
    for (let seed = 0; seed < 25; seed++) {
      const random = new SeededRandom(`${definition.schemaName} ${seed}`);
      const drawn = randomObject(definition.schemaName, { random, density: 0.2 + (seed % 5) * 0.15 });
      const object = defaulted({ ...drawn, ...head, metadata: { name: 'x', ...Object(drawn['metadata']) } });
      const once = deepCopy(object);
      definition.strategy.applyDefaults?.(object);
      expect(object, `seed ${seed}`).toEqual(once);
      expect(defaulted(object), `seed ${seed}, decoded again`).toEqual(once);
      runEverything(definition, object);
    }
  });
});
