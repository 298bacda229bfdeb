import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allResources } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { deepCopy } from '#machinery/codec/deep.ts';
import { columnsOfKinds } from './columns-of-kinds.ts';
import type { Fixture } from './fixture.ts';
import { coreFixtures } from './fixtures-core.ts';
import { extensionFixtures } from './fixtures-extension.ts';
import { otherFixtures } from './fixtures-other.ts';
import { type Answer, PROTOBUF, Requests } from './requests.ts';

const fixtures: Readonly<Record<string, Fixture>> = { ...coreFixtures, ...extensionFixtures, ...otherFixtures };

/** Services, nodes and their like are made up elsewhere; these are only created, or only read. */
const stored = allResources().filter(({ verbs }) => verbs.includes('create') && verbs.includes('watch'));

/** Resources whose updates must name the version that they replace. */
const alwaysFromAVersion: ReadonlySet<string> = new Set([
  'apiservices',
  'clustertrustbundles',
  'csidrivers',
  'csinodes',
  'csistoragecapacities',
  'customresourcedefinitions',
  'leasecandidates',
  'leases',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'mutatingwebhookconfigurations',
  'podcertificaterequests',
  'poddisruptionbudgets',
  'runtimeclasses',
  'storageversions',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'validatingwebhookconfigurations',
  'volumeattachments',
]);

interface Subject {
  readonly path: string;
  readonly definition: ResourceDefinition;
  readonly fixture: Fixture;
}

const keyOf = ({ group, version, resource }: ResourceDefinition) => `${group}/${version}/${resource}`;

const subjects = stored.map((definition): [string, Subject] => {
  const { group, version, resource, namespaced } = definition;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const path = `${root}${namespaced ? '/namespaces/default' : ''}/${resource}`;
  const fixture = fixtures[keyOf(definition)];
  return [keyOf(definition), { path, definition, fixture: fixture ?? { body: {} } }];
});

function objectOf({ definition, fixture }: Subject, which: 'first' | 'second'): Answer['body'] {
  const { group, version, kind, namespaced } = definition;
  const name = which === 'first' ? (fixture.name ?? 'one') : (fixture.second ?? 'two');
  const body = which === 'second' ? (fixture.secondBody ?? fixture.body) : fixture.body;
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    metadata: { name, ...(namespaced ? { namespace: 'default' } : {}), labels: { kinds: which } },
    ...deepCopy(body),
  };
}

let cluster: Cluster;
let requests: Requests;
const ask: Requests['ask'] = (...given) => requests.ask(...given);

beforeAll(async () => {
  cluster = await createCluster({
    nodes: 0,
    controllers: [],
    scheduler: false,
    runtimeConfig: { 'api/all': 'true' },
    featureGates: { AllAlpha: true, AllBeta: true },
  });
  requests = await Requests.of(cluster);
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await ask('POST', '/api/v1/namespaces/default/serviceaccounts', account);
});
afterAll(() => cluster.stop());

test('every kind has a sample', () => {
  expect(subjects.filter(([key]) => fixtures[key] === undefined).map(([key]) => key)).toEqual([]);
});

const MERGE = { type: 'application/merge-patch+json' };
const generationOf = ({ body }: Answer) => body.metadata['generation'];

