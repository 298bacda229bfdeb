import type { Probe } from '#api/generated/types.ts';
import type { Timer } from '#machinery/clock/clock.ts';
import { containerEvent } from '../pod/pod-events.ts';
import { runProbe } from './run-probe.ts';
import type { ProbeOutcome, ProberDeps, ProberTarget } from './contract.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

const KIND_NAMES: Record<ProbeKind, string> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };

/** Probes one running container for one purpose until it is stopped. */
export class Prober {
  readonly #deps: ProberDeps;
  readonly #target: ProberTarget;
  readonly #kind: ProbeKind;
  readonly #probe: Probe;
  readonly #onChange: () => void;
  #result: ProbeOutcome['result'];
  /** The same outcome so many times in a row. */
  #streak = 0;
  #lastOutcome: ProbeOutcome['result'] | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(
    deps: ProberDeps,
    options: { target: ProberTarget; kind: ProbeKind; probe: Probe; onChange: () => void },
  ) {
    this.#deps = deps;
    this.#target = options.target;
    this.#kind = options.kind;
    this.#probe = options.probe;
    this.#onChange = options.onChange;
    this.#result = options.kind === 'readiness' ? 'failure' : options.kind === 'liveness' ? 'success' : 'unknown';
    const dueMs = options.target.startedAtMs + (options.probe.initialDelaySeconds ?? 0) * 1000;
    this.#schedule(Math.max(0, dueMs - deps.clock.now()));
  }

  get result(): ProbeOutcome['result'] {
    return this.#result;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    const { clock, executor } = this.#deps;
    this.#timer = clock.setTimeout(() => executor.post('node', () => void this.#probeOnce()), delayMs, { unref: true });
  }

  async #probeOnce(): Promise<void> {
    if (this.#isStopped) return;
    const startedMs = this.#deps.clock.monotonic();
    const outcome = await runProbe(this.#deps, this.#target, this.#probe);
    // Stopped while it was under way: the container it asked is no longer the one that matters.
    if (this.#isStopped) return;
    this.#report(outcome);
    const isOver = this.#count(outcome);
    if (isOver) return;
    const periodMs = (this.#probe.periodSeconds ?? 10) * 1000;
    this.#schedule(Math.max(0, periodMs - (this.#deps.clock.monotonic() - startedMs)));
  }

  /** Applies the thresholds; true where this prober's work is done. */
  #count(outcome: ProbeOutcome): boolean {
    if (outcome.result === 'unknown') return false;
    this.#streak = this.#lastOutcome === outcome.result ? this.#streak + 1 : 1;
    this.#lastOutcome = outcome.result;
    const isFailure = outcome.result === 'failure';
    const threshold = isFailure ? (this.#probe.failureThreshold ?? 3) : (this.#probe.successThreshold ?? 1);
    if (this.#streak < threshold) return false;
    const isChange = this.#result !== outcome.result;
    this.#result = outcome.result;
    // A container that failed its liveness or startup probe is killed; one that started needs no startup probe.
    const isOver = (isFailure && this.#kind !== 'readiness') || (!isFailure && this.#kind === 'startup');
    if (isOver) this.stop();
    if (isChange) this.#onChange();
    return isOver;
  }

  #report(outcome: ProbeOutcome): void {
    const name = KIND_NAMES[this.#kind];
    if (outcome.result === 'failure') {
      this.#event('Unhealthy', `${name} probe failed: ${outcome.output}`);
    } else if (outcome.result === 'unknown') {
      this.#event('Unhealthy', `${name} probe errored and resulted in unknown state: ${outcome.output}`);
    } else if (outcome.isWarning === true) {
      this.#event('ProbeWarning', `${name} probe warning: ${outcome.output}`);
    }
  }

  #event(reason: string, message: string): void {
    containerEvent(this.#deps.events, this.#target, { type: 'Warning', reason, message });
  }
}
