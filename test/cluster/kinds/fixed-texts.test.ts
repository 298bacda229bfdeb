import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { Requests } from './requests.ts';

let cluster: Cluster;
let requests: Requests;
const ask: Requests['ask'] = (...given) => requests.ask(...given);

beforeAll(async () => {
  cluster = await createCluster({ nodes: 0, controllers: [], scheduler: false });
  requests = await Requests.of(cluster);
});
afterAll(() => cluster.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = { type: 'application/merge-patch+json' };
const map = (metadata: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata });

describe('what is not there', () => {
  test.each(['PUT', 'PATCH', 'DELETE', 'GET'])('%s of a missing object', async (method) => {
    const body = method === 'GET' ? undefined : map({ name: 'missing' });
    const answer = await ask(
      method,
      `${MAPS}/missing`,
      method === 'DELETE' ? {} : body,
      method === 'PATCH' ? MERGE : {},
    );
    expect(answer).toMatchObject({
      code: 404,
      message: 'configmaps "missing" not found',
      body: { reason: 'NotFound', details: { name: 'missing', kind: 'configmaps' } },
    });
  });

  test('PUT creates a Lease and an Endpoints, and nothing that must be created by POST', async () => {
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'put' }, spec: {} };
    expect((await ask('PUT', '/apis/coordination.k8s.io/v1/namespaces/default/leases/put', lease)).code).toBe(201);
    const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'put' } };
    expect((await ask('PUT', '/api/v1/namespaces/default/endpoints/put', endpoints)).code).toBe(201);
  });

  test('a namespace that is not there', async () => {
    const answer = await ask('POST', '/api/v1/namespaces/nowhere/configmaps', map({ name: 'a' }));
    expect(answer).toMatchObject({ code: 404, message: 'namespaces "nowhere" not found' });
  });
});

describe('names', () => {
  test.each([
    [
      'none at all',
      map({}),
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
      422,
    ],
    [
      'a wrong one',
      map({ name: 'A_b' }),
      "ConfigMap \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      422,
    ],
    [
      'one that is too long',
      map({ name: 'a'.repeat(254) }),
      `ConfigMap "${'a'.repeat(254)}" is invalid: metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 characters`,
      422,
    ],
    [
      'another namespace',
      map({ name: 'a', namespace: 'kube-system' }),
      'the namespace of the provided object does not match the namespace sent on the request',
      400,
    ],
    [
      'a version before there is one',
      map({ name: 'a', resourceVersion: '7' }),
      'resourceVersion should not be set on objects to be created',
      400,
    ],
  ])('%s', async (_name, body, message, code) => {
    const answer = await ask('POST', MAPS, body);
    expect([answer.message, answer.code]).toEqual([message, code]);
  });

  test('a generated name keeps its base, cut to a label', async () => {
    const { body } = await ask('POST', MAPS, map({ generateName: 'x'.repeat(70) }));
    expect(body.metadata['name']).toMatch(/^x{58}[a-z0-9]{5}$/);
    expect(body.metadata['generateName']).toBe('x'.repeat(70));
  });

  test('cluster-scoped objects have no namespace', async () => {
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', namespace: 'default' } };
    const answer = await ask('POST', '/api/v1/nodes', body);
    expect([answer.code, answer.body.metadata['namespace']]).toEqual([201, undefined]);
  });
});

describe('owners and finalizers', () => {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' };
  test.each([
    [
      'two controllers',
      {
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, uid: 'v', controller: true },
        ],
      },
      'Only one reference can have Controller set to true. Found "true" in references for ConfigMap/o and ConfigMap/o',
    ],
    [
      'no uid',
      { ownerReferences: [{ ...owner, uid: '' }] },
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ],
    ['an event as owner', { ownerReferences: [{ ...owner, kind: 'Event' }] }, 'is disallowed from being an owner'],
    [
      'a finalizer without a domain',
      { finalizers: ['mine'] },
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
    [
      'both ways of deletion',
      { finalizers: ['orphan', 'foregroundDeletion'] },
      'finalizer orphan and foregroundDeletion cannot be both set',
    ],
  ])('%s', async (_name, metadata, message) => {
    const answer = await ask('POST', MAPS, map({ name: 'owned', ...metadata }));
    expect(answer.code).toBe(422);
    expect(answer.message).toContain(message);
  });

  test('nothing may hold what is already going', async () => {
    await ask('POST', MAPS, map({ name: 'going', finalizers: ['example.com/one'] }));
    const going = await ask('DELETE', `${MAPS}/going`);
    expect(going.body.metadata['deletionTimestamp']).toEqual(expect.any(String));
    const more = { metadata: { finalizers: ['example.com/one', 'example.com/two'] } };
    expect(await ask('PATCH', `${MAPS}/going`, more, MERGE)).toMatchObject({
      code: 422,
      message:
        'ConfigMap "going" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/two"}',
    });
    await ask('PATCH', `${MAPS}/going`, { metadata: { finalizers: null } }, MERGE);
    expect((await ask('GET', `${MAPS}/going`)).code).toBe(404);
  });
});

describe('deletion', () => {
  test('preconditions', async () => {
    const { body } = await ask('POST', MAPS, map({ name: 'kept' }));
    const uid = String(body.metadata['uid']);
    expect(await ask('DELETE', `${MAPS}/kept`, { preconditions: { uid: 'other' } })).toMatchObject({
      code: 409,
      message: `Operation cannot be fulfilled on ConfigMap "kept": the UID in the precondition (other) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    });
    const resourceVersion = String(body.metadata['resourceVersion']);
    expect(await ask('DELETE', `${MAPS}/kept`, { preconditions: { resourceVersion: '1' } })).toMatchObject({
      code: 409,
      message: `Operation cannot be fulfilled on ConfigMap "kept": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    });
    expect((await ask('DELETE', `${MAPS}/kept`, { preconditions: { uid, resourceVersion } })).code).toBe(200);
  });

  test('a policy and orphanDependents together, and a policy that does not exist', async () => {
    await ask('POST', MAPS, map({ name: 'kept' }));
    const both = await ask('DELETE', `${MAPS}/kept`, { propagationPolicy: 'Background', orphanDependents: true });
    expect([both.code, both.message]).toEqual([
      422,
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Background": orphanDependents and deletionPropagation cannot be both set',
    ]);
    const unknown = await ask('DELETE', `${MAPS}/kept`, { propagationPolicy: 'Sideways' });
    expect([unknown.code, unknown.message]).toEqual([
      422,
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"',
    ]);
  });
});

test('nothing new comes into a namespace that is being deleted', async () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ending' } };
  await ask('POST', '/api/v1/namespaces', namespace);
  const { body } = await ask('DELETE', '/api/v1/namespaces/ending');
  expect(body['status']).toMatchObject({ phase: 'Terminating' });
  expect(await ask('POST', '/api/v1/namespaces/ending/configmaps', map({ name: 'late' }))).toMatchObject({
    code: 403,
    message:
      'configmaps "late" is forbidden: unable to create new content in namespace ending because it is being terminated',
    body: {
      reason: 'Forbidden',
      details: {
        name: 'late',
        kind: 'configmaps',
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: 'namespace ending is being terminated',
            field: 'metadata.namespace',
          },
        ],
      },
    },
  });
});
