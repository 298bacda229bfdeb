import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { protobufMessageOf, protobufTable } from '#api/schema/protobuf.ts';
import { encodeCbor } from '#machinery/codec/cbor.ts';
import { encodeJson } from '#machinery/codec/json.ts';
import { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { encodeYaml } from '#machinery/codec/yaml.ts';
import type { TypedObject } from '#machinery/codec/protobuf/codec.ts';
import { keepKnownObjects, type KnownObjects } from './support/known-objects.ts';
import { isRecord } from './support/record.ts';
import { type Dice, fuzz } from './support/run.ts';
import { collectionPath, type Sample, samplesFor } from './support/samples.ts';
import { type FuzzRequest, FuzzTarget } from './support/target.ts';
import { validObjects } from './support/valid-objects.ts';
import { anyValue, mutated, mutatedBytes } from './support/values.ts';

// Real objects of every kind, changed at random, in every codec and through every verb that takes a body.

const CBOR = 'application/cbor';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
/** Kinds that decide about every later request: they are only tried. */
const TRIED_ONLY = /webhookconfigurations|admissionpolic|mutatingadmission|^apiservices$|^customresourcedefinitions$/;

let target: FuzzTarget;
let known: KnownObjects;
let samples: Sample[];
let valid: Sample[];

beforeAll(async () => {
  target = await FuzzTarget.start({ CBORServingAndStorage: true });
  const definitions = target.api.parts.registry.all();
  valid = validObjects(definitions);
  samples = [...samplesFor(definitions), ...valid, ...valid];
  known = await keepKnownObjects(target);
});

afterAll(async () => {
  await target.close();
});

describe('bodies', () => {
  test('are answered in every codec, whatever they hold', async () => {
    const codec = new ProtobufCodec({ table: await protobufTable(), messageOf: protobufMessageOf });
    expect(await fuzz(target, { name: 'bodies', rounds: 1_500, generate: (dice) => bodyRequest(dice, codec) })).toEqual(
      [],
    );
    expect(await known.read()).toEqual(known.before);
  });

  test('of patches change objects or are refused', async () => {
    const refused: string[] = [];
    await target.send(defaultAccount());
    for (const { definition, object } of valid) {
      const { status, body } = await target.send({
        method: 'POST',
        target: collectionPath(definition),
        headers: { 'content-type': 'application/json' },
        body: encodeJson(object),
      });
      // Some were made before, or another version of them was.
      if (status !== 201 && status !== 409) refused.push(`${definition.resource}: ${body.toString()}`);
    }
    expect(refused).toEqual([]);
    expect(await fuzz(target, { name: 'patches', rounds: 1_200, generate: patchRequest })).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });
});

/** Pods need it; a request before may have removed it. */
function defaultAccount(): FuzzRequest {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  return {
    method: 'POST',
    target: '/api/v1/namespaces/default/serviceaccounts',
    headers: { 'content-type': 'application/json' },
    body: encodeJson(account),
  };
}

function bodyRequest(dice: Dice, codec: ProtobufCodec): FuzzRequest {
  const sample = dice.pick(samples);
  const object = dice.once(20) ? sample.object : mutated(sample.object, dice);
  const { contentType, body } = encoded(object, sample, { dice, codec });
  const path = collectionPath(sample.definition);
  const name = nameOf(sample.object);
  const target = dice.pick([path, path, path, `${path}/${name}`, `${path}/${name}/${subresourceOf(sample, dice)}`]);
  const isCollection = target === path;
  const method = isCollection
    ? dice.pick(['POST', 'POST', 'POST', 'DELETE'])
    : dice.pick(['PUT', 'PUT', 'POST', 'DELETE']);
  return {
    method,
    target: `${target}${queryOf(sample, dice)}`,
    headers: { 'content-type': contentType, ...(dice.once(3) ? { accept: dice.pick(ACCEPTS) } : {}) },
    body: dice.once(4) ? mutatedBytes(body, dice) : body,
  };
}

const ACCEPTS = [
  PROTOBUF,
  CBOR,
  'application/yaml',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  `${PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`,
  '*/*',
];

function encoded(
  object: unknown,
  { object: whole }: Sample,
  { dice, codec }: { dice: Dice; codec: ProtobufCodec },
): { contentType: string; body: Uint8Array } {
  switch (dice.int(6)) {
    case 0:
      return { contentType: 'application/yaml', body: Buffer.from(encodeYaml(object)) };
    case 1:
      try {
        return { contentType: CBOR, body: encodeCbor(object) };
      } catch {
        return { contentType: CBOR, body: encodeCbor(whole) };
      }
    case 2:
    case 3:
      try {
        // Safe: what is no object of a kind makes the encoder throw.
        return { contentType: PROTOBUF, body: codec.encodeObject(object as TypedObject) };
      } catch {
        return { contentType: PROTOBUF, body: mutatedBytes(codec.encodeObject(whole as unknown as TypedObject), dice) };
      }
    default:
      return { contentType: 'application/json', body: encodeJson(object) };
  }
}

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/apply-patch+cbor',
];

