import { describe, expect, test } from 'vitest';
import * as constants from '../generated/resources.ts';
import { RESOURCE_TABLE } from '../generated/resource-table.ts';
import { builtinDescriptions } from './descriptions.ts';
import { type PresenceSchema, presenceSchemas } from './load.ts';

const schemas: Readonly<Record<string, PresenceSchema & Record<string, unknown>>> = presenceSchemas() as never;
const core = (name: string): string => `io.k8s.api.core.v1.${name}`;

function field(definition: string, name: string): Record<string, unknown> {
  return (schemas[definition]?.fields?.[name] ?? {}) as Record<string, unknown>;
}

function refsOf(schema: PresenceSchema): string[] {
  const own = schema.ref === undefined ? [] : [schema.ref];
  const inner = [...Object.values(schema.fields ?? {}), ...(schema.items === undefined ? [] : [schema.items])];
  return [...own, ...inner.flatMap(refsOf)];
}

describe('the generated schemas', () => {
  test('refer only to what is there', () => {
    const missing = Object.values(schemas)
      .flatMap(refsOf)
      .filter((ref) => schemas[ref] === undefined);
    expect(missing).toEqual([]);
  });

  test('know the kind of every resource', () => {
    for (const row of RESOURCE_TABLE) {
      const gvk = schemas[row.schemaName]?.gvk;
      expect(gvk).toContainEqual({ group: row.group, version: row.version, kind: row.kind });
    }
  });

  test('carry merge keys, list types, enums and defaults', () => {
    expect(field(core('Container'), 'ports')).toMatchObject({
      type: 'array',
      items: { type: 'ref', ref: core('ContainerPort') },
      mergeKey: 'containerPort',
      patchStrategy: 'merge',
      listType: 'map',
      listMapKeys: ['containerPort', 'protocol'],
    });
    expect(field(core('PodSpec'), 'nodeSelector')).toEqual({
      type: 'map',
      items: { type: 'string' },
      mapType: 'atomic',
    });
    expect(field(core('PodSpec'), 'restartPolicy')).toEqual({ type: 'string', enum: ['Always', 'Never', 'OnFailure'] });
    expect(field(core('ContainerPort'), 'protocol')['default']).toBe('TCP');
    expect(field('io.k8s.api.apps.v1.DeploymentSpec', 'strategy')['patchStrategy']).toBe('retainKeys');
    expect(schemas[core('LocalObjectReference')]?.['mapType']).toBe('atomic');
  });

  test('tell special types apart', () => {
    expect(field(core('ResourceRequirements'), 'limits')).toMatchObject({ type: 'map', items: { type: 'quantity' } });
    expect(field(core('ServicePort'), 'targetPort')).toMatchObject({ type: 'intOrString' });
    expect(field(core('Secret'), 'data')).toMatchObject({ type: 'map', items: { type: 'bytes' } });
    expect(field('io.k8s.api.coordination.v1.LeaseSpec', 'renewTime')).toMatchObject({ type: 'microTime' });
    expect(field(core('PodSpec'), 'activeDeadlineSeconds')).toMatchObject({
      type: 'integer',
      format: 'int64',
      pointer: true,
    });
  });

  test('have a constant for every resource', () => {
    expect(Object.keys(constants)).toHaveLength(RESOURCE_TABLE.length);
    expect(constants.ENDPOINT_SLICES).toEqual({
      group: 'discovery.k8s.io',
      version: 'v1',
      resource: 'endpointslices',
      kind: 'EndpointSlice',
      namespaced: true,
    });
  });

  test('come with the texts of kubectl explain', async () => {
    const texts = (await builtinDescriptions()) as Record<
      string,
      { description: string; fields: Record<string, string> }
    >;
    expect(texts[core('Pod')]?.description).toMatch(/^Pod is a collection of containers that can run on a host\./);
    expect(Object.keys(texts[core('PodSpec')]?.fields ?? {})).toContain('nodeName');
  });
});
