import type { ChildProcess } from 'node:child_process';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { startChild, stopProcess } from './child-process.ts';
import { isAlive, type ProcessId } from './state-file.ts';

const RESTART_MS_MIN = 500;
const RESTART_MS_MAX = 30_000;
const ADOPTED_POLL_MS = 1_000;
/** An agent stops its pods' containers, each with its own grace, before it ends. */
const STOP_GRACE_MS = 45_000;

export interface AgentSpec {
  readonly nodeName: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
}

/** Keeps one agent process running: started, or taken over from an earlier server, and started again when it dies. */
export class AgentProcess {
  readonly spec: AgentSpec;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onChange: () => void;
  #id: ProcessId | undefined;
  #isStopping = false;
  #isAdopted = false;
  #failures = 0;

  constructor(spec: AgentSpec, deps: { clock: Clock; log: Logger; onChange: () => void }) {
    this.spec = spec;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#onChange = deps.onChange;
  }

  get id(): ProcessId | undefined {
    return this.#id;
  }

  /** Whether the process ran before this server did, so that its node's last report still counts. */
  get isAdopted(): boolean {
    return this.#isAdopted;
  }

  /** Takes over `earlier` where it still lives, else starts a new process. */
  async start(earlier: ProcessId | undefined): Promise<void> {
    if (earlier !== undefined && isAlive(earlier)) {
      this.#id = earlier;
      this.#isAdopted = true;
      this.#watchAdopted(earlier);
      return;
    }
    await this.#launch();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await stopProcess(this.#id, { clock: this.#clock, graceMs: STOP_GRACE_MS });
  }

  async #launch(): Promise<void> {
    const startedMs = this.#clock.monotonic();
    const { child, id } = await startChild(this.spec);
    this.#isAdopted = false;
    this.#id = id;
    this.#onChange();
    this.#watchChild(child, startedMs);
  }

  #watchChild(child: ChildProcess, startedMs: number): void {
    child.once('exit', (code, signal) => {
      if (this.#isStopping) return;
      this.#log.error('the agent of a node ended', { node: this.spec.nodeName, code, signal });
      // An agent that ran for a while had no trouble starting.
      if (this.#clock.monotonic() - startedMs > RESTART_MS_MAX) this.#failures = 0;
      this.#restartLater();
    });
  }

  #watchAdopted(id: ProcessId): void {
    if (this.#isStopping) return;
    if (!isAlive(id)) {
      this.#restartLater();
      return;
    }
    this.#clock.setTimeout(() => this.#watchAdopted(id), ADOPTED_POLL_MS, { unref: true });
  }

  #restartLater(): void {
    const delayMs = Math.min(RESTART_MS_MIN * 2 ** this.#failures, RESTART_MS_MAX);
    this.#failures += 1;
    this.#clock.setTimeout(
      () => {
        if (this.#isStopping) return;
        this.#launch().catch((error: unknown) => {
          this.#log.error('cannot start the agent of a node', { node: this.spec.nodeName, error });
          this.#restartLater();
        });
      },
      delayMs,
      { unref: true },
    );
  }
}
