import { expect } from 'vitest';
import type { Api } from './api.ts';
import { eventually } from './eventually.ts';
import type { JsonObject, Kind } from './kinds.ts';

export interface CrudCase {
  readonly kind: Kind<JsonObject>;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  /** Everything but metadata. */
  readonly body: Readonly<Record<string, unknown>>;
  /** A body that differs where the kind allows it. */
  readonly changed?: Readonly<Record<string, unknown>>;
  /** A status that may be written through the subresource. */
  readonly status?: Readonly<Record<string, unknown>>;
  /** The status subresource of this kind leaves labels and annotations alone. */
  readonly statusKeepsMetadata?: boolean;
  readonly statusPatched?: Readonly<Record<string, unknown>>;
  readonly unique: (prefix: string) => string;
  /** Names that the kind accepts, where it is picky. */
  readonly names?: readonly [string, string, string];
}

/**
 * What the official "should support … API operations" tests do with every kind: it is in discovery; create, get, list,
 * watch, patch, update, status, delete and deletecollection work, and the watch tells of each step.
 */
export async function exerciseApiOperations(api: Api, init: CrudCase): Promise<void> {
  const { kind, namespace, body } = init;
  await expectInDiscovery(api, kind);
  const objects = api.of(kind, namespace);
  const names = init.names ?? [init.unique('e2e'), init.unique('e2e'), init.unique('e2e')];
  const label = init.unique('crud');
  const labelSelector = `special-label=${label}`;
  const objectOf = (name: string): JsonObject => ({ metadata: { name, labels: { 'special-label': label } }, ...body });

  const first = await objects.create(objectOf(names[0]), { fieldValidation: 'Strict' });
  for (const name of names.slice(1)) await objects.create(objectOf(name));
  const got = await objects.get(names[0]);
  expect(got.metadata?.uid).toBe(first.metadata?.uid);
  expect(got).toMatchObject(body);

  const list = await objects.list({ labelSelector });
  expect(list.items).toHaveLength(3);
  if (namespace !== undefined) expect((await api.of(kind).list({ labelSelector })).items).toHaveLength(3);
  const watch = await objects.watch({ labelSelector, resourceVersion: list.metadata.resourceVersion ?? '' });

  const patched = await objects.patch(names[0], { metadata: { annotations: { patched: 'true' } } });
  expect(patched.metadata?.annotations?.['patched']).toBe('true');
  const updated = await objects.change(names[0], (object) => {
    object.metadata = { ...object.metadata, annotations: { ...object.metadata?.annotations, updated: 'true' } };
    if (init.changed !== undefined) Object.assign(object, init.changed);
  });
  expect(updated.metadata?.annotations).toMatchObject({ patched: 'true', updated: 'true' });
  if (init.changed !== undefined) expect(updated).toMatchObject(init.changed);
  const applied = await objects.patch(
    names[0],
    { apiVersion: kind.groupVersion, kind: kind.kind, metadata: { name: names[0], labels: { applied: 'true' } } },
    { type: 'apply', query: { fieldManager: 'conformance', force: true } },
  );
  expect(applied.metadata?.labels).toMatchObject({ applied: 'true', 'special-label': label });
  const isUpdate = (annotation: string) =>
    watch.until(({ type, object }) => type === 'MODIFIED' && object.metadata?.annotations?.[annotation] === 'true');
  await isUpdate('patched');
  await isUpdate('updated');

  if (init.status !== undefined) await exerciseStatus(api, { ...init, status: init.status }, names[1]);

  await objects.delete(names[0]);
  // Some kinds are guarded by a finalizer that a controller takes away.
  await eventually(
    'the object is gone',
    () => objects.find(names[0]),
    (found) => found === undefined,
  );
  await watch.until(({ type, object }) => type === 'DELETED' && object.metadata?.name === names[0]);
  expect((await objects.list({ labelSelector })).items).toHaveLength(2);
  await objects.deleteAll({ labelSelector });
  await eventually(
    'the collection is gone',
    () => objects.list({ labelSelector }),
    ({ items }) => items.length === 0,
  );
}

async function exerciseStatus(
  api: Api,
  init: CrudCase & { readonly status: Readonly<Record<string, unknown>> },
  name: string,
): Promise<void> {
  const objects = api.of(init.kind, init.namespace);
  expect((await objects.get(name, 'status')).metadata?.name).toBe(name);
  const patched = await objects.patch(
    name,
    { metadata: { annotations: { patchedstatus: 'true' } }, status: init.status },
    { subresource: 'status' },
  );
  expect(patched['status']).toMatchObject(init.status);
  expect(patched.metadata?.annotations?.['patchedstatus']).toBe(init.statusKeepsMetadata === true ? undefined : 'true');
  const wanted = init.statusPatched ?? init.status;
  const updated = await objects.change(
    name,
    (object) => {
      object['status'] = wanted;
    },
    'status',
  );
  expect(updated['status']).toMatchObject(wanted);
}

export async function expectInDiscovery(api: Api, kind: Kind<JsonObject>): Promise<void> {
  const [group = '', version = ''] = kind.groupVersion.split('/');
  if (version === '') return expectResource(api, `/api/${group}`, kind);
  const { groups } = await api.call<{ groups: { name: string; versions: { version: string }[] }[] }>('GET', '/apis');
  const found = groups.find(({ name }) => name === group);
  expect(
    found?.versions.map((entry) => entry.version),
    group,
  ).toContain(version);
  await expectResource(api, `/apis/${kind.groupVersion}`, kind);
}

async function expectResource(api: Api, path: string, kind: Kind<JsonObject>): Promise<void> {
  const { resources } = await api.call<{ resources: { name: string; kind: string }[] }>('GET', path);
  expect(resources).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: kind.resource, kind: kind.kind })]),
  );
}
