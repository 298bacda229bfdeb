import { CLEANUP_FINALIZER } from '#api/apiextensions/v1/conditions.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '#api/generated/resources.ts';
import type { CustomResourceDefinition } from '#api/generated/types.ts';
import type { Client } from '#client/client.ts';
import type { Timer } from '#machinery/clock/clock.ts';
import { isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { ResourceView } from '../server-parts.ts';
import type { WatchHub } from '../storage/hub.ts';
import { planStatus, type UsedNames } from './conditions.ts';
import { DefinitionCleanup } from './definition-cleanup.ts';

const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;
/** Definitions being written at once: with 2,000 new ones the last does not wait for 2,000 flushes of the store. */
const WORKERS_MAX = 16;

export interface DefinitionControllerDeps {
  readonly definitions: ResourceView;
  readonly client: Client;
  readonly executor: Executor;
  readonly hub: WatchHub;
  readonly log: Logger;
}

/**
 * Decides which names a definition gets, establishes it, and on its deletion removes its objects first. Deciding is
 * synchronous and counts what is still being written: what one is given the next one cannot have.
 */
export class DefinitionController {
  readonly #deps: DefinitionControllerDeps;
  readonly #cleanup: DefinitionCleanup;
  /** Invariant: every name in it is waiting for its turn. */
  readonly #queue = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<Timer>();
  /** Accepted names by group and definition. */
  readonly #names = new Map<string, Map<string, CustomResourceDefinition>>();
  /** Names that definitions have been given in writes under way, by definition. */
  readonly #given = new Map<string, CustomResourceDefinition>();
  /** Invariant: a definition in it is with one worker. */
  readonly #busy = new Set<string>();
  #workers = 0;
  #isClosed = false;

  constructor(deps: DefinitionControllerDeps) {
    this.#deps = deps;
    this.#cleanup = new DefinitionCleanup({ ...deps, retry: (name, delayMs) => this.#addAfter(name, delayMs) });
  }

  changed(crd: CustomResourceDefinition): void {
    const { group } = crd.spec;
    const inGroup = this.#names.get(group) ?? new Map<string, CustomResourceDefinition>();
    this.#names.set(group, inGroup);
    inGroup.set(crd.metadata.name ?? '', crd);
    this.#add(crd.metadata.name ?? '');
  }

  /** Its names are free: others of the group that wanted them look again. */
  removed({ spec, metadata }: CustomResourceDefinition): void {
    const inGroup = this.#names.get(spec.group);
    inGroup?.delete(metadata.name ?? '');
    this.#failures.delete(metadata.name ?? '');
    this.#cleanup.forget(metadata.name ?? '');
    if (inGroup?.size === 0) this.#names.delete(spec.group);
    for (const [name, { status }] of inGroup ?? []) {
      const accepted = status?.conditions?.find(({ type }) => type === 'NamesAccepted');
      if (accepted?.status !== 'True') this.#add(name);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cleanup.close();
    for (const timer of this.#timers) timer.cancel();
  }

  #add(name: string): void {
    if (this.#isClosed) return;
    this.#queue.add(name);
    if (this.#workers >= WORKERS_MAX) return;
    this.#workers += 1;
    this.#deps.executor.post('background', () => void this.#work());
  }

  #addAfter(name: string, delayMs: number): void {
    if (this.#isClosed) return;
    const { executor } = this.#deps;
    const timer = executor.clock.setTimeout(
      () => {
        this.#timers.delete(timer);
        executor.post('background', () => this.#add(name));
      },
      delayMs,
      { unref: true },
    );
    this.#timers.add(timer);
  }

  async #work(): Promise<void> {
    for (let name = this.#take(); name !== undefined && !this.#isClosed; name = this.#take()) {
      this.#busy.add(name);
      try {
        await this.#reconcile(name);
        this.#failures.delete(name);
      } catch (error) {
        this.#failed(name, error);
      } finally {
        this.#busy.delete(name);
      }
      if (this.#deps.executor.shouldPause()) await this.#deps.executor.pause('background');
    }
    this.#workers -= 1;
  }

  /** The next one that no other worker has. */
  #take(): string | undefined {
    for (const name of this.#queue) {
      if (this.#busy.has(name)) continue;
      this.#queue.delete(name);
      return name;
    }
    return undefined;
  }

  #failed(name: string, error: unknown): void {
    if (isNotFound(error) || this.#isClosed) return;
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    if (!isConflict(error)) {
      const text = error instanceof Error ? error.message : String(error);
      this.#deps.log.warn('cannot reconcile a custom resource definition', { name, error: text });
    }
    this.#addAfter(name, Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(failures - 1, 6)));
  }

  async #reconcile(name: string): Promise<void> {
    // Safe: the view holds definitions only.
    const crd = this.#deps.definitions.get(name) as CustomResourceDefinition | undefined;
    if (crd === undefined) return;
    const isLeaving = crd.metadata.deletionTimestamp !== undefined;
    if (isLeaving && crd.metadata.finalizers?.includes(CLEANUP_FINALIZER) === true) {
      await this.#cleanup.run(crd);
      return;
    }
    const nowMs = this.#deps.executor.clock.now();
    const status = planStatus(crd, { used: this.#usedNames(crd), nowMs });
    if (status === crd.status) return;
    const wanted = { ...crd, status };
    this.#given.set(name, wanted);
    try {
      await this.#deps.client.update(CUSTOM_RESOURCE_DEFINITIONS, wanted, { subresource: 'status' });
    } finally {
      this.#given.delete(name);
    }
  }

  #usedNames(crd: CustomResourceDefinition): UsedNames {
    const resources = new Set<string>();
    const kinds = new Set<string>();
    const { group } = crd.spec;
    const given = [...this.#given.values()].filter(({ spec }) => spec.group === group);
    for (const { status } of [...(this.#names.get(group)?.values() ?? []), ...given]) {
      const names = status?.acceptedNames;
      if (names === undefined) continue;
      for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) resources.add(name ?? '');
      for (const name of [names.kind, names.listKind]) kinds.add(name ?? '');
    }
    return { resources, kinds };
  }
}
