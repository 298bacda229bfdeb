import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CONFIG_MAPS,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '#api/generated/resources.ts';
import type { ConfigMap, MutatingWebhook, ValidatingWebhook } from '#api/generated/types.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { ADMIN, ALLOW_ALL, startTestServer, type TestServer, underVirtualTime } from '../../testing/test-server.ts';
import { patching, type Webhook, WebhookServer } from '../../testing/webhook-server.ts';
import type { ServerParts } from '../../server-parts.ts';
import { WebhookClient } from '../../webhook/webhook-client.ts';
import { dynamicAdmissionPlugins } from '../dynamic-plugins.ts';

const ADMISSION = 'admissionregistration.k8s.io/v1' as const;

let server: TestServer;
let outside: WebhookServer;
let webhooks: WebhookClient;

const admission = (parts: ServerParts) => {
  const view = parts.view.bind(parts);
  webhooks = new WebhookClient({ view, executor: parts.executor });
  const { clock } = parts.executor;
  const random = new SystemRandom();
  return dynamicAdmissionPlugins(parts, { view, clock, random, authorizer: ALLOW_ALL, webhooks, earlier: [] });
};

beforeAll(async () => {
  const executor = new RealExecutor();
  outside = await WebhookServer.start(executor);
  server = await startTestServer(executor, { admission });
});
afterAll(async () => {
  await server.close();
  webhooks.close();
  await outside[Symbol.asyncDispose]();
});
beforeEach(() => {
  outside.reviews.length = 0;
});
afterEach(async () => {
  for (const kind of [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS] as const) {
    const { items } = await server.client.list<ConfigMap>(kind as never);
    for (const { metadata } of items) await server.client.delete(kind as never, { name: metadata.name ?? '' });
  }
});

let count = 0;
const newName = (): string => `map-${++count}`;
const map = (fields: Partial<ConfigMap> = {}): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: newName(), namespace: 'default' },
  ...fields,
});

const rules = (operations: string[] = ['CREATE']) => [
  { apiGroups: [''], apiVersions: ['v1'], operations, resources: ['configmaps'] },
];

type Common = Partial<Omit<ValidatingWebhook, 'name'>>;

const hookOf = (name: string, webhook: Webhook, more: Common) => ({
  name: `${name}.example.com`,
  clientConfig: outside.serve(name, webhook),
  rules: rules(),
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...more,
});

async function validating(webhook: Webhook, more: Common = {}, name = `v${++count}`): Promise<string> {
  await server.client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, {
    apiVersion: ADMISSION,
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [hookOf(name, webhook, more)],
  });
  return `${name}.example.com`;
}

async function mutating(
  webhook: Webhook,
  more: Partial<Omit<MutatingWebhook, 'name'>> = {},
  name = `m${++count}`,
): Promise<string> {
  await server.client.create(MUTATING_WEBHOOK_CONFIGURATIONS, {
    apiVersion: ADMISSION,
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [hookOf(name, webhook, more)],
  });
  return `${name}.example.com`;
}

const create = (object = map(), options: { dryRun?: boolean } = {}) =>
  server.client.create(CONFIG_MAPS, object, options);

async function failureOf(attempt: Promise<unknown>): Promise<{ code: number; reason: string; message: string }> {
  try {
    await attempt;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { code: error.code, reason: error.reason, message: error.message };
  }
  throw new Error('the request was allowed');
}

const add = (path: string, value: unknown) => ({ op: 'add', path, value });

