import type {
  Client,
  DeleteOptions,
  ListOptions,
  ObjectName,
  Patch,
  RawResponse,
  ResourceType,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#client/client.ts';
import { type Clock, formatTime } from '#machinery/clock/clock.ts';
import { alreadyExists, conflict, notFound, OPTIMISTIC_LOCK_DETAIL } from '#machinery/errors/status-error.ts';
import type { KubeObject, ObjectList } from '#machinery/meta/types.ts';

interface Watcher {
  readonly resource: string;
  readonly options: ListOptions;
  readonly backlog: WatchEvent[];
  wake: () => void;
}

/**
 * As much of an API server as a kubelet notices: uids and versions, watches with the two field selectors that it uses,
 * status patches, and pods that are deleted gracefully.
 */
export class FakeApi implements Client {
  readonly writes: { verb: string; resource: string; name: string; body: unknown }[] = [];
  /** Answers `createSubresource`, such as token requests. */
  onSubresource: (name: ObjectName, subresource: string, body: KubeObject) => KubeObject = () => {
    throw new Error('unexpected subresource');
  };
  readonly #clock: Clock;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #version = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName): Promise<T> {
    return this.#find(resource, name);
  }

  /** What is stored now, without waiting; undefined where nothing is. */
  peek<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName): T | undefined {
    // Safe: the key starts with the resource.
    return this.#objects.get(keyOf(resource, name)) as T | undefined;
  }

  async list<T extends KubeObject>(resource: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const all = [...this.#objects].filter(([key]) => key.startsWith(`${resource.resource}/`)).map(([, one]) => one);
    const items = all.filter((one) => isSelected(one, options));
    return {
      apiVersion: 'v1',
      kind: `${resource.kind}List`,
      metadata: { resourceVersion: String(this.#version) },
      // Safe: as above.
      items: structuredClone(items) as T[],
    };
  }

  async create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    const name = object.metadata.name ?? '';
    const key = keyOf(resource, object.metadata);
    if (this.#objects.has(key)) throw alreadyExists({ ...resource, name });
    const made = structuredClone(object);
    made.metadata.uid ??= `uid-${name}`;
    made.metadata.creationTimestamp ??= formatTime(this.#clock.now());
    this.writes.push({ verb: 'create', resource: resource.resource, name, body: object });
    return this.#store(resource, made, 'ADDED');
  }

  async update<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    const name = object.metadata.name ?? '';
    const current = this.#find(resource, { ...object.metadata, name });
    if (object.metadata.resourceVersion !== current.metadata.resourceVersion) {
      throw conflict({ ...resource, name }, OPTIMISTIC_LOCK_DETAIL);
    }
    this.writes.push({ verb: 'update', resource: resource.resource, name, body: object });
    return this.#store(resource, structuredClone(object), 'MODIFIED');
  }

  async patch<T extends KubeObject>(
    resource: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const current = this.#find(resource, name);
    const body = patch.type === 'json' ? {} : patch.body;
    this.writes.push({
      verb: `patch ${options.subresource ?? ''}`.trim(),
      resource: resource.resource,
      name: name.name,
      body,
    });
    const uid: unknown = Reflect.get(Reflect.get(Object(body), 'metadata') ?? {}, 'uid');
    if (uid !== undefined && uid !== current.metadata.uid)
      throw conflict({ ...resource, name: name.name }, 'uid mismatch');
    // Safe: merging keeps the object's shape.
    return this.#store(resource, merge(current, body) as T, 'MODIFIED');
  }

  async delete<T extends KubeObject>(
    resource: ResourceType<T>,
    name: ObjectName,
    options: DeleteOptions = {},
  ): Promise<T> {
    const current = structuredClone(this.#find(resource, name));
    const uid = options.preconditions?.uid;
    if (uid !== undefined && uid !== current.metadata.uid)
      throw conflict({ ...resource, name: name.name }, 'uid mismatch');
    this.writes.push({ verb: 'delete', resource: resource.resource, name: name.name, body: options });
    const grace = options.gracePeriodSeconds ?? terminationGrace(current);
    if (resource.resource === 'pods' && grace > 0) {
      current.metadata.deletionTimestamp = formatTime(this.#clock.now() + grace * 1000);
      current.metadata.deletionGracePeriodSeconds = grace;
      return this.#store(resource, current, 'MODIFIED');
    }
    this.#objects.delete(keyOf(resource, name));
    this.#version += 1;
    this.#announce(resource, { type: 'DELETED', object: current });
    return current;
  }

  async deleteCollection(): Promise<void> {
    throw new Error('not in this fake');
  }

  async *watch<T extends KubeObject>(resource: ResourceType<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const watcher: Watcher = { resource: resource.resource, options, backlog: [], wake: () => undefined };
    this.#watchers.add(watcher);
    options.signal.addEventListener('abort', () => watcher.wake());
    try {
      while (!options.signal.aborted) {
        const event = watcher.backlog.shift();
        if (event === undefined) {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
        } else {
          // Safe: only events of this resource are put there.
          yield event as WatchEvent<T>;
        }
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  async createSubresource<T extends KubeObject>(
    _resource: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubeObject,
  ): Promise<T> {
    // Safe: the test answers with the kind that it asks for.
    return this.onSubresource(name, subresource, body) as T;
  }

  async raw(): Promise<RawResponse> {
    throw new Error('not in this fake');
  }

  async close(): Promise<void> {}

  #find<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName): T {
    const found = this.peek(resource, name);
    if (found === undefined) throw notFound({ ...resource, name: name.name });
    return structuredClone(found);
  }

  #store<T extends KubeObject>(resource: ResourceType, object: T, type: 'ADDED' | 'MODIFIED'): T {
    this.#version += 1;
    object.metadata.resourceVersion = String(this.#version);
    this.#objects.set(keyOf(resource, object.metadata), object);
    this.#announce(resource, { type, object });
    return structuredClone(object);
  }

  #announce(resource: ResourceType, event: WatchEvent): void {
    for (const watcher of this.#watchers) {
      if (watcher.resource !== resource.resource || !isSelected(event.object, watcher.options)) continue;
      watcher.backlog.push(structuredClone(event));
      watcher.wake();
    }
  }
}

function keyOf(resource: ResourceType, name: { name?: string; namespace?: string }): string {
  return `${resource.resource}/${resource.namespaced ? (name.namespace ?? '') : ''}/${name.name ?? ''}`;
}

function terminationGrace(object: KubeObject): number {
  const seconds: unknown = Reflect.get(Reflect.get(object, 'spec') ?? {}, 'terminationGracePeriodSeconds');
  return typeof seconds === 'number' ? seconds : 30;
}

function isSelected(object: KubeObject, options: ListOptions): boolean {
  if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) return false;
  const [field, value] = (options.fieldSelector ?? '').split('=');
  if (field === 'metadata.name') return object.metadata.name === value;
  if (field === 'spec.nodeName') return Reflect.get(Reflect.get(object, 'spec') ?? {}, 'nodeName') === value;
  return true;
}

/** A merge that knows one list: conditions, by their type. */
function merge(current: unknown, patch: unknown): unknown {
  if (patch === null) return undefined;
  if (Array.isArray(patch)) {
    const items = patch.filter((one) => Reflect.get(Object(one), '$patch') === undefined);
    const isByType = Array.isArray(current) && items.some((one) => Reflect.get(Object(one), 'lastTransitionTime'));
    if (!isByType) return structuredClone(items);
    const rest = current.filter((one) => !items.some((other) => typeOf(other) === typeOf(one)));
    return [...rest, ...items.map((one) => merge(current.find((other) => typeOf(other) === typeOf(one)) ?? {}, one))];
  }
  if (typeof patch !== 'object') return patch;
  const result: Record<string, unknown> = { ...Object(current) };
  for (const [key, value] of Object.entries(patch ?? {})) {
    const merged = merge(result[key], value);
    if (merged === undefined) delete result[key];
    else result[key] = merged;
  }
  return result;
}

function typeOf(condition: unknown): unknown {
  return Reflect.get(Object(condition), 'type');
}
