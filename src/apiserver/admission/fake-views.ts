import type { KubeObject } from '#machinery/meta/types.ts';
import type { ResourceView, ViewChange } from '../server-parts.ts';

/** In-memory views for tests: what the watch cache shows, without a store. */
export class FakeViews {
  readonly #views = new Map<string, FakeView>();

  readonly view = (group: string, resource: string): ResourceView => this.#of(group, resource);

  put(group: string, resource: string, object: KubeObject): void {
    this.#of(group, resource).put(object);
  }

  remove(group: string, resource: string, object: KubeObject): void {
    this.#of(group, resource).remove(object);
  }

  #of(group: string, resource: string): FakeView {
    const key = `${group}/${resource}`;
    let view = this.#views.get(key);
    if (view === undefined) {
      view = new FakeView();
      this.#views.set(key, view);
    }
    return view;
  }
}

class FakeView implements ResourceView {
  readonly #objects = new Map<string, KubeObject>();
  readonly #listeners = new Set<(change: ViewChange) => void>();

  get(name: string, namespace = ''): KubeObject | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  list(namespace?: string): KubeObject[] {
    return [...this.#objects.values()].filter(
      (object) => namespace === undefined || object.metadata.namespace === namespace,
    );
  }

  onChange(listener: (change: ViewChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  put(object: KubeObject): void {
    const previous = this.#objects.get(keyOf(object));
    this.#objects.set(keyOf(object), object);
    for (const listener of this.#listeners) listener({ object, ...(previous && { previous }) });
  }

  remove(object: KubeObject): void {
    const previous = this.#objects.get(keyOf(object));
    if (previous === undefined) return;
    this.#objects.delete(keyOf(object));
    for (const listener of this.#listeners) listener({ previous });
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name ?? ''}`;
}