describe('validating webhooks', () => {
  test.each([
    ['a message', { message: 'not today', code: 403, reason: 'Forbidden' }, 403, 'the request: not today'],
    ['a reason only', { reason: 'Because' }, 400, 'the request: Because'],
    ['nothing', undefined, 400, 'the request without explanation'],
    ['the code of a success', { code: 200, message: 'x' }, 400, 'the request: x'],
    ['a code of its own', { code: 418, message: 'x' }, 418, 'the request: x'],
  ])('a refusal with %s', async (_name, status, code, text) => {
    const name = await validating(() => ({ allowed: false, status }));
    const failure = await failureOf(create());
    expect(failure.code).toBe(code);
    expect(failure.message).toBe(`admission webhook "${name}" denied ${text}`);
  });

  test('a refusal with details', async () => {
    const details = { kind: 'x', causes: [{ field: 'data', message: 'no' }, 7], other: { deep: true } };
    await validating(() => ({ allowed: false, status: { details } }));
    await expect(create()).rejects.toMatchObject({
      status: { details: { kind: 'x', causes: [{ field: 'data', message: 'no' }] } },
    });
  });

  test('are told everything about the request', async () => {
    await validating(() => ({ allowed: true }), { rules: rules(['*']) });
    const object = map({ data: { a: '1' } });
    const { name = '' } = object.metadata;
    const created = await create(object);
    await server.client.update(CONFIG_MAPS, { ...created, data: { a: '2' } });
    await server.client.delete(CONFIG_MAPS, { name, namespace: 'default' });
    const [first, second, third] = outside.reviews;
    expect(first).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
      requestResource: { group: '', version: 'v1', resource: 'configmaps' },
      name,
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: ADMIN.username, groups: [...ADMIN.groups, 'system:authenticated'] },
      object: { kind: 'ConfigMap', apiVersion: 'v1', data: { a: '1' } },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    });
    expect(first).not.toHaveProperty('subResource');
    expect(second).toMatchObject({
      operation: 'UPDATE',
      object: { data: { a: '2' } },
      oldObject: { data: { a: '1' } },
      options: { kind: 'UpdateOptions' },
    });
    expect(third).toMatchObject({
      operation: 'DELETE',
      name,
      object: null,
      oldObject: { data: { a: '2' } },
      options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
    });
  });

  test('of a collection that is deleted, each object', async () => {
    const labels = { test: 'collection' };
    for (let index = 0; index < 3; index++) {
      const object = map();
      await create({ ...object, metadata: { ...object.metadata, labels } });
    }
    await validating(() => ({ allowed: true }), { rules: rules(['DELETE']) });
    await server.client.deleteCollection(CONFIG_MAPS, { namespace: 'default', labelSelector: 'test=collection' });
    expect(new Set(outside.reviews.map((review) => review.name)).size).toBe(3);
  });

  test('give warnings, each once', async () => {
    const warnings = ['beware', 'beware', ''];
    await validating(() => ({ allowed: true, warnings }));
    const body = Buffer.from(JSON.stringify(map()));
    const response = await server.server.handle({
      method: 'POST',
      path: '/api/v1/namespaces/default/configmaps',
      query: new URLSearchParams(),
      headers: { 'content-type': 'application/json' },
      readBody: () => Promise.resolve(body),
      signal: new AbortController().signal,
    });
    if (response.type !== 'bytes') throw new Error('no bytes');
    expect(response.headers['warning']).toBe('299 - "beware"');
  });

  test('are asked all at once', async () => {
    let arrived = 0;
    let release: (value: Record<string, unknown>) => void = () => undefined;
    const both = new Promise<Record<string, unknown>>((resolve) => {
      release = resolve;
    });
    const meet: Webhook = () => {
      if (++arrived === 2) release({ allowed: true });
      return both;
    };
    await validating(meet);
    await validating(meet);
    await create();
    expect(arrived).toBe(2);
  });
});

