import type { Container, HTTPGetAction, Pod } from '#api/generated/types.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import type { EventSink } from '../pod/pod-events.ts';

/** One attempt's outcome. `unknown` means that the probe itself could not run; it changes nothing. */
export interface ProbeOutcome {
  readonly result: 'success' | 'failure' | 'unknown';
  readonly output: string;
  /** It counts as a success, but something about it deserves an event. */
  readonly isWarning?: boolean;
}

/** How probes and lifecycle hooks reach into the pod's network: really, or as a simulation pretends. */
export interface ProbeTransport {
  http(target: HttpTarget, options: { timeoutMs: number }): Promise<ProbeOutcome>;
  tcp(target: { host: string; port: number }, options: { timeoutMs: number }): Promise<ProbeOutcome>;
  grpc(target: { host: string; port: number; service: string }, options: { timeoutMs: number }): Promise<ProbeOutcome>;
}

export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: NonNullable<HTTPGetAction['httpHeaders']>;
  readonly userAgent: string;
}

export interface ProberDeps {
  readonly clock: Clock;
  readonly executor: Executor;
  readonly runtime: ContainerRuntime;
  readonly transport: ProbeTransport;
  readonly events: EventSink;
}

export interface ProberTarget {
  readonly pod: Pod;
  readonly container: Container;
  readonly containerId: string;
  readonly startedAtMs: number;
  readonly podIp: string;
}
