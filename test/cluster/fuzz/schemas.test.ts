import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeJson } from '#machinery/codec/json.ts';
import { keepKnownObjects, type KnownObjects } from './support/known-objects.ts';
import { type Dice, fuzz } from './support/run.ts';
import { type FuzzRequest, FuzzTarget } from './support/target.ts';
import { anyValue, mutated, scalar } from './support/values.ts';

// Schemas of custom resources, their expressions, and the resources themselves.

let target: FuzzTarget;
let known: KnownObjects;

beforeAll(async () => {
  target = await FuzzTarget.start();
  known = await keepKnownObjects(target);
});

afterAll(() => target.close());

describe('schemas and expressions', () => {
  test('of custom resource definitions are taken or refused', async () => {
    expect(await fuzz(target, { name: 'schemas', rounds: 300, generate: definitionRequest })).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });

  test('in CEL are taken or refused', async () => {
    expect(await fuzz(target, { name: 'cel', rounds: 500, generate: expressionRequest })).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });

  test('that were taken hold for any resource', async () => {
    for (let index = 0; index < GROUPS; index += 1) await target.send(post(CRDS, definitionOf(index, SCHEMAS[index])));
    expect(await fuzz(target, { name: 'custom', rounds: 500, generate: customRequest })).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });
});

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const TYPES = ['object', 'array', 'string', 'integer', 'number', 'boolean', 'null', '', 'x'];
const FORMATS = [
  'int32',
  'int64',
  'date-time',
  'byte',
  'ipv4',
  'cidr',
  'uri',
  'email',
  'uuid',
  'duration',
  'date',
  'password',
  'mac',
  'bsonobjectid',
  'quantity',
  'x',
];
const PATTERNS = [
  '^a+$',
  '(a+)+$',
  '[',
  '(?<=x)',
  '\\p{Greek}',
  '(?P<n>a)',
  '^(a|a)*$',
  'a{1,1000}',
  'a{1001}',
  '(a{1,1000}){1,1000}',
  '\\1',
  '.*.*.*.*x',
];

function anySchema(dice: Dice, depth = 4): unknown {
  if (dice.once(80)) return anyValue(dice, 2);
  const schema: Record<string, unknown> = {};
  const put = (key: string, value: unknown): void => {
    schema[key] = value;
  };
  if (!dice.once(12))
    put(
      'type',
      dice.pick(dice.once(30) ? TYPES : depth <= 0 ? TYPES.slice(2, 6) : ['object', 'object', ...TYPES.slice(0, 6)]),
    );
  if (schema['type'] === 'array') put('items', anySchema(dice, depth - 1));
  const some = (): unknown => (dice.once(20) ? scalar(dice) : dice.int(5));
  const inner = (): unknown => anySchema(dice, depth - 1);
  const list = (): unknown[] => Array.from({ length: dice.int(3) }, inner);
  if (depth > 0 && (schema['type'] === 'object' || dice.once(10))) {
    put(
      'properties',
      Object.fromEntries(
        ['a', 'b', 'metadata', dice.pick(['spec', '__proto__x', 'a.b', 'if', ''])]
          .slice(dice.int(4))
          .map((key) => [key, inner()]),
      ),
    );
  }
  if (depth > 0 && (schema['type'] === 'array' || dice.once(10))) put('items', inner());
  const extras: readonly (() => void)[] = [
    () => put('additionalProperties', depth > 0 ? dice.pick<unknown>([inner(), true, false]) : true),
    () => put('format', dice.pick(FORMATS)),
    () => put('pattern', dice.pick(PATTERNS)),
    () =>
      put(
        dice.pick([
          'minimum',
          'maximum',
          'multipleOf',
          'minLength',
          'maxLength',
          'minItems',
          'maxItems',
          'minProperties',
          'maxProperties',
        ]),
        some(),
      ),
    () => put('enum', dice.pick<unknown>([['a', 1, null], [], [{}], 'x'])),
    () => put('default', anyValue(dice, 2)),
    () => put('nullable', true),
    () => put('required', ['a', dice.pick(['b', '__proto__', ''])]),
    () => put('x-kubernetes-preserve-unknown-fields', dice.pick([true, false])),
    () => put('x-kubernetes-int-or-string', true),
    () => put('x-kubernetes-embedded-resource', true),
    () => put('x-kubernetes-list-type', dice.pick(['map', 'set', 'atomic', 'x'])),
    () => put('x-kubernetes-list-map-keys', [dice.pick(['a', 'b', 'missing'])]),
    () => put('x-kubernetes-map-type', dice.pick(['atomic', 'granular', 'x'])),
    () =>
      put('x-kubernetes-validations', [
        {
          rule: anyExpression(dice),
          ...(dice.once(2) ? { messageExpression: anyExpression(dice) } : {}),
          ...(dice.once(3) ? { fieldPath: dice.pick(['.a', '.b[0]', "['a']", '..', '']) } : {}),
          ...(dice.once(3) ? { optionalOldSelf: true } : {}),
        },
      ]),
    () => depth > 0 && put(dice.pick(['allOf', 'anyOf', 'oneOf']), list()),
    () => depth > 0 && put('not', inner()),
    () =>
      dice.once(6) &&
      put(
        dice.pick([
          '$ref',
          'id',
          'uniqueItems',
          'dependencies',
          'definitions',
          'patternProperties',
          'exclusiveMinimum',
          'example',
          'externalDocs',
          'title',
          'description',
        ]),
        some(),
      ),
  ];
  for (let count = dice.int(4); count > 0; count -= 1) dice.pick(extras)();
  return schema;
}

