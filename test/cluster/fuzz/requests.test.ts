import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { encodeJson } from '#machinery/codec/json.ts';
import { keepKnownObjects, type KnownObjects } from './support/known-objects.ts';
import { type Dice, fuzz } from './support/run.ts';
import { collectionPath } from './support/samples.ts';
import { type FuzzRequest, FuzzTarget } from './support/target.ts';
import { validObjects } from './support/valid-objects.ts';
import { scalar } from './support/values.ts';

// Methods, paths, queries and headers without sense, in every combination.

let target: FuzzTarget;
let known: KnownObjects;
let definitions: readonly ResourceDefinition[];

beforeAll(async () => {
  target = await FuzzTarget.start({ CBORServingAndStorage: true });
  definitions = target.api.parts.registry.all();
  known = await keepKnownObjects(target);
  for (const { definition, object } of validObjects(definitions)) {
    await target.send({
      method: 'POST',
      target: collectionPath(definition),
      headers: { 'content-type': 'application/json' },
      body: encodeJson(object),
    });
  }
});

afterAll(() => target.close());

describe('requests', () => {
  test('of any method, path, query and headers are answered', async () => {
    expect(await fuzz(target, { name: 'requests', rounds: 1_500, generate: anyRequest })).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });

  test('with selectors and continue tokens are answered', async () => {
    const list = await target.send({ method: 'GET', target: '/api/v1/namespaces/known/configmaps?limit=1' });
    const token = /"continue":"([^"]+)"/.exec(list.body.toString())?.[1] ?? '';
    expect(token).not.toBe('');
    expect(
      await fuzz(target, { name: 'selectors', rounds: 500, generate: (dice) => selectingRequest(dice, token) }),
    ).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });
});

const METHODS = [
  'GET',
  'GET',
  'GET',
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'constructor',
  '__proto__',
  'get',
  'M-SEARCH',
  'x'.repeat(100),
];
const SEGMENTS = [
  '',
  '.',
  '..',
  '%',
  '\u0000',
  '\u{1f600}',
  '__proto__',
  'constructor',
  'a b',
  'a:b',
  'a,b',
  '*',
  '~',
  'watch',
  'proxy',
  'x'.repeat(5_000),
  'namespaces',
  'default',
  'fuzz',
  'status',
  'scale',
  'api',
  'apis',
  'v1',
  'pods',
  '\\',
  '"',
  '<script>',
  '-',
  'https:fuzz:1',
];
const PATHS = [
  '/',
  '/api',
  '/apis',
  '/version',
  '/healthz',
  '/livez',
  '/readyz',
  '/readyz/ping',
  '/metrics',
  '/metrics/slis',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/apis/apps/v1',
  '/statusz',
  '/flagz',
  '/.well-known/openid-configuration',
  '/openid/v1/jwks',
  '/logs',
  '/debug/pprof',
  '/api/v1',
  '/apis/apps',
  '/apis/apps/v1',
  '/apis/nowhere/v1/x',
  '/api/v2/pods',
  '/api/v1/watch/pods',
  '/api/v1/proxy/nodes/x',
  '*',
  '//',
  '/////////x',
  '',
  '?',
  '/api//v1/pods',
];

function anyRequest(dice: Dice): FuzzRequest {
  const path = anyPath(dice);
  const query = anyQuery(dice);
  const method = dice.pick(METHODS);
  const headers = anyHeaders(dice);
  const hasBody = method !== 'GET' && dice.once(2);
  return {
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers: hasBody ? { 'content-type': dice.pick(CONTENT_TYPES), ...headers } : headers,
    ...(hasBody ? { body: dice.pick(BODIES) } : {}),
  };
}

const CONTENT_TYPES = [
  'application/json',
  'application/yaml',
  'application/cbor',
  'application/vnd.kubernetes.protobuf',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/apply-patch+cbor',
  'text/plain',
  '',
  ';',
  'application/json; charset=x',
  '*/*',
  'application/JSON',
  'constructor',
];
const BODIES = [
  '',
  '{}',
  '[]',
  'null',
  '0',
  '"x"',
  '{',
  '{"kind":"DeleteOptions","apiVersion":"v1","dryRun":["All"]}',
  '{"metadata":null}',
  '- a',
  'a: b',
  '\u0000',
  'k8s\u0000',
  '\u00d9\u00d9\u00f7\u00a0',
  '[{"op":"add"}]',
  '{"spec":{"replicas":1}}',
].map((text) => Buffer.from(text, 'latin1'));