describe('a webhook that cannot be asked', () => {
  const nowhere = { clientConfig: { url: 'https://127.0.0.1:1/x' } };

  test('fails the request with what happened', async () => {
    const name = await validating(() => ({}), nowhere);
    expect(await failureOf(create())).toEqual({
      code: 500,
      reason: 'InternalError',
      message:
        `Internal error occurred: failed calling webhook "${name}": failed to call webhook: ` +
        'Post "https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused',
    });
  });

  test('does not count where its failure policy says so', async () => {
    const name = await validating(() => ({}), { ...nowhere, failurePolicy: 'Ignore' });
    await create();
    const metrics = await metricsOf();
    expect(metrics).toContain(`apiserver_admission_webhook_fail_open_count{name="${name}",type="validating"} 1`);
  });

  test('because it takes too long', async () => {
    const name = await validating(() => new Promise(() => undefined), { timeoutSeconds: 1 });
    const { message } = await failureOf(create());
    expect(message).toContain(`failed calling webhook "${name}": failed to call webhook: Post "https://127.0.0.1:`);
    expect(message).toMatch(/\?timeout=1s": context deadline exceeded$/);
  });

  test('because its certificate is not to be trusted', async () => {
    const { url } = outside.serve('untrusted', () => ({ allowed: true }));
    await validating(() => ({}), { clientConfig: { url } });
    expect((await failureOf(create())).message).toMatch(
      /tls: failed to verify certificate: x509: certificate signed by unknown authority$/,
    );
  });

  test('because its service does not exist', async () => {
    const service = { namespace: 'default', name: 'gone', path: '/review' };
    await validating(() => ({}), { clientConfig: { service } });
    expect((await failureOf(create())).message).toMatch(
      /Post "https:\/\/gone\.default\.svc:443\/review\?timeout=10s": service "gone" not found$/,
    );
  });

  test('under virtual time', async () => {
    await underVirtualTime('webhooks', async (executor) => {
      const simulated = await startTestServer(executor, { admission });
      await simulated.client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, {
        apiVersion: ADMISSION,
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: 'simulated' },
        webhooks: [{ ...hookOf('simulated', () => ({}), {}), ...nowhere }],
      });
      const { message } = await failureOf(simulated.client.create(CONFIG_MAPS, map()));
      expect(message).toMatch(/a cluster under virtual time has no sockets, and so calls no webhooks$/);
      await simulated.close();
    });
  });
});

describe('an answer that is none', () => {
  const invalid = 'received invalid webhook response: ';
  test.each([
    ['no response', () => ({ raw: {} }), 'webhook response was absent'],
    [
      'another uid',
      ({ uid }: { uid: string }) => ({ raw: { response: { uid: `not-${uid.length}` } } }),
      /expected response\.uid="[^"]+", got "not-36"$/,
    ],
    [
      'no kind',
      ({ uid }: { uid: string }) => ({ raw: { response: { uid, allowed: true } } }),
      'expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=',
    ],
    ['a patch', () => patching(add('/data', {})), 'validating webhook may not return response.patch'],
  ])('%s', async (_name, webhook, problem) => {
    const name = await validating(webhook);
    const { code, message } = await failureOf(create());
    expect(code).toBe(500);
    const head = `Internal error occurred: failed calling webhook "${name}": ${invalid}`;
    expect(message.startsWith(head)).toBe(true);
    expect(message.slice(head.length)).toMatch(problem);
  });

  test('a patch without its type', async () => {
    await mutating(() => ({ allowed: true, patch: 'W10=' }));
    expect((await failureOf(create())).message).toMatch(
      /webhook returned response\.patch but not response\.patchType$/,
    );
  });
});

describe('mutating webhooks', () => {
  test('change the object, one after the other by the names of their configurations', async () => {
    await mutating(
      ({ object }) => patching(add('/data/second', `after ${Object.keys(dataOf(object)).join()}`)),
      {},
      'b',
    );
    await mutating(() => patching(add('/data', { first: '1' })), {}, 'a');
    expect((await create()).data).toEqual({ first: '1', second: 'after first' });
  });

  test('see dry runs as such', async () => {
    await mutating(({ dryRun }) => patching(add('/data', { dryRun: String(dryRun) })), { sideEffects: 'NoneOnDryRun' });
    expect((await create(map(), { dryRun: true })).data).toEqual({ dryRun: 'true' });
  });

  test('run again where they wish it', async () => {
    const calls: string[] = [];
    const note =
      (name: string): Webhook =>
      () => {
        calls.push(name);
        return patching(add(`/metadata/annotations`, { [name]: String(calls.length) }));
      };
    await mutating(note('first'), { reinvocationPolicy: 'IfNeeded' }, 'a1');
    await mutating(note('second'), {}, 'a2');
    await mutating(note('third'), { reinvocationPolicy: 'IfNeeded' }, 'a3');
    await create();
    // The first one's second change is news to the third.
    expect(calls).toEqual(['first', 'second', 'third', 'first', 'third']);
  });

  test('whose patch fails', async () => {
    await mutating(() => patching({ op: 'remove', path: '/data/missing' }));
    const failure = await failureOf(create());
    expect(failure).toMatchObject({ code: 500, reason: 'InternalError' });
    expect(failure.message).toMatch(/^Internal error occurred: /);
  });

  test('cannot change what is deleted', async () => {
    const object = map();
    await create(object);
    const name = await mutating(() => patching(add('/data', {})), { rules: rules(['DELETE']) });
    const attempt = server.client.delete(CONFIG_MAPS, { name: object.metadata.name ?? '', namespace: 'default' });
    expect((await failureOf(attempt)).message).toBe(
      `Internal error occurred: admission webhook "${name}" attempted to modify the object, which is not supported for this operation`,
    );
  });

  test('never see configurations of webhooks', async () => {
    const everything = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }];
    await mutating(() => ({ allowed: false }), { rules: everything });
    await validating(() => ({ allowed: false }), { rules: everything });
    expect(outside.reviews).toEqual([]);
  });
});

