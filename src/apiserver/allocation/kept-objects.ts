import type { Client, ResourceType } from '#client/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ResourceView } from '../server-parts.ts';

/** A write that failed is tried again after this time. */
const RETRY_MS = 1_000;

/** What should be done to one object now. */
export type KeepAction<T> =
  | { readonly type: 'none' }
  | { readonly type: 'create'; readonly object: T }
  | { readonly type: 'update'; readonly object: T; readonly subresource?: string }
  | { readonly type: 'delete' };

export interface KeptObjectsOptions<T extends KubeObject> {
  readonly resource: ResourceType<T>;
  readonly view: ResourceView;
  /** Names that should be looked at besides those that are stored; asked anew whenever everything is looked at. */
  readonly names: () => readonly string[];
  readonly plan: (name: string, current: T | undefined) => KeepAction<T>;
  /** Further views whose every change means that everything must be looked at again. */
  readonly dependsOn?: readonly ResourceView[];
}

/**
 * Cluster-scoped objects that the server itself keeps as they should be. Level triggered: a change only says which name
 * to look at. Writes go through the pipeline like everybody's.
 */
export class KeptObjects<T extends KubeObject> {
  readonly #options: KeptObjectsOptions<T>;
  readonly #deps: { readonly client: Client; readonly executor: Executor; readonly log: Logger };
  readonly #subscriptions: Disposable[] = [];
  readonly #dirty = new Set<string>();
  #hasToLookAtAll = false;
  #work: Promise<void> | undefined;
  #retryTimer: Disposable | undefined;
  #isStopped = false;

  constructor(options: KeptObjectsOptions<T>, deps: { client: Client; executor: Executor; log: Logger }) {
    this.#options = options;
    this.#deps = deps;
  }

  start(): void {
    const { view, dependsOn = [] } = this.#options;
    this.#subscriptions.push(
      view.onChange(({ object, previous }) => this.#look((object ?? previous)?.metadata.name ?? '')),
      ...dependsOn.map((other) => other.onChange(() => this.#lookAtAllSoon())),
    );
    this.#lookAtAllSoon();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#retryTimer?.[Symbol.dispose]();
    await this.#work;
  }

  /** In a later task: what the change brings about elsewhere in the server has happened by then. */
  #lookAtAllSoon(): void {
    if (this.#isStopped) return;
    this.#hasToLookAtAll = true;
    this.#work ??= this.#deps.executor.run('background', () => this.#drain());
  }

  #lookAtAll(): void {
    this.#hasToLookAtAll = false;
    for (const name of this.#options.names()) this.#look(name);
    for (const { metadata } of this.#options.view.list()) this.#look(metadata.name ?? '');
  }

  #look(name: string): void {
    if (name === '' || this.#isStopped) return;
    this.#dirty.add(name);
    this.#work ??= this.#deps.executor.run('background', () => this.#drain());
  }

  async #drain(): Promise<void> {
    const { executor } = this.#deps;
    while ((this.#hasToLookAtAll || this.#dirty.size > 0) && !this.#isStopped) {
      if (this.#hasToLookAtAll) this.#lookAtAll();
      const [name = ''] = this.#dirty;
      this.#dirty.delete(name);
      await this.#keep(name);
      if (executor.shouldPause()) await executor.pause('background');
    }
    this.#work = undefined;
  }

  async #keep(name: string): Promise<void> {
    const { resource, view, plan } = this.#options;
    const { client, log } = this.#deps;
    // Safe: the view holds objects of this resource.
    const action = plan(name, view.get(name) as T | undefined);
    try {
      switch (action.type) {
        case 'none':
          return;
        case 'create':
          await client.create(resource, action.object);
          return;
        case 'update':
          await client.update(
            resource,
            action.object,
            action.subresource === undefined ? {} : { subresource: action.subresource },
          );
          return;
        case 'delete':
          await client.delete(resource, { name });
      }
    } catch (error) {
      // Somebody else was faster: that change brings us back here.
      if (isAlreadyExists(error) || isNotFound(error) || isConflict(error)) return;
      log.warn('cannot keep an object; trying again', { resource: resource.resource, name, error });
      this.#retryLater(name);
    }
  }

  #retryLater(name: string): void {
    if (this.#isStopped) return;
    this.#retryTimer?.[Symbol.dispose]();
    this.#dirty.add(name);
    this.#retryTimer = this.#deps.executor.clock.setTimeout(() => {
      this.#work ??= this.#deps.executor.run('background', () => this.#drain());
    }, RETRY_MS);
  }
}