function anyPath(dice: Dice): string {
  if (dice.once(5)) {
    const base = dice.pick(PATHS);
    return dice.once(3) ? `${base}/${dice.pick(SEGMENTS)}` : base;
  }
  const definition = dice.pick(definitions);
  const parts = collectionPath(definition).split('/');
  if (dice.once(2)) parts.push(dice.pick(['fuzz', 'nobody', 'fuzzes.fuzz.example']));
  if (dice.once(2)) parts.push(dice.pick([...definition.subresources.map(({ name }) => name), 'status']));
  if (dice.once(4)) parts.splice(1 + dice.int(parts.length), dice.int(2), dice.pick(SEGMENTS));
  if (dice.once(10)) parts.push(...Array.from({ length: dice.int(200) }, () => dice.pick(SEGMENTS)));
  return parts.join('/');
}

const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  watch: ['true', '1', 'false', 'x', ''],
  timeoutSeconds: ['0', '1', '-1', 'x', '99999999999999999999', '1.5'],
  timeout: ['0', '1s', '1x', '-1s', '1'.repeat(50_000), '1h1h', '9999999h', '.5s'],
  limit: ['0', '1', '-1', 'x', '9223372036854775808', '1e3', ''],
  continue: ['x', 'e30', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ', '%00', 'a'.repeat(10_000)],
  resourceVersion: ['0', '1', '-1', 'x', ''],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'x'],
  sendInitialEvents: ['true', 'false', 'x'],
  allowWatchBookmarks: ['true', 'x'],
  labelSelector: ['app=x', 'app in (x', '!', '=', 'a=b=c', ','.repeat(1_000)],
  fieldSelector: ['metadata.name=fuzz', 'x=y', 'metadata.name', '\\', 'metadata.name=fuzz,'.repeat(500)],
  dryRun: ['All', 'None', ''],
  fieldManager: ['a', '', 'x'.repeat(200), '\u0000'],
  fieldValidation: ['Strict', 'x'],
  force: ['true', 'x'],
  pretty: ['true', 'x'],
  gracePeriodSeconds: ['0', '-1', 'x', '1e400'],
  propagationPolicy: ['Orphan', 'x'],
  orphanDependents: ['true', 'x'],
  includeObject: ['None', 'Object', 'x'],
  verbose: ['', 'x'],
  exclude: ['etcd', 'x'],
  container: ['x', ''],
  command: ['sh'],
  stdin: ['true'],
  ports: ['80', 'x', '99999'],
  tailLines: ['1', '-1', 'x'],
  sinceTime: ['x', '2024-01-01T00:00:00Z'],
  limitBytes: ['-1', '0'],
  path: ['/x'],
  __proto__x: ['y'],
};

function anyQuery(dice: Dice): string {
  const names = Object.keys(PARAMETERS);
  const count = dice.int(4);
  return Array.from({ length: count }, () => {
    const name = dice.pick(names);
    return `${name}=${encodeURIComponent(text(dice.once(6) ? scalar(dice) : dice.pick(PARAMETERS[name] ?? [''])))}`;
  }).join('&');
}

