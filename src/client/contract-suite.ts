import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES } from '#api/generated/resources.ts';
import type { ConfigMap, Deployment, Namespace } from '#api/generated/types.ts';
import { isExpired, isNotFound, type Status, StatusError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Client, WatchEvent, WatchOptions } from './client.ts';

/** A client of a running API server. No controllers run; RBAC, if on, lets the client do everything. */
export interface ClientUnderTest {
  readonly client: Client;
  /** Moves the server's clock, where it is virtual: the tests that need time run then. */
  readonly advance?: (durationMs: number) => Promise<void>;
  /** Makes the server forget its history up to now, where it can: the tests of expired versions run then. */
  readonly forgetHistory?: () => Promise<void>;
  close(): Promise<void>;
}

/** What every client must do, in the process and over the wire. `setup` is called once. */
export function testClientContract(name: string, setup: () => Promise<ClientUnderTest>): void {
  describe(`${name} client`, () => {
    let under: ClientUnderTest | undefined;
    beforeAll(async () => {
      under = await setup();
    });
    afterAll(async () => {
      await under?.close();
    });
    const context: Context = {
      get client() {
        return under!.client;
      },
      get under() {
        return under!;
      },
    };
    testCreate(context);
    testRead(context);
    testUpdate(context);
    testPatch(context);
    testApply(context);
    testDelete(context);
    testWatch(context);
    testRaw(context);
  });
}

interface Context {
  readonly client: Client;
  readonly under: ClientUnderTest;
}

function testCreate(context: Context): void {
  test('creates an object and fills in what the server knows', async () => {
    const namespace = await newNamespace(context.client);
    const made = await context.client.create(CONFIG_MAPS, configMap(namespace, 'made', { a: '1' }));
    expect(made).toMatchObject({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'made', namespace, uid: expect.stringMatching(UUID), resourceVersion: expect.any(String) },
      data: { a: '1' },
    });
    expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await context.client.get(CONFIG_MAPS, { namespace, name: 'made' })).toEqual(made);
  });

  test('creates in the namespace of the options where the object names none', async () => {
    const namespace = await newNamespace(context.client);
    const wanted: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'placed' } };
    const made = await context.client.create(CONFIG_MAPS, wanted, { namespace });
    expect(made.metadata.namespace).toBe(namespace);
  });

  test('makes names from generateName', async () => {
    const namespace = await newNamespace(context.client);
    const wanted = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'gen-', namespace } };
    const made = await Promise.all([1, 2, 3].map(() => context.client.create(CONFIG_MAPS, wanted)));
    const names = made.map(({ metadata }) => metadata.name ?? '');
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test('neither keeps nor freezes what the caller passed in', async () => {
    const namespace = await newNamespace(context.client);
    const mine = configMap(namespace, 'mine', { a: '1' });
    await context.client.create(CONFIG_MAPS, mine);
    mine.data = { a: 'changed' };
    const stored = await context.client.get(CONFIG_MAPS, { namespace, name: 'mine' });
    expect(stored.data).toEqual({ a: '1' });
  });

  test('refuses a second object of the same name', async () => {
    const namespace = await newNamespace(context.client);
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'twice'));
    const status = await failure(context.client.create(CONFIG_MAPS, configMap(namespace, 'twice')));
    expect(status).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'configmaps "twice" already exists',
      reason: 'AlreadyExists',
      details: { name: 'twice', kind: 'configmaps' },
      code: 409,
    });
  });

  test('refuses an invalid object and says which field', async () => {
    const namespace = await newNamespace(context.client);
    const status = await failure(context.client.create(CONFIG_MAPS, configMap(namespace, 'Bad_Name')));
    expect(status).toMatchObject({
      reason: 'Invalid',
      code: 422,
      details: {
        name: 'Bad_Name',
        kind: 'ConfigMap',
        causes: [{ reason: 'FieldValueInvalid', field: 'metadata.name' }],
      },
    });
    expect(status.message).toMatch(/^ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": /);
  });

  test('changes nothing in a dry run', async () => {
    const namespace = await newNamespace(context.client);
    const { client } = context;
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'dry'), { dryRun: true });
    expect(made.metadata).toMatchObject({ name: 'dry', uid: expect.stringMatching(UUID) });
    await expect(client.get(CONFIG_MAPS, { namespace, name: 'dry' })).rejects.toSatisfy(isNotFound);
    const real = await client.create(CONFIG_MAPS, configMap(namespace, 'dry', { a: '1' }));
    const updated = await client.update(CONFIG_MAPS, { ...real, data: { a: '2' } }, { dryRun: true });
    expect(updated.data).toEqual({ a: '2' });
    await client.delete(CONFIG_MAPS, { namespace, name: 'dry' }, { dryRun: true });
    expect(await client.get(CONFIG_MAPS, { namespace, name: 'dry' })).toEqual(real);
  });

  test('refuses unknown fields where the validation is strict, and drops them else', async () => {
    const namespace = await newNamespace(context.client);
    const strange = { ...configMap(namespace, 'strange'), nonsense: 1 };
    const strict = await failure(context.client.create(CONFIG_MAPS, strange, { fieldValidation: 'Strict' }));
    expect(strict).toMatchObject({ reason: 'BadRequest', code: 400 });
    expect(strict.message).toContain('unknown field "nonsense"');
    const made = await context.client.create(CONFIG_MAPS, strange, { fieldValidation: 'Ignore' });
    expect(made).not.toHaveProperty('nonsense');
  });
}