describe('which requests a webhook is for', () => {
  const refuse: Webhook = () => ({ allowed: false });

  test('by match conditions', async () => {
    const matchConditions = [{ name: 'skip-me', expression: "object.metadata.name != 'skip-me'" }];
    await validating(refuse, { matchConditions });
    await create(map({ metadata: { name: 'skip-me', namespace: 'default' } }));
    expect(outside.reviews).toEqual([]);
    await failureOf(create());
  });

  test('a condition that fails refuses, or leaves the webhook out', async () => {
    const matchConditions = [{ name: 'broken', expression: "object.data['missing'] == 'x'" }];
    await validating(refuse, { matchConditions, failurePolicy: 'Ignore' });
    await create();
    await validating(refuse, { matchConditions });
    const failure = await failureOf(create());
    expect(failure).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect(failure.message).toContain('no such key: data');
  });

  test('by the labels of namespace and object', async () => {
    await server.client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'chosen', labels: { chosen: 'yes' } },
      spec: {},
    });
    await validating(refuse, { namespaceSelector: { matchLabels: { chosen: 'yes' } } });
    await create();
    const elsewhere = map({ metadata: { name: newName(), namespace: 'chosen' } });
    expect((await failureOf(create(elsewhere))).code).toBe(400);
    await validating(refuse, { objectSelector: { matchLabels: { app: 'x' } } });
    await create();
    const labelled = map({ metadata: { name: newName(), namespace: 'default', labels: { app: 'x' } } });
    expect((await failureOf(create(labelled))).code).toBe(400);
  });

  test('in an equivalent version, which is what it then sees', async () => {
    const equivalent = [
      {
        apiGroups: ['autoscaling'],
        apiVersions: ['v1'],
        operations: ['CREATE'],
        resources: ['horizontalpodautoscalers'],
      },
    ];
    await mutating(() => patching(add('/spec/maxReplicas', 7)), { rules: equivalent });
    const path = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers';
    const body = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'scaled' },
      spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' } },
    };
    const response = await server.server.handle({
      method: 'POST',
      path,
      query: new URLSearchParams(),
      headers: { 'content-type': 'application/json' },
      readBody: () => Promise.resolve(Buffer.from(JSON.stringify(body))),
      signal: new AbortController().signal,
    });
    if (response.type !== 'bytes') throw new Error('no bytes');
    const made = JSON.parse(Buffer.concat(response.body).toString());
    expect(made).toMatchObject({ apiVersion: 'autoscaling/v2', spec: { maxReplicas: 7 } });
    expect(outside.reviews[0]).toMatchObject({
      kind: { group: 'autoscaling', version: 'v1' },
      requestKind: { group: 'autoscaling', version: 'v2' },
      object: { apiVersion: 'autoscaling/v1' },
    });
  });
});

function dataOf(object: Record<string, unknown> | null): object {
  const data = object?.['data'];
  return typeof data === 'object' && data !== null ? data : {};
}

async function metricsOf(): Promise<string> {
  const response = await server.server.handle({
    method: 'GET',
    path: '/metrics',
    query: new URLSearchParams(),
    headers: {},
    readBody: () => Promise.resolve(new Uint8Array()),
    signal: new AbortController().signal,
  });
  if (response.type !== 'bytes') throw new Error('no bytes');
  return Buffer.concat(response.body).toString();
}
