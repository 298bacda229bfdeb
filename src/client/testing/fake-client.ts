import { deepCopy } from '#machinery/codec/deep.ts';
import {
  alreadyExists,
  conflict,
  notFound,
  OPTIMISTIC_LOCK_DETAIL,
  resourceExpired,
} from '#machinery/errors/status-error.ts';
import { type KubeObject, objectKey, type ObjectList } from '#machinery/meta/types.ts';
import type { Client, ListOptions, ObjectName, Patch, RawResponse, ResourceType, WatchEvent } from '../client.ts';

interface Watcher {
  readonly resource: string;
  readonly events: WatchEvent[];
  wake: () => void;
  isEnded: boolean;
  error: Error | undefined;
}

/** One request as a test sees it. */
export interface FakeRequest {
  readonly verb: string;
  readonly resource: string;
  readonly name: string;
  readonly options: unknown;
}

/**
 * A server of the simplest kind, for the tests of this room: objects by resource and key, resource versions, watches
 * that resume, merge patches. Tests make it fail, drop watches and forget history. No selectors, no validation.
 */
export class FakeClient implements Client {
  readonly requests: FakeRequest[] = [];
  /** Called before each request; what it throws is the answer. */
  onRequest: (request: FakeRequest) => void = () => undefined;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #history: { version: number; resource: string; event: WatchEvent }[] = [];
  #version = 0;

  async get<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName): Promise<T> {
    this.#begin('get', resource, name.name);
    return this.#find(resource, name);
  }

  async list<T extends KubeObject>(resource: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    this.#begin('list', resource, '', options);
    const prefix = `${resource.resource}/`;
    const all = [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object);
    const start = Number(options.continue ?? 0);
    const end = options.limit === undefined ? all.length : start + options.limit;
    return {
      apiVersion: 'v1',
      kind: `${resource.kind}List`,
      metadata: { resourceVersion: String(this.#version), ...(end < all.length ? { continue: String(end) } : {}) },
      // Safe: only objects of this resource are stored under its prefix.
      items: all.slice(start, end) as T[],
    };
  }

  async create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    const name = object.metadata.name ?? '';
    this.#begin('create', resource, name, object);
    if (this.#objects.has(keyOf(resource, object.metadata))) throw alreadyExists({ ...resource, name });
    return this.#write(resource, object, 'ADDED');
  }

  async update<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    const name = object.metadata.name ?? '';
    this.#begin('update', resource, name, object);
    const current = this.#find(resource, { ...object.metadata, name });
    const { resourceVersion } = object.metadata;
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      throw conflict({ ...resource, name }, OPTIMISTIC_LOCK_DETAIL);
    }
    return this.#write(resource, object, 'MODIFIED');
  }

  async patch<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName, patch: Patch): Promise<T> {
    this.#begin('patch', resource, name.name, patch);
    const current = this.#find(resource, name);
    const body = 'body' in patch ? patch.body : {};
    // Safe: the tests patch top-level fields with values of their types.
    const next = { ...current, ...(body as Partial<T>), metadata: current.metadata };
    return this.#write(resource, next, 'MODIFIED');
  }

  async delete<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName): Promise<T> {
    this.#begin('delete', resource, name.name);
    const current = this.#find(resource, name);
    this.#objects.delete(keyOf(resource, name));
    this.#publish(resource, { type: 'DELETED', object: this.#stamp(current) });
    return current;
  }

  async deleteCollection(resource: ResourceType): Promise<void> {
    for (const { metadata } of (await this.list(resource)).items) {
      const { name = '', namespace } = metadata;
      await this.delete(resource, namespace === undefined ? { name } : { name, namespace });
    }
  }

  async *watch<T extends KubeObject>(
    resource: ResourceType<T>,
    options: { resourceVersion?: string; signal: AbortSignal },
  ): AsyncIterable<WatchEvent<T>> {
    this.#begin('watch', resource, '', options);
    const from = Number(options.resourceVersion ?? 0);
    if (from < (this.#history[0]?.version ?? 1) - 1) throw resourceExpired('too old resource version');
    const past = this.#history.filter((entry) => entry.version > from && entry.resource === resource.resource);
    const events = past.map(({ event }) => event);
    const watcher: Watcher = {
      resource: resource.resource,
      events,
      wake: () => undefined,
      isEnded: options.signal.aborted,
      error: undefined,
    };
    const onAbort = () => end(watcher);
    options.signal.addEventListener('abort', onAbort);
    this.#watchers.add(watcher);
    try {
      for (;;) {
        const event = watcher.events.shift();
        // Safe: only events of this resource come to this watcher.
        if (event !== undefined) yield event as WatchEvent<T>;
        else if (watcher.error !== undefined) throw watcher.error;
        else if (watcher.isEnded) return;
        else await new Promise<void>((resolve) => (watcher.wake = resolve));
      }
    } finally {
      options.signal.removeEventListener('abort', onAbort);
      this.#watchers.delete(watcher);
    }
  }

  async createSubresource<T extends KubeObject>(): Promise<T> {
    throw new Error('the fake client has no subresources');
  }

  async raw(): Promise<RawResponse> {
    throw new Error('the fake client has no raw paths');
  }

  async close(): Promise<void> {
    this.endWatches();
  }

  /** Ends every watch, with an error where one is given. */
  endWatches(error?: Error): void {
    for (const watcher of this.#watchers) end(watcher, error);
  }

  /** Sends a bookmark to every watcher. */
  bookmark(): void {
    this.#version++;
    const object = { apiVersion: 'v1', kind: 'Bookmark', metadata: { resourceVersion: String(this.#version) } };
    for (const watcher of this.#watchers) {
      watcher.events.push({ type: 'BOOKMARK', object });
      watcher.wake();
    }
  }

  /** Forgets past events, so that watches from before now get 410. */
  forgetHistory(): void {
    this.#version++;
    this.#history = [];
    this.#history.push({
      version: this.#version + 1,
      resource: '',
      event: { type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'None', metadata: {} } },
    });
    this.#version++;
  }

  get watchCount(): number {
    return this.#watchers.size;
  }

  #begin(verb: string, resource: ResourceType, name: string, options?: unknown): void {
    const request = { verb, resource: resource.resource, name, options };
    this.requests.push(request);
    this.onRequest(request);
  }

  #find<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName): T {
    const object = this.#objects.get(keyOf(resource, name));
    if (object === undefined) throw notFound({ ...resource, name: name.name });
    // Safe: only objects of this resource are stored under its prefix.
    return object as T;
  }

  #write<T extends KubeObject>(resource: ResourceType<T>, object: T, type: 'ADDED' | 'MODIFIED'): T {
    const stored = this.#stamp(object);
    this.#objects.set(keyOf(resource, object.metadata), stored);
    this.#publish(resource, { type, object: stored });
    return stored;
  }

  #stamp<T extends KubeObject>(object: T): T {
    const copy = deepCopy(object);
    return { ...copy, metadata: { ...copy.metadata, resourceVersion: String(++this.#version) } };
  }

  #publish(resource: ResourceType, event: WatchEvent): void {
    this.#history.push({ version: this.#version, resource: resource.resource, event });
    for (const watcher of this.#watchers) {
      if (watcher.resource !== resource.resource) continue;
      watcher.events.push(event);
      watcher.wake();
    }
  }
}

function end(watcher: Watcher, error?: Error): void {
  watcher.isEnded = true;
  watcher.error = error;
  watcher.wake();
}

function keyOf(resource: ResourceType, metadata: { name?: string; namespace?: string }): string {
  return `${resource.resource}/${objectKey({ metadata })}`;
}