function testRead(context: Context): void {
  test('says what was not found', async () => {
    const namespace = await newNamespace(context.client);
    expect(await failure(context.client.get(CONFIG_MAPS, { namespace, name: 'none' }))).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'configmaps "none" not found',
      reason: 'NotFound',
      details: { name: 'none', kind: 'configmaps' },
      code: 404,
    });
    expect(await failure(context.client.get(DEPLOYMENTS, { namespace, name: 'none' }))).toMatchObject({
      message: 'deployments.apps "none" not found',
      details: { name: 'none', group: 'apps', kind: 'deployments' },
    });
  });

  test('lists a namespace in the order of names, and all namespaces', async () => {
    const namespace = await newNamespace(context.client);
    const other = await newNamespace(context.client);
    for (const name of ['b', 'c', 'a']) await context.client.create(CONFIG_MAPS, configMap(namespace, name));
    await context.client.create(CONFIG_MAPS, configMap(other, 'elsewhere'));
    const list = await context.client.list(CONFIG_MAPS, { namespace });
    expect(list).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMapList' });
    expect(list.metadata.resourceVersion).toMatch(/^\d+$/);
    expect(namesOf(list.items)).toEqual(['a', 'b', 'c']);
    expect(namesOf((await context.client.list(CONFIG_MAPS)).items)).toEqual(
      expect.arrayContaining(['a', 'b', 'c', 'elsewhere']),
    );
  });

  test.each<[string, { labelSelector?: string; fieldSelector?: string }, string[]]>([
    ['equality', { labelSelector: 'app=web' }, ['one', 'two']],
    ['inequality', { labelSelector: 'app!=web' }, ['none', 'three']],
    ['sets', { labelSelector: 'app in (web, db),tier notin (back)' }, ['one', 'three']],
    ['existence', { labelSelector: 'tier' }, ['one', 'two']],
    ['absence', { labelSelector: '!app' }, ['none']],
    ['a field', { fieldSelector: 'metadata.name=two' }, ['two']],
    ['fields that must differ', { fieldSelector: 'metadata.name!=two,metadata.name!=none' }, ['one', 'three']],
    ['both', { labelSelector: 'app', fieldSelector: 'metadata.name!=one' }, ['three', 'two']],
  ])('lists by %s', async (_, selectors, expected) => {
    const namespace = await newNamespace(context.client);
    const labels: Record<string, Record<string, string>> = {
      one: { app: 'web', tier: 'front' },
      two: { app: 'web', tier: 'back' },
      three: { app: 'db' },
      none: {},
    };
    for (const [name, own] of Object.entries(labels)) {
      const object = configMap(namespace, name);
      await context.client.create(CONFIG_MAPS, { ...object, metadata: { ...object.metadata, labels: own } });
    }
    expect(namesOf((await context.client.list(CONFIG_MAPS, { namespace, ...selectors })).items)).toEqual(expected);
  });

  test('refuses selectors that make no sense', async () => {
    const namespace = await newNamespace(context.client);
    const label = await failure(context.client.list(CONFIG_MAPS, { namespace, labelSelector: 'a in (b' }));
    expect(label).toMatchObject({ reason: 'BadRequest', code: 400 });
    const field = await failure(context.client.list(CONFIG_MAPS, { namespace, fieldSelector: 'spec.nodeName=x' }));
    expect(field).toMatchObject({ reason: 'BadRequest', code: 400 });
    expect(field.message).toContain('"spec.nodeName" is not a known field selector');
  });

  test('lists in pages that show one moment', async () => {
    const namespace = await newNamespace(context.client);
    for (const name of ['a', 'b', 'c', 'd', 'e']) await context.client.create(CONFIG_MAPS, configMap(namespace, name));
    const first = await context.client.list(CONFIG_MAPS, { namespace, limit: 2 });
    expect(namesOf(first.items)).toEqual(['a', 'b']);
    expect(first.metadata.remainingItemCount).toBe(3);
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'bb'));
    const names = namesOf(first.items);
    let next = first.metadata.continue;
    while (next !== undefined && next !== '') {
      const page = await context.client.list(CONFIG_MAPS, { namespace, limit: 2, continue: next });
      expect(page.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      names.push(...namesOf(page.items));
      next = page.metadata.continue;
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
    const selected = await context.client.list(CONFIG_MAPS, { namespace, limit: 2, fieldSelector: 'metadata.name!=a' });
    expect(namesOf(selected.items)).toEqual(['b', 'bb']);
    expect(selected.metadata.remainingItemCount).toBeUndefined();
  });

  test('reads at a version of the past', async () => {
    const namespace = await newNamespace(context.client);
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    const { resourceVersion } = (await context.client.list(CONFIG_MAPS, { namespace })).metadata;
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'b'));
    const options = { namespace, resourceVersion: resourceVersion ?? '', resourceVersionMatch: 'Exact' as const };
    const past = await context.client.list(CONFIG_MAPS, options);
    expect(namesOf(past.items)).toEqual(['a']);
    expect(past.metadata.resourceVersion).toBe(resourceVersion);
    const atLeast = await context.client.list(CONFIG_MAPS, { ...options, resourceVersionMatch: 'NotOlderThan' });
    expect(namesOf(atLeast.items)).toContain('a');
  });

  test('says when a page of the past is gone', async (task) => {
    const { forgetHistory } = context.under;
    if (forgetHistory === undefined) return task.skip('this server cannot be made to forget');
    const namespace = await newNamespace(context.client);
    for (const name of ['a', 'b', 'c']) await context.client.create(CONFIG_MAPS, configMap(namespace, name));
    const { metadata } = await context.client.list(CONFIG_MAPS, { namespace, limit: 1 });
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'd'));
    await forgetHistory();
    const next = metadata.continue ?? '';
    const status = await failure(context.client.list(CONFIG_MAPS, { namespace, limit: 1, continue: next }));
    expect(status).toMatchObject({ reason: 'Expired', code: 410 });
  });
}

