import type { Client } from '#client/client.ts';
import { EventRecorder } from '#client/events/event-recorder.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { ControllerDefinition } from './controller.ts';
import { controllerList, selectControllers } from './controller-list.ts';
import { ControllerMetrics } from './metrics.ts';
import { type ControllerOptions, defaultControllerOptions } from './options.ts';

/** The client of this name is asked for the shared informers; it is the user `system:kube-controller-manager`. */
export const MANAGER_CLIENT = 'kube-controller-manager';

export interface StartControllersOptions {
  /**
   * The client that acts as `system:serviceaccount:kube-system:NAME`; for `kube-controller-manager` as
   * `system:kube-controller-manager`. Clients stay the caller's to close.
   */
  readonly clientFor: (name: string) => Client;
  readonly executor: Executor;
  readonly log: Logger;
  /** As `--controllers`: `*`, names, and names with a dash before them. Default: all. */
  readonly controllers?: readonly string[];
  readonly options?: Partial<ControllerOptions>;
  /** Further controllers, such as those of other rooms or of a test. */
  readonly additional?: readonly ControllerDefinition[];
}

export interface RunningControllers {
  readonly names: readonly string[];
  readonly metrics: ControllerMetrics;
  /** Settles when nothing of the controllers runs any more. */
  stop(): Promise<void>;
}

/** A controller that fails starts again after this time, doubled with each failure in a row. */
const RESTART_DELAY_MS = 1_000;
const RESTART_DELAY_MAX_MS = 60_000;
/** A controller that ran for this long counts as healthy again. */
const HEALTHY_AFTER_MS = 60_000;

/** Starts the controllers and keeps them running until `stop`. */
export async function startControllers(start: StartControllersOptions): Promise<RunningControllers> {
  const { executor, log } = start;
  const all = [...controllerList, ...(start.additional ?? [])];
  const { selected, unknown } = selectControllers(all, start.controllers ?? ['*']);
  if (unknown.length > 0) throw new RangeError(`no controller is named ${unknown.join(', ')}`);
  const stopping = new AbortController();
  const metrics = new ControllerMetrics();
  const informers = new InformerFactory({ client: start.clientFor(MANAGER_CLIENT), executor, log });
  const options = { ...defaultControllerOptions, ...start.options };
  const supervised = selected.map((definition) =>
    supervise(definition, { start, informers, metrics, options, stopping: stopping.signal }),
  );
  informers.start();
  return {
    names: selected.map((definition) => definition.name),
    metrics,
    stop: async () => {
      stopping.abort();
      await Promise.all(supervised);
      await informers.stop();
    },
  };
}

interface Supervision {
  readonly start: StartControllersOptions;
  readonly informers: InformerFactory;
  readonly metrics: ControllerMetrics;
  readonly options: ControllerOptions;
  readonly stopping: AbortSignal;
}

/** Runs one controller again and again until the manager stops. Never rejects. */
async function supervise(definition: ControllerDefinition, supervision: Supervision): Promise<void> {
  const { start, metrics, stopping } = supervision;
  const { clock } = start.executor;
  const log = start.log.with({ controller: definition.name });
  let delayMs = RESTART_DELAY_MS;
  while (!stopping.aborted) {
    const startedMs = clock.monotonic();
    try {
      await runOnce(definition, supervision);
      // A controller that has nothing to do may end by itself.
      return;
    } catch (error) {
      if (stopping.aborted) return;
      metrics.of(definition.name).restarts++;
      if (clock.monotonic() - startedMs >= HEALTHY_AFTER_MS) delayMs = RESTART_DELAY_MS;
      log.error('controller failed, starting it again', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        delayMs,
      });
    }
    await sleepUntilAborted(clock.sleep(delayMs, { signal: stopping }), stopping);
    delayMs = Math.min(2 * delayMs, RESTART_DELAY_MAX_MS);
  }
}

async function runOnce(definition: ControllerDefinition, supervision: Supervision): Promise<void> {
  const { start, informers, metrics, options, stopping } = supervision;
  const { executor } = start;
  const run = new AbortController();
  const client = start.clientFor(definition.serviceAccount);
  const { clock, random } = executor;
  const events = new EventRecorder({ client, clock, random, component: definition.eventSource, log: start.log });
  try {
    await definition.run({
      name: definition.name,
      client,
      informers,
      events,
      executor,
      log: start.log.with({ controller: definition.name }),
      metrics,
      options,
      signal: AbortSignal.any([stopping, run.signal]),
    });
  } finally {
    // Takes this run's handlers and queues away, however it ended.
    run.abort();
    await events.close();
  }
}

async function sleepUntilAborted(sleep: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await sleep;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
