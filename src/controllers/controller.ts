import type { Client } from '#client/client.ts';
import type { EventRecorder } from '#client/events/event-recorder.ts';
import type { InformerFactory } from '#client/informer/informer-factory.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { ControllerMetrics } from './metrics.ts';
import type { ControllerOptions } from './options.ts';

/** What a controller is given each time it is started. */
export interface ControllerContext {
  readonly name: string;
  /** Acts as the controller's own service account. */
  readonly client: Client;
  /** Shared by all controllers. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly executor: Executor;
  readonly log: Logger;
  readonly metrics: ControllerMetrics;
  readonly options: ControllerOptions;
  /** Fires when the controller must end, at shutdown or before a restart. */
  readonly signal: AbortSignal;
}

/** One line of the list of controllers. */
export interface ControllerDefinition {
  /** Upstream's name, as `--controllers` takes it. */
  readonly name: string;
  /** Other names that `--controllers` accepts. */
  readonly aliases: readonly string[];
  /** Account in kube-system whose rights the controller uses. */
  readonly serviceAccount: string;
  /** What its events name as their source. */
  readonly eventSource: string;
  /**
   * Runs until the signal fires. Handlers and indexes are registered before the first `await`, so that the informers
   * that this controller needs exist when the factory is started. A rejection is answered by a restart.
   */
  readonly run: (context: ControllerContext) => Promise<void>;
}