function testUpdate(context: Context): void {
  test('updates from the version it was read at, and refuses any other', async () => {
    const namespace = await newNamespace(context.client);
    const made = await context.client.create(CONFIG_MAPS, configMap(namespace, 'up', { a: '1' }));
    const updated = await context.client.update(CONFIG_MAPS, { ...made, data: { a: '2' } });
    expect(updated.data).toEqual({ a: '2' });
    expect(updated.metadata.uid).toBe(made.metadata.uid);
    expect(Number(updated.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
    expect(await failure(context.client.update(CONFIG_MAPS, { ...made, data: { a: '3' } }))).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message:
        'Operation cannot be fulfilled on configmaps "up": the object has been modified; ' +
        'please apply your changes to the latest version and try again',
      reason: 'Conflict',
      details: { name: 'up', kind: 'configmaps' },
      code: 409,
    });
  });

  test('updates without a version whatever the current one is', async () => {
    const namespace = await newNamespace(context.client);
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'up', { a: '1' }));
    const updated = await context.client.update(CONFIG_MAPS, configMap(namespace, 'up', { b: '2' }));
    expect(updated.data).toEqual({ b: '2' });
  });

  test('keeps the version where an update changes nothing', async () => {
    const namespace = await newNamespace(context.client);
    const made = await context.client.create(CONFIG_MAPS, configMap(namespace, 'same', { a: '1' }));
    const updated = await context.client.update(CONFIG_MAPS, made);
    expect(updated).toEqual(made);
  });

  test('does not create by updating', async () => {
    const namespace = await newNamespace(context.client);
    const status = await failure(context.client.update(CONFIG_MAPS, configMap(namespace, 'none')));
    expect(status).toMatchObject({ reason: 'NotFound', code: 404, message: 'configmaps "none" not found' });
  });

  test('writes status and spec through their own doors, and counts generations of the spec', async () => {
    const namespace = await newNamespace(context.client);
    const made = await context.client.create(DEPLOYMENTS, deployment(namespace, 'web'));
    expect(made.metadata.generation).toBe(1);
    expect(made.status?.observedGeneration).toBeUndefined();
    const both = { ...made, spec: { ...made.spec, replicas: 7 }, status: { observedGeneration: 1, replicas: 3 } };
    const status = await context.client.update(DEPLOYMENTS, both, { subresource: 'status' });
    expect(status.spec.replicas).toBe(2);
    expect(status.status?.replicas).toBe(3);
    expect(status.metadata.generation).toBe(1);
    const spec = await context.client.update(DEPLOYMENTS, {
      ...status,
      spec: { ...status.spec, replicas: 7 },
      status: { replicas: 9 },
    });
    expect(spec.spec.replicas).toBe(7);
    expect(spec.status?.replicas).toBe(3);
    expect(spec.metadata.generation).toBe(2);
  });

  test('lets exactly one of many concurrent updates win', async () => {
    const namespace = await newNamespace(context.client);
    const made = await context.client.create(CONFIG_MAPS, configMap(namespace, 'hot', { a: '0' }));
    const updates = Array.from({ length: 10 }, (_, writer) =>
      context.client.update(CONFIG_MAPS, { ...made, data: { a: `${writer + 1}` } }),
    );
    const results = await Promise.allSettled(updates);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const lost = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason.status);
    expect(lost).toEqual(lost.map(() => expect.objectContaining({ code: 409, reason: 'Conflict' })));
  });
}

