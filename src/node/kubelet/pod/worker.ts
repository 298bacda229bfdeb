import type { Pod, PodStatus } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import type { Timer } from '#machinery/clock/clock.ts';
import { carryOut, type Carried, type PodState } from './carry-out.ts';
import { planPod } from './plan.ts';
import { allContainers, containerSpec, isTerminalPhase, podFormat, podUid } from './pod.ts';
import { RuntimeViewReader } from './runtime-view.ts';
import type { PodServices } from './services.ts';
import { generatePodStatus } from './status.ts';
import { stopPod } from './stop.ts';
import { cleanUpPod, releasePod } from './clean-up.ts';
import { type PodView, runningContainers } from './view.ts';

/** How far the pod's life on this node has got; it only moves forward. */
type Stage = 'running' | 'terminating' | 'terminated' | 'gone';

// How soon a step that failed for no reason of the pod's is tried again.
const RETRY_MS = 10_000;

const STOP_WAIT_MS = 1000;

type Verdict = { phase: 'Failed'; reason: string; message: string };

/**
 * Drives one pod: looks at the spec, the runtime and the time, and does the next thing. It runs when something changed or
 * a time has come, never on a period of its own, and one step at a time. It keeps nothing that a restart may not lose.
 */
export class PodWorker {
  readonly #services: PodServices;
  readonly #onGone: () => void;
  readonly #reader: RuntimeViewReader;
  readonly #state: PodState;
  #pod: Pod;
  #stage: Stage = 'running';
  /** The object is gone from the API. */
  #isRemoved = false;
  #verdict: Verdict | undefined;
  #view: PodView | undefined;
  #isBusy = false;
  #isDirty = false;
  #isStopped = false;
  #isRefreshing = false;
  #timer: Timer | undefined;
  /** Fires when the pod must end: whatever the running step waits for is not worth waiting for any more. */
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #stopGraceSeconds = Number.MAX_SAFE_INTEGER;

  constructor(services: PodServices, pod: Pod, options: { onGone: () => void }) {
    this.#services = services;
    this.#pod = pod;
    this.#onGone = options.onGone;
    this.#reader = new RuntimeViewReader(services, podUid(pod));
    this.#state = { startFailures: new Map(), waits: new Map(), hasCgroup: false, mountFailures: 0 };
    this.wake();
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Runs or may run again; it holds its share of the node's resources. */
  get isActive(): boolean {
    return this.#stage !== 'terminated' && this.#stage !== 'gone' && !isTerminalPhase(this.#status().phase);
  }

  /** Whether the pod ended here for good and only its record is left. */
  get isTerminated(): boolean {
    return this.#stage === 'terminated' || this.#stage === 'gone';
  }

  /** The last observation, for logs, exec and statistics. */
  get view(): PodView | undefined {
    return this.#view;
  }

  get status(): PodStatus {
    return this.#status();
  }

  /** A new version of the object. */
  update(pod: Pod): void {
    this.#pod = pod;
    this.#services.status.observe(pod);
    if (pod.metadata.deletionTimestamp !== undefined) this.#ending.abort();
    this.#hasten();
    this.wake();
  }

  /** The object is gone: end what runs and leave nothing. */
  remove(): void {
    this.#isRemoved = true;
    this.#ending.abort();
    this.wake();
  }

  /** Look again, soon. */
  wake(): void {
    if (this.#isStopped || this.#stage === 'gone') return;
    this.#isDirty = true;
    if (this.#isBusy) {
      if (this.#stage === 'terminating') this.#refresh();
      return;
    }
    this.#isBusy = true;
    this.#running = this.#services.executor.run('node', () => this.#run());
  }

  /** Stops driving the pod; what runs goes on running. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#ending.abort();
    // Containers that are just ending take as long as they take; nobody has to wait for that.
    const limit = new AbortController();
    const late = this.#services.clock.sleep(STOP_WAIT_MS, { signal: limit.signal }).catch(() => undefined);
    await Promise.race([this.#running, late]);
    limit.abort();
  }

  /** While containers are ending, which may take its time, says how far that is. */
  #refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    const read = async () => {
      const view = await this.#reader.read();
      this.#isRefreshing = false;
      if (this.#stage !== 'terminating' || this.#isStopped || this.#isRecord(view)) return;
      this.#view = view;
      this.#report(view, { isTerminated: false });
    };
    this.#services.executor.run('node', read).catch((error: unknown) => {
      this.#isRefreshing = false;
      this.#services.log.debug('cannot look at an ending pod', { error: String(error) });
    });
  }

