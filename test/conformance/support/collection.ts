import type { Api, RequestInit } from './api.ts';
import type { Kind, KubeList, KubeObject } from './kinds.ts';
import type { Watch } from './watch.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface ListQuery {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** The objects of one kind in one place, as the verbs that Kubernetes has for them. */
export interface Collection<T extends KubeObject> {
  path(name?: string, subresource?: string): string;
  create(object: T, query?: RequestInit['query']): Promise<T>;
  get(name: string, subresource?: string): Promise<T>;
  /** The object, or nothing where the server has none. */
  find(name: string): Promise<T | undefined>;
  list(query?: ListQuery): Promise<KubeList<T>>;
  update(object: T, subresource?: string): Promise<T>;
  patch(
    name: string,
    body: unknown,
    options?: { type?: PatchType; subresource?: string; query?: RequestInit['query'] },
  ): Promise<T>;
  /** Reads, changes and writes; again where somebody else was faster. */
  change(name: string, change: (object: T) => void, subresource?: string): Promise<T>;
  delete(name: string, options?: DeleteOptions): Promise<void>;
  deleteAll(query?: ListQuery, options?: DeleteOptions): Promise<void>;
  watch(query?: ListQuery): Promise<Watch<T>>;
}

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const CHANGE_TRIES_MAX = 20;

export function collectionOf<T extends KubeObject>(api: Api, kind: Kind<T>, namespace?: string): Collection<T> {
  const root = kind.groupVersion.includes('/') ? `/apis/${kind.groupVersion}` : `/api/${kind.groupVersion}`;
  const place = namespace === undefined ? '' : `/namespaces/${namespace}`;
  const path = (name?: string, subresource?: string) =>
    [`${root}${place}/${kind.resource}`, name, subresource].filter((part) => part !== undefined).join('/');
  const complete = (object: T): T => ({ apiVersion: kind.groupVersion, kind: kind.kind, ...object });
  const nameOf = (object: T) => object.metadata?.name ?? '';
  const options = (body: DeleteOptions | undefined) =>
    body === undefined ? {} : { body: { apiVersion: 'v1', kind: 'DeleteOptions', ...body } };
  const collection: Collection<T> = {
    path,
    create: (object, query) =>
      api.call('POST', path(), { body: complete(object), ...(query === undefined ? {} : { query }) }),
    get: (name, subresource) => api.call('GET', path(name, subresource)),
    find: async (name) => {
      const answer = await api.raw<T>('GET', path(name));
      if (answer.code === 404) return undefined;
      if (answer.code !== 200) throw new Error(`GET ${path(name)}: ${answer.code} ${answer.text}`);
      return answer.body;
    },
    list: (query) => api.call('GET', path(), { query: { ...query } }),
    update: (object, subresource) => api.call('PUT', path(nameOf(object), subresource), { body: complete(object) }),
    patch: (name, body, { type = 'merge', subresource, query } = {}) =>
      api.call('PATCH', path(name, subresource), {
        body,
        contentType: PATCH_TYPES[type],
        ...(query === undefined ? {} : { query }),
      }),
    change: async (name, change, subresource) => {
      for (let tries = 1; ; tries += 1) {
        const object = await collection.get(name);
        change(object);
        const answer = await api.raw<T>('PUT', path(name, subresource), { body: complete(object) });
        if (answer.code < 400) return answer.body;
        if (answer.code !== 409 || tries === CHANGE_TRIES_MAX) {
          throw new Error(`PUT ${path(name, subresource)}: ${answer.code} ${answer.text}`);
        }
      }
    },
    delete: async (name, body) => {
      await api.call('DELETE', path(name), options(body));
    },
    deleteAll: async (query, body) => {
      await api.call('DELETE', path(), { query: { ...query }, ...options(body) });
    },
    watch: (query) => api.watch<T>(path(), { ...query }),
  };
  return collection;
}