function testPatch(context: Context): void {
  test('applies JSON patches', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const name = { namespace, name: 'patched' };
    await client.create(CONFIG_MAPS, configMap(namespace, 'patched', { a: '1', b: '2' }));
    const patched = await client.patch(CONFIG_MAPS, name, {
      type: 'json',
      operations: [
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'replace', path: '/data/a', value: '3' },
        { op: 'remove', path: '/data/b' },
        { op: 'add', path: '/data/c', value: '4' },
      ],
    });
    expect(patched.data).toEqual({ a: '3', c: '4' });
    const operations = [{ op: 'test' as const, path: '/data/a', value: 'other' }];
    const status = await failure(client.patch(CONFIG_MAPS, name, { type: 'json', operations }));
    expect(status).toMatchObject({ reason: 'Invalid', code: 422 });
  });

  test('applies merge patches', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    await client.create(CONFIG_MAPS, configMap(namespace, 'patched', { a: '1', b: '2' }));
    const body = { metadata: { labels: { app: 'web' } }, data: { a: null, c: '3' } };
    const patched = await client.patch(CONFIG_MAPS, { namespace, name: 'patched' }, { type: 'merge', body });
    expect(patched.data).toEqual({ b: '2', c: '3' });
    expect(patched.metadata.labels).toEqual({ app: 'web' });
  });

  test('applies strategic merge patches: lists by their keys', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    await client.create(DEPLOYMENTS, deployment(namespace, 'web'));
    const containers = [
      { name: 'web', image: 'web:2' },
      { name: 'side', image: 'side:1' },
    ];
    const body = { spec: { template: { spec: { containers } } } };
    const patched = await client.patch(DEPLOYMENTS, { namespace, name: 'web' }, { type: 'strategic', body });
    const images = patched.spec.template.spec?.containers.map(({ name, image }) => `${name}=${image}`) ?? [];
    expect(images.toSorted()).toEqual(['side=side:1', 'web=web:2']);
    const remove = { spec: { template: { spec: { containers: [{ name: 'side', $patch: 'delete' }] } } } };
    const removed = await client.patch(DEPLOYMENTS, { namespace, name: 'web' }, { type: 'strategic', body: remove });
    expect(removed.spec.template.spec?.containers.map(({ name }) => name)).toEqual(['web']);
  });

  test('refuses a patch whose version is not the current one, and a patch of nothing', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    await client.create(CONFIG_MAPS, configMap(namespace, 'patched'));
    const name = { namespace, name: 'patched' };
    const body = { metadata: { resourceVersion: '1' }, data: { a: '1' } };
    expect(await failure(client.patch(CONFIG_MAPS, name, { type: 'merge', body }))).toMatchObject({
      reason: 'Conflict',
      code: 409,
    });
    const none = { namespace, name: 'none' };
    expect(await failure(client.patch(CONFIG_MAPS, none, { type: 'merge', body: {} }))).toMatchObject({
      reason: 'NotFound',
      code: 404,
    });
  });
}

