import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import { POD_UID_LABEL } from './pod/labels.ts';

const RELIST_MS = 1000;
// Right after something was started much happens: short-lived containers end, processes fail.
const HURRY_MS = 100;

export interface RuntimeWatchDeps {
  readonly runtime: ContainerRuntime;
  readonly executor: Executor;
  readonly log: Logger;
  /** Something of this pod changed in the runtime. */
  readonly onChange: (uid: string) => void;
}

/**
 * Notices what happens in the runtime: by its events where it has them, else by comparing two listings a second apart.
 * It only says that a pod must be looked at; the worker reads for itself.
 */
export class RuntimeWatch {
  readonly #deps: RuntimeWatchDeps;
  readonly #stopping = new AbortController();
  /** State by container or sandbox id, of the last listing. */
  #seen = new Map<string, { uid: string; state: string }>();
  #running: Promise<void> = Promise.resolve();
  #delayMs = RELIST_MS;
  #waiting = new AbortController();

  constructor(deps: RuntimeWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { runtime } = this.#deps;
    this.#running = runtime.events === undefined ? this.#poll() : this.#listen();
  }

  /** Something was started or stopped: look again soon, and then ever more rarely. */
  hurry(): void {
    this.#delayMs = HURRY_MS;
    this.#waiting.abort();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.abort();
    await this.#running;
  }

  async #listen(): Promise<void> {
    const { runtime, executor, log, onChange } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const event of runtime.events?.(signal) ?? []) onChange(event.podUid);
      } catch (error) {
        if (!signal.aborted) log.warn('runtime events ended', { error: String(error) });
      }
      // Events may have been missed while there was no stream.
      if (!signal.aborted) await this.#relist();
      await executor.clock.sleep(RELIST_MS, { signal }).catch(() => undefined);
    }
  }

  async #poll(): Promise<void> {
    const { executor } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#relist();
      this.#waiting = new AbortController();
      const waitMs = this.#delayMs;
      await executor.clock.sleep(waitMs, { signal: this.#waiting.signal }).catch(() => undefined);
      // Woken early: nothing has had the time to happen yet.
      if (this.#waiting.signal.aborted) await executor.clock.sleep(HURRY_MS, { signal }).catch(() => undefined);
      this.#delayMs = Math.min(this.#delayMs * 2, RELIST_MS);
    }
  }

  async #relist(): Promise<void> {
    const { runtime, log, onChange } = this.#deps;
    try {
      const [sandboxes, containers] = await Promise.all([runtime.listPodSandboxes(), runtime.listContainers()]);
      const next = new Map<string, { uid: string; state: string }>();
      for (const one of [...sandboxes, ...containers]) {
        next.set(one.id, { uid: one.labels[POD_UID_LABEL] ?? '', state: one.state });
      }
      const changed = new Set<string>();
      for (const [id, { uid, state }] of next) if (this.#seen.get(id)?.state !== state) changed.add(uid);
      for (const [id, { uid }] of this.#seen) if (!next.has(id)) changed.add(uid);
      this.#seen = next;
      for (const uid of changed) onChange(uid);
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.warn('cannot list the runtime', { error: String(error) });
    }
  }
}