function definitionOf(index: number, schema: unknown, extra: Record<string, unknown> = {}): unknown {
  const group = `g${index}.example`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...extra }],
    },
  };
}

function definitionRequest(dice: Dice): FuzzRequest {
  const schema = { type: 'object', properties: { spec: anySchema(dice, 5), status: anySchema(dice, 2) } };
  const extra = {
    ...(dice.once(3)
      ? {
          subresources: {
            status: {},
            scale: {
              specReplicasPath: dice.pick(['.spec.a', 'x', '.spec[0]']),
              statusReplicasPath: '.status.a',
              labelSelectorPath: '.status.b',
            },
          },
        }
      : {}),
    ...(dice.once(3)
      ? {
          additionalPrinterColumns: [
            {
              name: 'a',
              type: dice.pick(['string', 'date', 'x']),
              jsonPath: dice.pick(['.spec.a', '.spec[?(@.a=="b")]', '..a', '{', '.a[*].b', '']),
            },
          ],
        }
      : {}),
    ...(dice.once(4) ? { selectableFields: [{ jsonPath: dice.pick(['.spec.a', '.x', '']) }] } : {}),
  };
  const definition = definitionOf(dice.int(50), schema, extra);
  return post(`${CRDS}${dice.once(5) ? '' : '?dryRun=All'}`, dice.once(4) ? mutated(definition, dice) : definition);
}

const WORDS = [
  'self',
  'oldSelf',
  'object',
  'oldObject',
  'request',
  'params',
  'variables',
  'authorizer',
  'self.a',
  'self.b',
  'self.metadata.name',
  'object.metadata.name',
  '1',
  '-1',
  '9223372036854775807',
  '1u',
  '1.5',
  '1e400',
  '"x"',
  "'y'",
  'b"z"',
  'r"\\"',
  '"""t"""',
  'true',
  'null',
  '[]',
  '{}',
  '[1, 2]',
  '{"a": 1}',
  'x',
  '_',
  'Object{}',
  'Object.spec{a: 1}',
  'google.protobuf.Timestamp{}',
  'duration("1h")',
  'timestamp("2024-01-01T00:00:00Z")',
  'quantity("1")',
  'url("https://a")',
  'ip("1.1.1.1")',
  'cidr("10.0.0.0/8")',
  'semver("1.2.3")',
  'optional.none()',
  'dyn(self)',
  'type(self)',
  '[0].map(x, [0].map(y, [0].map(z, z)))',
];
const INFIX = ['+', '-', '*', '/', '%', '==', '!=', '<', '<=', '&&', '||', 'in', '?', '.', ',', ':', '[', '=', '.?'];
const CALLS = [
  'size(%)',
  'has(%)',
  '%.all(x, %)',
  '%.exists(x, %)',
  '%.map(x, %)',
  '%.filter(x, %)',
  '%.matches(%)',
  '%.startsWith(%)',
  'string(%)',
  'int(%)',
  'double(%)',
  '(%)',
  '!%',
  '-%',
  '[%]',
  '{%: %}',
  '% ? % : %',
  '%[%]',
  'cel.bind(v, %, %)',
  '%.split(%)',
  '%.replace(%, %)',
  '%.format(%)',
  '%.join()',
  '%.sum()',
  '%.isSorted()',
  'sets.contains(%, %)',
  '%.orValue(%)',
  '%.find(%)',
  'lists.range(%)',
  '%.sortBy(x, %)',
  'format.dns1123Label().validate(%)',
  '%.transformList(i, v, %)',
  'authorizer.group(%).resource("pods").check(%).allowed()',
  '%.getFullYear(%)',
];

function anyExpression(dice: Dice, depth = 4): string {
  if (dice.once(40))
    return dice.pick([
      '(',
      '['.repeat(5_000),
      '!'.repeat(5_000) + 'true',
      '1' + '+1'.repeat(3_000),
      'a' + '.a'.repeat(3_000),
      '"' + 'x'.repeat(20_000) + '"',
      '1?'.repeat(2_000),
      '\u0000',
      '//',
      '',
      ' ',
      '[1].map(x, '.repeat(100),
    ]);
  if (depth <= 0 || dice.once(4)) return dice.pick(WORDS);
  if (dice.once(4)) return `${anyExpression(dice, depth - 1)} ${dice.pick(INFIX)} ${anyExpression(dice, depth - 1)}`;
  return dice.pick(CALLS).replaceAll('%', () => anyExpression(dice, depth - 1));
}