function testApply(context: Context): void {
  test('applies: creates, updates what the manager owns, removes what it no longer wants', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const name = { namespace, name: 'applied' };
    const apply = (data: Record<string, string>, fieldManager = 'me', force = false) => {
      const body = configMap(namespace, 'applied', data);
      return client.patch(CONFIG_MAPS, name, { type: 'apply', body }, { fieldManager, force });
    };
    const made = await apply({ a: '1', b: '2' });
    expect(made.data).toEqual({ a: '1', b: '2' });
    expect(made.metadata.managedFields).toMatchObject([{ manager: 'me', operation: 'Apply', apiVersion: 'v1' }]);
    expect((await apply({ a: '3' })).data).toEqual({ a: '3' });
    const status = await failure(apply({ a: '4' }, 'other'));
    expect(status).toMatchObject({ reason: 'Conflict', code: 409 });
    expect(status.message).toContain('Apply failed with 1 conflict: conflict with "me": .data.a');
    expect(status.details?.causes).toMatchObject([{ reason: 'FieldManagerConflict', field: '.data.a' }]);
    expect((await apply({ a: '4' }, 'other', true)).data).toEqual({ a: '4' });
  });

  test('refuses to apply for nobody', async () => {
    const namespace = await newNamespace(context.client);
    const body = configMap(namespace, 'applied');
    const name = { namespace, name: 'applied' };
    const status = await failure(context.client.patch(CONFIG_MAPS, name, { type: 'apply', body }));
    expect(status.code).toBe(422);
    expect(status.message).toContain('fieldManager: Required value: is required for apply patch');
  });
}

function testDelete(context: Context): void {
  test('deletes, and answers with what was deleted', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const name = { namespace, name: 'gone' };
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'gone'));
    const answer: KubeObject = await client.delete(CONFIG_MAPS, name);
    // Most kinds answer with a Status that names the object, as upstream does.
    const details = { name: 'gone', kind: 'configmaps', uid: made.metadata.uid };
    expect(answer).toMatchObject(
      answer.kind === 'Status' ? { status: 'Success', details } : { metadata: { uid: made.metadata.uid } },
    );
    await expect(client.get(CONFIG_MAPS, name)).rejects.toSatisfy(isNotFound);
    expect(await failure(client.delete(CONFIG_MAPS, name))).toMatchObject({ reason: 'NotFound', code: 404 });
  });

  test('deletes only what the preconditions name', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const name = { namespace, name: 'guarded' };
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'guarded'));
    const uid = await failure(client.delete(CONFIG_MAPS, name, { preconditions: { uid: 'other' } }));
    expect(uid).toMatchObject({ reason: 'Conflict', code: 409 });
    expect(uid.message).toContain(`the UID in the precondition (other) does not match the UID in record`);
    const version = await failure(client.delete(CONFIG_MAPS, name, { preconditions: { resourceVersion: '1' } }));
    expect(version).toMatchObject({ reason: 'Conflict', code: 409 });
    const { uid: right = '', resourceVersion = '' } = made.metadata;
    await client.delete(CONFIG_MAPS, name, { preconditions: { uid: right, resourceVersion } });
    await expect(client.get(CONFIG_MAPS, name)).rejects.toSatisfy(isNotFound);
  });

  test('keeps an object with finalizers on its way out until they are gone', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const name = { namespace, name: 'final' };
    const object = configMap(namespace, 'final');
    const metadata = { ...object.metadata, finalizers: ['example.com/wait'] };
    await client.create(CONFIG_MAPS, { ...object, metadata });
    const leaving = await client.delete(CONFIG_MAPS, name);
    expect(leaving.metadata.deletionTimestamp).toBeDefined();
    expect((await client.get(CONFIG_MAPS, name)).metadata.deletionTimestamp).toBe(leaving.metadata.deletionTimestamp);
    await client.patch(CONFIG_MAPS, name, { type: 'merge', body: { metadata: { finalizers: null } } });
    await expect(client.get(CONFIG_MAPS, name)).rejects.toSatisfy(isNotFound);
  });

  test('deletes collections by selector', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    for (const [name, app] of Object.entries({ a: 'web', b: 'web', c: 'db' })) {
      const object = configMap(namespace, name);
      await client.create(CONFIG_MAPS, { ...object, metadata: { ...object.metadata, labels: { app } } });
    }
    await client.deleteCollection(CONFIG_MAPS, { namespace, labelSelector: 'app=web' });
    expect(namesOf((await client.list(CONFIG_MAPS, { namespace })).items)).toEqual(['c']);
  });
}