describe.each(subjects)('%s', (_key, subject) => {
  const { path, definition, fixture } = subject;
  const name = fixture.name ?? 'one';
  const one = `${path}/${name}`;
  const qualified = definition.group === '' ? definition.resource : `${definition.resource}.${definition.group}`;
  let created: Answer;

  test('is created, after a dry run that leaves nothing', async () => {
    const dry = await ask('POST', `${path}?dryRun=All`, objectOf(subject, 'first'));
    expect([dry.code, dry.message]).toEqual([201, '']);
    expect(dry.body.metadata['resourceVersion']).toBeUndefined();
    expect(await ask('GET', one)).toMatchObject({ code: 404, message: `${qualified} "${name}" not found` });
    created = await ask('POST', `${path}?fieldValidation=Strict&fieldManager=me`, objectOf(subject, 'first'));
    expect([created.code, created.message]).toEqual([201, '']);
    expect(created.body).toMatchObject({
      kind: definition.kind,
      metadata: {
        name,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        managedFields: [{ manager: 'me', operation: 'Update', fieldsType: 'FieldsV1' }],
      },
    });
    const counts = fixture.change !== undefined || fixture.isFixed === true;
    expect(generationOf(created)).toBe(counts ? 1 : undefined);
    await cluster.settle();
    const answered = created.body;
    created = await ask('GET', one);
    // Some kinds have a status from the server itself a moment later.
    expect({ ...created.body, metadata: {}, status: {} }).toEqual({ ...answered, metadata: {}, status: {} });
    const again = await ask('POST', path, objectOf(subject, 'first'));
    expect(again).toMatchObject({ code: 409, message: `${qualified} "${name}" already exists` });
  });

  test('reads as JSON and protobuf alike, alone and in lists', async () => {
    const { body, warnings } = await ask('GET', one);
    expect(body).toEqual(created.body);
    const { deprecationWarning } = definition;
    expect(warnings).toBe(deprecationWarning === undefined ? '' : `299 - "${deprecationWarning}"`);
    expect((await ask('GET', one, undefined, { accept: PROTOBUF })).body).toEqual(body);
    for (const query of ['labelSelector=kinds%3Dfirst', `fieldSelector=metadata.name%3D${name}`]) {
      const list = await ask('GET', `${path}?${query}`);
      expect(list.body).toMatchObject({ kind: definition.listKind });
      expect(list.body.items?.map(({ metadata }) => metadata['uid'])).toEqual([body.metadata['uid']]);
    }
    const none = await ask('GET', `${path}?labelSelector=kinds%20notin%20(first),kinds`);
    expect(none.body.items).toEqual([]);
    const wrong = await ask('GET', `${path}?fieldSelector=spec.bogus%3Dx`);
    expect(wrong).toMatchObject({ code: 400 });
    expect([
      'field label not supported: spec.bogus',
      'field label "spec.bogus" not supported for batchv1.Job',
      `field label not supported for ${definition.group}/${definition.version}, Kind=ResourceSlice: spec.bogus`,
      '"spec.bogus" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ]).toContain(wrong.message);
  });

  test('has its columns', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const { body } = await ask('GET', one, undefined, { accept });
    expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    // Safe: a table has definitions of columns.
    const shown = body['columnDefinitions'] as { name: string; type: string; format: string; priority: number }[];
    const texts = shown.map(({ name: title, type, format, priority }) => {
      return `${priority > 0 ? '+' : ''}${title}: ${type}${format === '' ? '' : `/${format}`}`;
    });
    expect(texts).toEqual(columnsOfKinds[keyOf(definition)]);
    // Safe: a table has rows of cells.
    const [row] = body['rows'] as { cells: unknown[] }[];
    expect(row?.cells).toHaveLength(shown.length);
    const at = shown.findIndex((column) => column.name === 'Name');
    expect(row?.cells[at]).toBe(name);
  });

  test('metadata changes by every kind of patch, and leaves the generation alone', async () => {
    const before = generationOf(created);
    const merge = await ask('PATCH', one, { metadata: { labels: { merge: 'a' } } }, MERGE);
    expect([merge.code, merge.message]).toEqual([200, '']);
    const json = await ask('PATCH', one, [{ op: 'add', path: '/metadata/labels/json', value: 'b' }], {
      type: 'application/json-patch+json',
    });
    expect([json.code, json.message]).toEqual([200, '']);
    const strategic = await ask(
      'PATCH',
      one,
      { metadata: { labels: { strategic: 'c' } } },
      {
        type: 'application/strategic-merge-patch+json',
      },
    );
    expect([strategic.code, strategic.message]).toEqual([200, '']);
    const { apiVersion, kind } = created.body;
    const apply = await ask(
      'PATCH',
      `${one}?fieldManager=applier`,
      { apiVersion, kind, metadata: { name, labels: { applied: 'd' } } },
      { type: 'application/apply-patch+yaml' },
    );
    expect([apply.code, apply.message]).toEqual([200, '']);
    expect(apply.body.metadata['labels']).toMatchObject({ merge: 'a', json: 'b', strategic: 'c', applied: 'd' });
    expect(apply.body.metadata['managedFields']).toContainEqual(
      expect.objectContaining({ manager: 'applier', operation: 'Apply' }),
    );
    expect(generationOf(apply)).toBe(before);
  });

  test('a changed spec raises the generation, where there is one', async () => {
    if (fixture.change === undefined) return;
    const before = Number(generationOf(await ask('GET', one)));
    const changed = await ask('PATCH', one, fixture.change, { type: fixture.changeType ?? MERGE.type });
    expect([changed.code, changed.message]).toEqual([200, '']);
    expect(generationOf(changed)).toBe(before + 1);
    const same = await ask('PATCH', one, fixture.change, { type: fixture.changeType ?? MERGE.type });
    expect([generationOf(same), same.body.metadata['resourceVersion']]).toEqual([
      before + 1,
      changed.body.metadata['resourceVersion'],
    ]);
  });

  test('is replaced only from its newest state', async () => {
    await cluster.settle();
    const { body } = await ask('GET', one);
    const relabelled = { ...body, metadata: { ...body.metadata, labels: { kinds: 'first', put: 'e' } } };
    const put = await ask('PUT', one, relabelled);
    expect([put.code, put.message]).toEqual([200, '']);
    expect(put.body.metadata['labels']).toMatchObject({ kinds: 'first', put: 'e' });
    expect(put.body.metadata['labels']).not.toHaveProperty('merge');
    const { resourceVersion: _resourceVersion, ...anyVersion } = put.body.metadata;
    const unconditional = await ask('PUT', `${one}?dryRun=All`, { ...put.body, metadata: anyVersion });
    expect([unconditional.code, unconditional.message]).toEqual(
      alwaysFromAVersion.has(definition.resource)
        ? [
            422,
            `${qualified} "${name}" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update`,
          ]
        : [200, ''],
    );
    const { labels: _labels, ...metadata } = body.metadata;
    expect(await ask('PUT', one, { ...body, metadata })).toMatchObject({
      code: 409,
      message: `Operation cannot be fulfilled on ${qualified} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    });
    const foreign = { ...put.body, metadata: { ...put.body.metadata, uid: '00000000-0000-0000-0000-000000000000' } };
    expect((await ask('PUT', one, foreign)).code).toBe(409);
    const misnamed = { ...put.body, metadata: { ...put.body.metadata, name: 'x.y' } };
    expect(await ask('PUT', one, misnamed)).toMatchObject({
      code: 400,
      message: `the name of the object (x.y) does not match the name on the URL (${name})`,
    });
  });

  test('has a status of its own, where it has one', async () => {
    const hasStatus = definition.subresources.some((sub) => sub.name === 'status');
    const read = await ask('GET', `${one}/status`);
    expect(read.code).toBe(hasStatus ? 200 : 404);
    if (!hasStatus) return;
    const body = { metadata: { annotations: { 'example.com/a': 'b' } } };
    const patched = await ask('PATCH', `${one}/status`, body, MERGE);
    expect([patched.code, patched.message]).toEqual([200, '']);
    expect(generationOf(patched)).toBe(generationOf(read));
  });

  test('is written in protobuf, and watched', async () => {
    const { body: list } = await ask('GET', path);
    const made = await ask('POST', path, objectOf(subject, 'second'), { type: PROTOBUF, accept: PROTOBUF });
    expect([made.code, made.message]).toEqual([201, '']);
    const ofFirst = Object.keys(created.body).filter((field) => field !== 'status');
    expect(Object.keys(made.body).filter((field) => field !== 'status')).toEqual(expect.arrayContaining(ofFirst));
    const second = fixture.second ?? 'two';
    const dry = await ask('DELETE', `${path}/${second}?dryRun=All`);
    expect(dry.code).toBe(200);
    expect((await ask('GET', `${path}/${second}`)).code).toBe(200);
    const controller = new AbortController();
    const watch = cluster.client.watch(definition, {
      resourceVersion: String(list.metadata['resourceVersion']),
      labelSelector: 'kinds=second',
      signal: controller.signal,
    });
    const wrong = { preconditions: { uid: 'x' } };
    expect((await ask('DELETE', `${path}/${second}`, wrong)).code).toBe(409);
    const gone = await ask('DELETE', `${path}/${second}`, { gracePeriodSeconds: 0 });
    expect([gone.code, gone.message]).toEqual([200, '']);
    if (qualified === 'namespaces') return;
    await ask('PATCH', `${path}/${second}`, { metadata: { finalizers: null } }, MERGE);
    const types: string[] = [];
    for await (const { type } of watch) {
      types.push(type);
      if (type === 'DELETED') break;
    }
    controller.abort();
    expect([types[0], types.at(-1)]).toEqual(['ADDED', 'DELETED']);
  });

  test('goes with its collection', async () => {
    if (!definition.verbs.includes('deletecollection')) return;
    const gone = await ask('DELETE', `${path}?labelSelector=kinds%3Dfirst`, { gracePeriodSeconds: 0 });
    expect([gone.code, gone.message]).toEqual([200, '']);
    const left = await ask('PATCH', one, { metadata: { finalizers: null } }, MERGE);
    if (left.code !== 404) await cluster.settle();
    expect((await ask('GET', one)).code).toBe(404);
  });
});
