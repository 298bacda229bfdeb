import type { KubeObject } from '#machinery/meta/types.ts';
import type { ResourceType } from '../client.ts';
import { Informer, type InformerDeps, type InformerOptions } from './informer.ts';

/** Makes informers and shares those that ask for the same. Starts and stops them together. */
export class InformerFactory implements AsyncDisposable {
  readonly #deps: InformerDeps;
  readonly #informers = new Map<string, Informer>();
  #isStarted = false;

  constructor(deps: InformerDeps) {
    this.#deps = deps;
  }

  /** The informer of a resource and selection. One that is made after `start` starts at once. */
  informer<T extends KubeObject>(resource: ResourceType<T>, options: InformerOptions = {}): Informer<T> {
    const { namespace = '', labelSelector = '', fieldSelector = '' } = options;
    const { group, version, resource: plural } = resource;
    const key = JSON.stringify([group, version, plural, namespace, labelSelector, fieldSelector]);
    const shared = this.#informers.get(key);
    // Safe: the key names the resource, and a resource has one type of objects.
    if (shared !== undefined) return shared as unknown as Informer<T>;
    const informer = new Informer<T>(this.#deps, resource, options);
    this.#informers.set(key, informer as unknown as Informer);
    if (this.#isStarted) informer.start();
    return informer;
  }

  start(): void {
    this.#isStarted = true;
    for (const informer of this.#informers.values()) informer.start();
  }

  /** Settles when every informer made so far has its first list; rejects with the signal's reason. */
  async waitForSync(signal: AbortSignal): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const synced = [...this.#informers.values()].map((informer) => informer.synced);
      await Promise.race([Promise.all(synced), aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Settles when nothing runs any more. */
  async stop(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