function testWatch(context: Context): void {
  test('watches from a version: all that came after it, in order', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    await client.create(CONFIG_MAPS, configMap(namespace, 'before'));
    const { resourceVersion = '' } = (await client.list(CONFIG_MAPS, { namespace })).metadata;
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'a', { n: '1' }));
    await using watch = startWatch(client, { namespace, resourceVersion });
    const updated = await client.update(CONFIG_MAPS, { ...made, data: { n: '2' } });
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    const events = await watch.take(3);
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    expect(events[0]?.object).toEqual(made);
    expect(events[1]?.object).toEqual(updated);
    const deletion = events[2]?.object.metadata.resourceVersion;
    expect(Number(deletion)).toBeGreaterThan(Number(updated.metadata.resourceVersion));
    expect(events[2]?.object).toEqual({ ...updated, metadata: { ...updated.metadata, resourceVersion: deletion } });
  });

  test('watches without a version: the current state first', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    await client.create(CONFIG_MAPS, configMap(namespace, 'b'));
    await using watch = startWatch(client, { namespace });
    const initial = await watch.take(2);
    expect(initial.map(({ type }) => type)).toEqual(['ADDED', 'ADDED']);
    expect(namesOf(initial.map(({ object }) => object)).toSorted()).toEqual(['a', 'b']);
    await client.create(CONFIG_MAPS, configMap(namespace, 'c'));
    expect((await watch.take(1))[0]).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'c' } } });
  });

  test('watches a selection: what enters it is added, what leaves it is deleted', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const { resourceVersion = '' } = (await client.list(CONFIG_MAPS, { namespace })).metadata;
    await using watch = startWatch(client, { namespace, resourceVersion, labelSelector: 'show=yes' });
    await client.create(CONFIG_MAPS, configMap(namespace, 'hidden'));
    const object = configMap(namespace, 'a');
    await client.create(CONFIG_MAPS, object);
    const label = (show: string | null) =>
      client.patch(CONFIG_MAPS, { namespace, name: 'a' }, { type: 'merge', body: { metadata: { labels: { show } } } });
    await label('yes');
    await label(null);
    await label('yes');
    expect((await watch.take(3)).map(({ type, object: { metadata } }) => `${type} ${metadata.name}`)).toEqual([
      'ADDED a',
      'DELETED a',
      'ADDED a',
    ]);
  });

  test('ends a watch when the signal fires', async () => {
    const namespace = await newNamespace(context.client);
    const watch = startWatch(context.client, { namespace, resourceVersion: '' });
    await context.client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    await watch.take(1);
    await watch[Symbol.asyncDispose]();
    expect(watch.isEnded()).toBe(true);
  });

  test('sends bookmarks to those who ask', async (task) => {
    const { advance, client } = { ...context.under };
    if (advance === undefined) return task.skip('the clock of this server cannot be turned');
    const namespace = await newNamespace(client);
    const { resourceVersion = '' } = (await client.list(CONFIG_MAPS, { namespace })).metadata;
    const watching = { namespace, resourceVersion, allowWatchBookmarks: true, timeoutSeconds: 200 };
    await using watch = startWatch(client, watching);
    await client.create(NAMESPACES, newNamespaceObject('noise-'));
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    const [added] = await watch.take(1);
    await advance(90_000);
    const [bookmark] = await watch.take(1);
    expect(bookmark?.type).toBe('BOOKMARK');
    expect(bookmark?.object.kind).toBe('ConfigMap');
    const version = Number(bookmark?.object.metadata.resourceVersion);
    expect(version).toBeGreaterThanOrEqual(Number(added?.object.metadata.resourceVersion));
  });

  test('says 410 where the version to watch from is gone', async (task) => {
    const { client, forgetHistory } = context.under;
    if (forgetHistory === undefined) return task.skip('this server cannot be made to forget');
    const namespace = await newNamespace(client);
    const { resourceVersion = '' } = (await client.list(CONFIG_MAPS, { namespace })).metadata;
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    await client.create(CONFIG_MAPS, configMap(namespace, 'b'));
    await forgetHistory();
    await using watch = startWatch(client, { namespace, resourceVersion });
    await expect(watch.take(1)).rejects.toSatisfy(isExpired);
  });
}