function patchRequest(dice: Dice): FuzzRequest {
  const sample = dice.pick(dice.once(4) ? samples : valid);
  const type = dice.pick(PATCH_TYPES);
  const name = dice.pick([nameOf(sample.object), 'fuzz']);
  const path = `${collectionPath(sample.definition)}/${name}`;
  const target = dice.once(4) ? `${path}/${subresourceOf(sample, dice)}` : path;
  const value = patchOf(type, sample, dice);
  const body = type.endsWith('cbor') ? encodeCbor(value) : encodeJson(value);
  const manager = type.includes('apply') ? `fieldManager=${dice.pick(['a', 'b'])}&force=${String(dice.once(2))}` : '';
  const query = queryOf(sample, dice);
  return {
    method: 'PATCH',
    target: `${target}${query === '' ? '?' : `${query}&`}${manager}`,
    headers: { 'content-type': type },
    body: dice.once(12) ? mutatedBytes(body, dice) : body,
  };
}

function patchOf(type: string, { object }: Sample, dice: Dice): unknown {
  if (type.includes('json-patch')) return Array.from({ length: 1 + dice.int(3) }, () => operation(object, dice));
  const changed = mutated(object, dice);
  if (type.includes('apply')) {
    if (!isRecord(changed) || dice.once(5)) return changed;
    return { ...changed, kind: object['kind'], apiVersion: object['apiVersion'] };
  }
  if (!isRecord(changed)) return changed;
  return Object.fromEntries(Object.entries(changed).filter(() => !dice.once(2)));
}

function operation(object: unknown, dice: Dice): unknown {
  if (dice.once(15)) return anyValue(dice);
  return {
    op: dice.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'nothing']),
    path: pointer(object, dice),
    ...(dice.once(2) ? { from: pointer(object, dice) } : {}),
    ...(dice.once(5) ? {} : { value: anyValue(dice) }),
  };
}

function pointer(object: unknown, dice: Dice): string {
  let path = '';
  let value = object;
  while (typeof value === 'object' && value !== null && !dice.once(4)) {
    const keys = Object.keys(value);
    if (keys.length === 0) break;
    const key = dice.pick(keys);
    path += `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    value = Reflect.get(value, key);
  }
  return dice.once(8) ? `${path}${dice.pick(['/-', '/', '/~2', '/0', '/-1', '/99999999999', '/__proto__', ''])}` : path;
}

function queryOf({ definition }: Sample, dice: Dice): string {
  const parts = [
    ...(TRIED_ONLY.test(definition.resource) || dice.once(5) ? ['dryRun=All'] : []),
    ...(dice.once(4) ? [`fieldValidation=${dice.pick(['Strict', 'Ignore', 'Warn'])}`] : []),
  ];
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function subresourceOf({ definition }: Sample, dice: Dice): string {
  const names = definition.subresources.map(({ name }) => name).filter((name) => !STREAMS.has(name));
  return dice.pick([...names, 'status']);
}

/** They ask other processes. */
const STREAMS = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

function nameOf({ metadata }: Readonly<Record<string, unknown>>): string {
  return isRecord(metadata) && typeof metadata['name'] === 'string' ? encodeURIComponent(metadata['name']) : 'fuzz';
}