const HEADERS: Readonly<Record<string, readonly string[]>> = {
  accept: [
    'application/json',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
    'application/cbor',
    'application/cbor-seq',
    '*/*',
    'text/html',
    '',
    ',',
    ';',
    ';;;q=',
    'application/json;q=NaN',
    'a/b;'.repeat(3_000),
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    'application/json;as=X;v=v1;g=meta.k8s.io',
    'application/json;stream=watch',
    'application/vnd.kubernetes.protobuf;stream=watch',
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v3@v1.0+protobuf',
    'application/json;as=__proto__;v=constructor;g=',
    ' , '.repeat(10_000),
    'application/json;profile=nopeer',
  ],
  'accept-encoding': ['gzip', 'gzip;q=0', 'br', '*', 'gzip, deflate', ''],
  'if-none-match': ['*', '"x"', 'x', '"'.repeat(1_000), 'W/"x"'],
  'impersonate-user': [
    'u',
    '',
    'system:anonymous',
    'system:serviceaccount:a:b',
    'system:serviceaccount::',
    'x'.repeat(5_000),
    'system:node:fuzz',
  ],
  'impersonate-group': ['g', 'system:masters', ', , ,', ''],
  'impersonate-uid': ['1'],
  'impersonate-extra-a%2fb': ['c'],
  'impersonate-extra-%zz': ['c'],
  'impersonate-extra-__proto__': ['c'],
  'user-agent': ['', 'curl/8', 'Mozilla/5.0', '/'.repeat(3_000), '\u00ff', '\u0007'],
  authorization: [
    '',
    'Bearer',
    'Bearer x',
    'Bearer fuzz-token',
    'Basic x',
    'bearer  fuzz-token',
    `Bearer ${'a.'.repeat(5_000)}`,
    'Bearer e30.e30.e30',
    'Bearer a.b.c.d',
  ],
  'audit-id': ['', 'x'.repeat(1_000)],
  connection: ['upgrade', 'close'],
  upgrade: ['websocket', 'SPDY/3.1', 'h2c', 'x'],
  'sec-websocket-protocol': ['v5.channel.k8s.io', 'base64url.bearer.authorization.k8s.io.x', ','],
  'x-remote-user': ['x'],
  'content-encoding': ['gzip'],
  'content-length': ['-1', 'x', '99999999999'],
  'if-match': ['"1"'],
  host: ['', 'x:y:z'],
  origin: ['null'],
};

function anyHeaders(dice: Dice): Record<string, string> {
  const names = Object.keys(HEADERS);
  return Object.fromEntries(
    Array.from({ length: dice.int(4) }, () => {
      const name = dice.pick(names);
      return [name, dice.pick(HEADERS[name] ?? [''])];
    }),
  );
}

const TOKENS = [
  'app',
  'x',
  'y',
  '=',
  '==',
  '!=',
  '!',
  'in',
  'notin',
  '(',
  ')',
  ',',
  ' ',
  '<',
  '>',
  '1',
  'a/b',
  'a.b/c',
  '/',
  'metadata.name',
  'metadata.namespace',
  'status.phase',
  'spec.nodeName',
  'fuzz',
  '\\',
  '\\,',
  '',
  '"',
  '\u0000',
  '\u00e9',
  'x'.repeat(300),
  '__proto__',
  'constructor',
];

function selectingRequest(dice: Dice, token: string): FuzzRequest {
  const path = collectionPath(dice.pick(definitions));
  const words = (): string =>
    Array.from({ length: dice.int(dice.once(10) ? 400 : 9) }, () => dice.pick(TOKENS)).join('');
  const parts = [
    ...(dice.once(3) ? [] : [`${dice.pick(['labelSelector', 'fieldSelector'])}=${encodeURIComponent(words())}`]),
    ...(dice.once(3)
      ? [`continue=${encodeURIComponent(brokenToken(dice, token))}&limit=${dice.pick(['1', '2', '500'])}`]
      : []),
    ...(dice.once(4) ? [`watch=true&timeoutSeconds=1&resourceVersion=${dice.pick(['0', '1', ''])}`] : []),
    ...(dice.once(4) ? [`resourceVersion=${dice.pick(['1', '0', 'x', dice.once(500) ? '99999' : ''])}`] : []),
  ];
  return {
    method: dice.once(10) ? 'DELETE' : 'GET',
    target: `${path}?${parts.join('&')}${dice.once(10) ? '' : '&dryRun=All'}`,
  };
}

function brokenToken(dice: Dice, token: string): string {
  const plain = Buffer.from(token, 'base64url').toString();
  const changed = dice.pick<() => string>([
    () =>
      plain.replace(
        /"rv":\d+/,
        `"rv":${dice.pick(['-1', '0', '1', '99999999', '1e99', '"x"', 'null', '18446744073709551615'])}`,
      ),
    () => plain.replace(/"start":"[^"]*"/, `"start":${JSON.stringify(text(scalar(dice)))}`),
    () => plain.replace('meta.k8s.io/v1', text(scalar(dice))),
    () => plain.slice(0, dice.int(plain.length)),
    () => JSON.stringify(scalar(dice)),
    () => plain,
  ])();
  return dice.once(6) ? changed : Buffer.from(changed).toString(dice.pick(['base64url', 'base64']));
}

/** A lone half of a surrogate pair has no place in a URL. */
function text(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed();
}
