import { describe, expect, test } from 'vitest';
import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { Schema, SchemaSet } from '../schema/schema.ts';
import { applyConfiguration } from './apply.ts';
import { trackUpdate } from './update.ts';
import type { VersionConverter } from './versions.ts';

const text = { type: 'string' } as const;

function schemasWith(spec: Record<string, Schema>): SchemaSet {
  return {
    Thing: { type: 'object', fields: { metadata: { type: 'ref', ref: 'Meta' }, spec: { type: 'ref', ref: 'Spec' } } },
    Meta: { type: 'object', fields: { name: text } },
    Spec: { type: 'object', fields: spec },
    Item: { type: 'object', fields: { name: text, value: text } },
  };
}

const item: Schema = { type: 'ref', ref: 'Item' };
const keyed = schemasWith({ list: { type: 'array', items: item, listType: 'map', listMapKeys: ['name'] } });
const atomic = schemasWith({ list: { type: 'array', items: item, listType: 'atomic' } });

function thing(spec: object, apiVersion = 'example.com/v1'): KubeObject {
  const object = { apiVersion, kind: 'Thing', metadata: { name: 'x' }, spec };
  return object;
}

const defaults = { force: false, timeMs: 0, schemaName: 'Thing' };

const entry = (object: KubeObject, manager: string): ManagedFieldsEntry | undefined =>
  object.metadata.managedFields?.find((one) => one.manager === manager);

describe('managedFields after a change of the schema', () => {
  const list = [{ name: 'a', value: '1' }];
  const { object: live } = applyConfiguration({
    ...defaults,
    schemas: keyed,
    live: undefined,
    applied: thing({ list }),
    manager: 'm',
  });

  test('own as a whole what has become atomic', () => {
    const applied = thing({ list: [{ name: 'b', value: '2' }] });
    expect(() => applyConfiguration({ ...defaults, schemas: atomic, live, applied, manager: 'n' })).toThrow(
      'Apply failed with 1 conflict: conflict with "m": .spec.list',
    );
    const { object } = applyConfiguration({ ...defaults, schemas: atomic, live, applied, manager: 'm' });
    expect(object).toMatchObject({ spec: { list: [{ name: 'b', value: '2' }] } });
    expect(entry(object, 'm')?.fieldsV1).toEqual({ 'f:spec': { 'f:list': {} } });
  });
});

describe('managedFields of several versions', () => {
  // v1 calls the field `old`, v2 calls it `fresh`.
  const schemas: SchemaSet = {
    ...schemasWith({ old: text, same: text }),
    ThingV2: {
      type: 'object',
      fields: { metadata: { type: 'ref', ref: 'Meta' }, spec: { type: 'ref', ref: 'Spec2' } },
    },
    Spec2: { type: 'object', fields: { fresh: text, same: text } },
  };
  const rename = (object: KubeObject, from: string, to: string): KubeObject => {
    // Safe: the objects of this test have a spec.
    const { [from]: value, ...rest } = (object as unknown as { spec: Record<string, unknown> }).spec;
    const renamed = { ...object, spec: value === undefined ? rest : { ...rest, [to]: value } };
    return renamed;
  };
  const convert: VersionConverter = (object, apiVersion) => {
    if (apiVersion === 'example.com/v1') return { object: rename(object, 'fresh', 'old'), schemaName: 'Thing' };
    if (apiVersion === 'example.com/v2') return { object: rename(object, 'old', 'fresh'), schemaName: 'ThingV2' };
    return undefined;
  };
  const live = (() => {
    const next = thing({ old: '1', same: '1' });
    const managedFields = trackUpdate({ live: undefined, next, manager: 'm', timeMs: 0, schemas, schemaName: 'Thing' });
    return { ...next, metadata: { ...next.metadata, managedFields } };
  })();
  const v2 = { ...defaults, schemas, convert, schemaName: 'ThingV2', live: rename(live, 'old', 'fresh') };

  test('are compared in their own version', () => {
    const applied = thing({ fresh: '2' }, 'example.com/v2');
    expect(() => applyConfiguration({ ...v2, applied, manager: 'n' })).toThrow(
      'Apply failed with 1 conflict: conflict with "m" using example.com/v1: .spec.old',
    );
    const { object } = applyConfiguration({ ...v2, applied, manager: 'n', force: true });
    expect(entry(object, 'm')?.fieldsV1).toEqual({ 'f:spec': { '.': {}, 'f:same': {} } });
    expect(entry(object, 'n')).toMatchObject({
      apiVersion: 'example.com/v2',
      fieldsV1: { 'f:spec': { 'f:fresh': {} } },
    });
  });

  test('go where their version is no longer served', () => {
    const managedFields = [...(live.metadata.managedFields ?? [])];
    const [first] = managedFields;
    if (first === undefined) throw new Error('the object has no managedFields');
    managedFields.push({ ...first, manager: 'gone', apiVersion: 'example.com/v0' });
    const before = { ...v2.live, metadata: { ...live.metadata, managedFields } };
    const { object } = applyConfiguration({
      ...v2,
      live: before,
      applied: thing({ same: '1' }, 'example.com/v2'),
      manager: 'n',
    });
    expect(object.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['n', 'm']);
  });
});