function expressionRequest(dice: Dice): FuzzRequest {
  const expression = (): string => anyExpression(dice);
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }];
  if (dice.once(2)) {
    const a = {
      type: dice.pick(['string', 'integer', 'array', 'object']),
      items: { type: 'string' },
      'x-kubernetes-preserve-unknown-fields': true,
    };
    const schema = {
      type: 'object',
      'x-kubernetes-validations': [{ rule: expression(), messageExpression: expression() }],
      properties: { a, b: { type: 'integer' } },
    };
    return post(`${CRDS}?dryRun=All`, definitionOf(dice.int(5), schema));
  }
  const spec = {
    matchConstraints: { resourceRules: rules },
    matchConditions: dice.once(3) ? [{ name: 'c', expression: expression() }] : [],
    variables: [{ name: 'v', expression: expression() }],
    validations: [{ expression: expression(), messageExpression: expression() }],
    auditAnnotations: dice.once(3) ? [{ key: 'k', valueExpression: expression() }] : [],
  };
  return post('/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All', {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'fuzz' },
    spec,
  });
}

const text = { type: 'string', maxLength: 100 };
/** Schemas with everything in them that acts on a resource. */
const SCHEMAS: readonly unknown[] = [
  { type: 'object', properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } },
  {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        default: {},
        'x-kubernetes-validations': [
          { rule: '!has(self.list) || self.list.all(x, x.k != "bad")' },
          { rule: '!has(self.text) || self.text.matches("^[a-z]*$") || self.text.split(",").size() > 1' },
          { rule: '!has(self.number) || 10 / self.number > 0' },
          { rule: '!has(oldSelf.text) || self.text == oldSelf.text' },
          { rule: '!has(self.when) || self.when.getFullYear() > 2000' },
        ],
        properties: {
          text,
          number: { type: 'integer', format: 'int64' },
          float: { type: 'number', multipleOf: 0.01 },
          when: { type: 'string', format: 'date-time' },
          list: {
            type: 'array',
            maxItems: 50,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
            items: { type: 'object', required: ['k'], properties: { k: { ...text, default: 'd' }, v: text } },
          },
          set: {
            type: 'array',
            maxItems: 50,
            'x-kubernetes-list-type': 'set',
            items: { type: 'string', maxLength: 9 },
          },
          numbers: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['n'],
            items: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
          },
          map: { type: 'object', additionalProperties: { type: 'integer', nullable: true } },
          port: { 'x-kubernetes-int-or-string': true, pattern: '^a*$' },
          choice: { type: 'string', enum: ['a', 'b'], default: 'a' },
          template: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            'x-kubernetes-preserve-unknown-fields': true,
          },
        },
      },
      status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    },
  },
];
const GROUPS = SCHEMAS.length;

function customRequest(dice: Dice): FuzzRequest {
  const index = dice.int(GROUPS);
  const path = `/apis/g${index}.example/v1/namespaces/default/things`;
  const whole = {
    apiVersion: `g${index}.example/v1`,
    kind: 'Thing',
    metadata: { name: 'fuzz' },
    spec: {
      text: 'a',
      number: 1,
      float: 0.25,
      when: '2024-01-01T00:00:00Z',
      list: [{ k: 'a', v: 'b' }],
      set: ['x'],
      numbers: [{ n: 1 }, { n: 2 }],
      map: { a: 1 },
      port: 'a',
      template: { apiVersion: 'v1', kind: 'X', metadata: { name: 'x' } },
    },
  };
  const body = dice.once(12) ? whole : mutated(whole, dice);
  const choice = dice.int(5);
  if (choice < 2) return post(path, body);
  if (choice === 2) return { ...post(`${path}/fuzz`, body), method: 'PUT' };
  const type = dice.pick([
    'application/merge-patch+json',
    'application/apply-patch+yaml',
    'application/json-patch+json',
  ]);
  const patch = type.includes('json-patch')
    ? [{ op: 'add', path: dice.pick(['/spec/text', '/spec/list/-', '/spec', '/status']), value: anyValue(dice) }]
    : body;
  return {
    method: 'PATCH',
    target: `${path}/fuzz?fieldManager=${dice.pick(['a', 'b'])}&force=true`,
    headers: { 'content-type': type },
    body: encodeJson(patch),
  };
}

function post(path: string, body: unknown): FuzzRequest {
  return { method: 'POST', target: path, headers: { 'content-type': 'application/json' }, body: encodeJson(body) };
}