function testRaw(context: Context): void {
  test('gets any path, and fails with the status of what is not there', async () => {
    const { client } = context;
    const version = await client.raw({ method: 'GET', path: '/version' });
    expect(version.status).toBe(200);
    expect(JSON.parse(new TextDecoder().decode(version.body))).toMatchObject({ major: '1' });
    const missing = await failure(client.raw({ method: 'GET', path: '/apis/none.example.com/v1/things' }));
    expect(missing).toMatchObject({ code: 404, reason: 'NotFound' });
  });

  test('sends raw bodies and headers', async () => {
    const { client } = context;
    const namespace = await newNamespace(client);
    const answer = await client.raw({
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/configmaps`,
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: new TextEncoder().encode(JSON.stringify(configMap(namespace, 'raw', { a: '1' }))),
    });
    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toContain('application/json');
    expect((await client.get(CONFIG_MAPS, { namespace, name: 'raw' })).data).toEqual({ a: '1' });
  });

  test('gives up a request when its signal fires', async () => {
    const namespace = await newNamespace(context.client);
    const signal = AbortSignal.abort(new Error('no longer wanted'));
    await expect(context.client.list(CONFIG_MAPS, { namespace, signal })).rejects.toThrow('no longer wanted');
  });
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function newNamespace(client: Client): Promise<string> {
  const made = await client.create(NAMESPACES, newNamespaceObject('contract-'));
  return made.metadata.name ?? '';
}

function newNamespaceObject(generateName: string): Namespace {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { generateName }, spec: {} };
}

function configMap(namespace: string, name: string, data?: Record<string, string>): ConfigMap {
  const metadata = { name, namespace };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...(data === undefined ? {} : { data }) };
}

function deployment(namespace: string, name: string): Deployment {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
    },
  };
}

function namesOf(objects: readonly KubeObject[]): string[] {
  return objects.map(({ metadata }) => metadata.name ?? '');
}

/** The Status that a request fails with. */
async function failure(request: Promise<unknown>): Promise<Status> {
  try {
    await request;
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  throw new Error('the request succeeded and should have failed');
}

interface RunningWatch extends AsyncDisposable {
  /** The next events, as many as asked for; rejects where the watch ends before. */
  take(count: number): Promise<WatchEvent<ConfigMap>[]>;
  isEnded(): boolean;
}

function startWatch(client: Client, options: Omit<WatchOptions, 'signal'>): RunningWatch {
  const stop = new AbortController();
  const { resourceVersion, ...rest } = options;
  const from = resourceVersion === undefined || resourceVersion === '' ? {} : { resourceVersion };
  const events = client.watch(CONFIG_MAPS, { ...rest, ...from, signal: stop.signal })[Symbol.asyncIterator]();
  // Starts the request now, and not when the first event is asked for.
  let next: Promise<IteratorResult<WatchEvent<ConfigMap>>> = events.next();
  next.catch(() => undefined);
  let isEnded = false;
  return {
    async take(count) {
      const taken: WatchEvent<ConfigMap>[] = [];
      while (taken.length < count) {
        const result = await next;
        if (result.done === true) throw new Error('the watch ended');
        taken.push(result.value);
        next = events.next();
        next.catch(() => undefined);
      }
      return taken;
    },
    isEnded: () => isEnded,
    async [Symbol.asyncDispose]() {
      stop.abort();
      isEnded = (await next.catch(() => ({ done: true as const, value: undefined }))).done === true;
    },
  };
}
