import type { Informer } from '#client/informer/informer.ts';
import { runWorkers, WorkQueue } from '#client/queue/work-queue.ts';
import type { ResourceType } from '#client/client.ts';
import { isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ControllerContext } from '../controller.ts';

/** What a controller does with a change that a watch shows. */
export interface ChangeHandlers<T> {
  readonly onAdd?: (object: T) => void;
  readonly onUpdate?: (before: T, after: T) => void;
  readonly onDelete?: (object: T) => void;
}

/** A key's next look: undefined where nothing is to be waited for. */
export type RequeueInMs = number | undefined;

/**
 * The shell that all controllers share: informers with handlers, one queue of keys, and workers that reconcile one
 * key at a time. Set everything up before the first `await` of the controller's `run`.
 */
export class Reconciler {
  readonly #context: ControllerContext;
  readonly #queue: WorkQueue<string>;
  readonly #informers: { readonly synced: Promise<void> }[] = [];

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = new WorkQueue<string>({ executor: context.executor, name: context.name });
  }

  /** Asks for a look at a key; asking again before it happens changes nothing. */
  add(key: string): void {
    if (!this.#context.signal.aborted) this.#queue.add(key);
  }

  addAfter(key: string, delayMs: number): void {
    if (!this.#context.signal.aborted) this.#queue.addAfter(key, delayMs);
  }

  /**
   * The shared informer of a resource. What it holds already is told to `onAdd` as if it had just appeared, which
   * makes a restarted controller look at everything again. Indexes are functions that are the same for all users of a
   * name.
   */
  watch<T extends KubeObject>(
    resource: ResourceType<T>,
    handlers: ChangeHandlers<T> = {},
    indexes: Readonly<Record<string, (object: T) => string[]>> = {},
  ): Informer<T> {
    const { informers, signal } = this.#context;
    const informer = informers.informer<T>(resource);
    for (const [name, values] of Object.entries(indexes)) informer.addIndex(name, values);
    const remove = informer.addHandler(handlers);
    signal.addEventListener('abort', remove, { once: true });
    this.#informers.push(informer);
    return informer;
  }

  /** Waits for the informers, then reconciles keys until the signal fires. */
  async run(options: { workers: number; reconcile: (key: string) => Promise<RequeueInMs> }): Promise<void> {
    const { name, signal, log, metrics } = this.#context;
    await untilAborted(Promise.all(this.#informers.map((informer) => informer.synced)), signal);
    const counters = metrics.of(name);
    await runWorkers(this.#queue, {
      workers: options.workers,
      taskClass: 'controller',
      signal,
      reconcile: async (key) => {
        counters.reconciles++;
        const requeueInMs = await options.reconcile(key);
        return requeueInMs === undefined ? {} : { requeueAfterMs: requeueInMs };
      },
      onError: (error, key) => {
        if (signal.aborted) return;
        const fields = { controller: name, key, error: error instanceof Error ? error.message : String(error) };
        // A lost race is part of the plan: what was read has changed or is gone, and is looked at again.
        if (isConflict(error) || isNotFound(error)) {
          log.debug('reconcile lost a race', fields);
          return;
        }
        counters.reconcileErrors++;
        log.error('reconcile failed', fields);
      },
    });
  }
}

/** Settles with the work, or when the signal fires. */
export async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  if (signal.aborted) return;
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Index values: the object's namespace. */
export function namespaceIndex(object: KubeObject): string[] {
  return [object.metadata.namespace ?? ''];
}