  /** A finished pod of which the runtime knows nothing is only a record: what it says stays. */
  #isRecord(view: PodView): boolean {
    return isTerminalPhase(this.#pod.status?.phase) && view.containers.length === 0;
  }

  async #run(): Promise<void> {
    while (this.#isDirty && !this.#isStopped && this.#stage !== 'gone') {
      this.#isDirty = false;
      this.#timer?.cancel();
      try {
        await this.#step();
      } catch (error) {
        // A stopped kubelet's connections close under it; that is nobody's failure.
        if (this.#isStopped) break;
        this.#services.log.warn('pod step failed', { pod: podFormat(this.#pod), error: String(error) });
        this.#services.events.event(this.#pod, {
          type: 'Warning',
          reason: 'FailedSync',
          message: `error syncing pod: ${error instanceof Error ? error.message : String(error)}`,
        });
        this.#wakeAt(this.#services.clock.now() + RETRY_MS);
      }
      if (this.#isDirty) await this.#services.executor.pause('node');
    }
    this.#isBusy = false;
  }

  async #step(): Promise<void> {
    this.#view = await this.#reader.read();
    if (this.#stage === 'running' && this.#mustEnd()) this.#stage = 'terminating';
    if (this.#stage === 'running') await this.#runStep(this.#view);
    if (this.#stage === 'terminating') await this.#terminate(this.#view);
    if (this.#stage === 'terminated') await this.#leave();
  }

  /** One look at a pod that should run: report, plan, act, report again. */
  async #runStep(view: PodView): Promise<void> {
    const { services, pod } = { services: this.#services, pod: this.#pod };
    services.probes.sync(pod, view);
    const before = this.#report(view, { isTerminated: false });
    if (isTerminalPhase(before.phase)) {
      this.#stage = 'terminating';
      return;
    }
    const plan = planPod({
      pod,
      view,
      nowMs: services.clock.now(),
      liveness: (containerId) => services.probes.result(podUid(pod), { containerId, kind: 'liveness' }),
      startup: (containerId) => services.probes.result(podUid(pod), { containerId, kind: 'startup' }),
      backOff: (container, finishedMs) => {
        const key = `${podUid(pod)}/${container.name}`;
        return {
          waitMs: services.crashBackOff.waitMs(key, finishedMs, services.clock.now()),
          delayMs: services.crashBackOff.delayMs(key),
        };
      },
    });
    const carried = await carryOut(services, this.#state, { pod, view, plan, signal: this.#ending.signal });
    if (carried.hasActed) {
      services.onActed();
      this.#view = await this.#reader.read();
      services.probes.sync(pod, this.#view);
    }
    if (this.#ending.signal.aborted) return;
    this.#report(this.#view ?? view, { isTerminated: false });
    this.#wakeForNext(carried, plan.wakeAtMs);
  }

  #wakeForNext(carried: Carried, planned: number | undefined): void {
    const deadline = this.#deadlineMs();
    const times = [planned, carried.wakeAtMs, deadline].filter((time) => time !== undefined);
    if (times.length > 0) this.#wakeAt(Math.min(...times));
  }

  /** Ends everything of the pod, whatever state it is in. */
  async #terminate(view: PodView): Promise<void> {
    const { services, pod } = { services: this.#services, pod: this.#pod };
    const uid = podUid(pod);
    this.#timer?.cancel();
    services.probes.stopForTermination(uid);
    const isRecord = this.#isRecord(view);
    if (!isRecord) this.#report(view, { isTerminated: false });
    const graceSeconds = this.#graceSeconds();
    this.#stopGraceSeconds = graceSeconds ?? Number.MAX_SAFE_INTEGER;
    try {
      await stopPod(services, { pod, view, ...(graceSeconds === undefined ? {} : { graceSeconds }) });
    } catch (error) {
      const message = `error killing pod: ${error instanceof Error ? error.message : String(error)}`;
      services.events.event(pod, { type: 'Warning', reason: 'FailedKillPod', message });
      throw error;
    }
    if (this.#isStopped) return;
    services.probes.stop(uid);
    this.#view = await this.#reader.read();
    // Something started in the meantime (a container that was just being made).
    if (runningContainers(this.#view).length > 0) return this.#terminate(this.#view);
    this.#stage = 'terminated';
    if (!isRecord) this.#report(this.#view, { isTerminated: true });
    await releasePod(services, pod);
  }

  /** After the end: a deleted pod leaves the node and the API; a finished one stays for its logs until it is deleted. */
  async #leave(): Promise<void> {
    const { services, pod } = { services: this.#services, pod: this.#pod };
    const isDeleted = pod.metadata.deletionTimestamp !== undefined;
    if (!isDeleted && !this.#isRemoved) return;
    if (!this.#isRemoved) {
      await services.status.flush(podUid(pod));
      await cleanUpPod(services, this.#view ?? (await this.#reader.read()), pod);
      // With finalizers the object outlives this; a later update then finds nothing left to do.
      await services.deletePod(pod);
      if (!this.#isRemoved) return;
    }
    await cleanUpPod(services, await this.#reader.read(), pod);
    services.status.forget(podUid(pod));
    services.objects.release(podUid(pod));
    services.images.forget(pod);
    for (const { name } of allContainers(pod)) services.crashBackOff.forget(`${podUid(pod)}/${name}`);
    this.#stage = 'gone';
    this.#onGone();
  }

  #mustEnd(): boolean {
    const pod = this.#pod;
    if (this.#isRemoved || pod.metadata.deletionTimestamp !== undefined || isTerminalPhase(pod.status?.phase)) {
      this.#ending.abort();
      return true;
    }
    const deadline = this.#deadlineMs();
    if (deadline === undefined || this.#services.clock.now() < deadline) return false;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#verdict = { phase: 'Failed', reason: 'DeadlineExceeded', message };
    this.#services.events.event(pod, { type: 'Normal', reason: 'DeadlineExceeded', message });
    return true;
  }

  #deadlineMs(): number | undefined {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    const started = parseTime(this.#status().startTime ?? '');
    return seconds === undefined || started === undefined ? undefined : started + seconds * 1000;
  }

  /** Undefined: the pod's own, as it is in its spec or its deletion. */
  #graceSeconds(): number | undefined {
    if (!this.#isRemoved) return undefined;
    const { deletionGracePeriodSeconds } = this.#pod.metadata;
    return Math.max(1, deletionGracePeriodSeconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? 30);
  }

  /** The grace period was cut short while containers are ending: tell the runtime. */
  #hasten(): void {
    const grace = this.#pod.metadata.deletionGracePeriodSeconds;
    if (this.#stage !== 'terminating' || grace === undefined || grace >= this.#stopGraceSeconds) return;
    this.#stopGraceSeconds = grace;
    for (const { id } of runningContainers(this.#view ?? { sandboxes: [], containers: [], ips: [] })) {
      this.#services.runtime.stopContainer(id, { timeoutSeconds: grace }).catch((error: unknown) => {
        this.#services.log.info('cannot hasten container stop', { container: id, error: String(error) });
      });
    }
  }

  #status(): PodStatus {
    return this.#services.status.get(podUid(this.#pod)) ?? this.#pod.status ?? {};
  }

  #report(view: PodView, options: { isTerminated: boolean }): PodStatus {
    const { services, pod } = { services: this.#services, pod: this.#pod };
    const status = generatePodStatus({
      pod,
      previous: this.#status(),
      view,
      nowMs: services.clock.now(),
      isTerminated: options.isTerminated,
      ...(this.#verdict === undefined ? {} : { verdict: this.#verdict }),
      runtimeName: services.runtimeName,
      hostIps: services.node.hostIps,
      startFailure: (name) => this.#state.startFailures.get(name),
      isStarted: (id, name) => services.probes.isStarted(pod, id, containerSpec(pod, name)),
      isReady: (id, name) => this.#isReady(id, name),
    });
    services.status.set(pod, status);
    return status;
  }

  #isReady(id: string, name: string): boolean {
    const { probes, readiness } = this.#services;
    return readiness?.(id) ?? probes.isReady(this.#pod, id, containerSpec(this.#pod, name));
  }

  #wakeAt(timeMs: number): void {
    this.#timer?.cancel();
    if (this.#isStopped) return;
    const delayMs = Math.max(0, timeMs - this.#services.clock.now());
    this.#timer = this.#services.clock.setTimeout(() => this.wake(), delayMs, { unref: true });
  }
}
