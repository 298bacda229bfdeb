import type { Pod } from '#api/generated/types.ts';
import type { PodSandboxConfig } from '../../runtime/contract.ts';
import { type PreparedVolumes, VolumeError } from '../../volume/contract.ts';
import { podCgroupLimits, podCgroupPath } from '../container/resources.ts';
import { sandboxConfig } from '../container/sandbox.ts';
import { grpcText } from '../images/images.ts';
import type { StartFailure } from './container-status.ts';
import { crashLoopMessage } from './plan.ts';
import type { PodAction, PodPlan } from './plan-types.ts';
import { podFormat, podUid } from './pod.ts';
import { containerEvent } from './pod-events.ts';
import type { PodServices } from './services.ts';
import { type StartOutcome, startContainer } from './start.ts';
import { stopContainer, stopPod } from './stop.ts';
import type { PodView } from './view.ts';

/** What a worker remembers between steps: only how the last tries went. */
export interface PodState {
  /** By container name: why it does not run. */
  readonly startFailures: Map<string, StartFailure>;
  /** Pulls and restarts that wait: looking at the pod in the meantime neither tries again nor says so again. */
  readonly waits: Map<string, { readonly what: string; readonly untilMs: number }>;
  hasCgroup: boolean;
  /** Times in a row that the volumes could not be made ready. */
  mountFailures: number;
}

export interface CarryOutInput {
  readonly pod: Pod;
  readonly view: PodView;
  readonly plan: PodPlan;
  /** Fires when the pod must end: stop between steps, and do not wait for pulls and hooks. */
  readonly signal: AbortSignal;
}

export interface Carried {
  /** The runtime's view of the pod may have changed. */
  readonly hasActed: boolean;
  readonly wakeAtMs?: number;
}

const RETRY_MS = 10_000;
// Upstream's back-off of mounts: half a second, doubled, two minutes and two seconds at most.
const VOLUME_RETRY_MIN_MS = 500;
const VOLUME_RETRY_MAX_MS = 122_000;
// Nothing in the cluster can mend these at once, so only time starts another try.
const WAITING_FAILURES = ['ErrImagePull', 'ImagePullBackOff', 'CreateContainerError', 'RunContainerError'];

/** Does what the plan says, in order. It chooses nothing; where a step fails it says when to look again. */
export async function carryOut(services: PodServices, state: PodState, input: CarryOutInput): Promise<Carried> {
  return new Run(services, state, input).run();
}

class Run {
  readonly #services: PodServices;
  readonly #state: PodState;
  readonly #input: CarryOutInput;
  #sandboxId: string | undefined;
  #podIps: readonly string[];
  #volumes: PreparedVolumes | undefined;
  #wakeAtMs: number | undefined;
  #hasActed = false;

  constructor(services: PodServices, state: PodState, input: CarryOutInput) {
    this.#services = services;
    this.#state = state;
    this.#input = input;
    this.#sandboxId = input.plan.sandboxId;
    this.#podIps = podIps(services, input);
  }

  async run(): Promise<Carried> {
    const { plan, signal } = this.#input;
    if (await this.#prepare()) {
      for (const action of plan.actions) {
        if (signal.aborted) break;
        if (action.type !== 'backOff') this.#hasActed = true;
        const mayGoOn = await this.#raced(this.#act(action));
        if (!mayGoOn) break;
      }
    }
    return { hasActed: this.#hasActed, ...(this.#wakeAtMs === undefined ? {} : { wakeAtMs: this.#wakeAtMs }) };
  }

  /** Everything that must be there before a container is: the pod's control group and its volumes. */
  async #prepare(): Promise<boolean> {
    const { pod } = this.#input;
    const { host, cgroupRoot, volumes, node, events } = this.#services;
    if (!this.#state.hasCgroup && host.cgroups.version !== 0) {
      await host.cgroups.create(podCgroupPath(pod, cgroupRoot), podCgroupLimits(pod));
      this.#state.hasCgroup = true;
    }
    if (volumes === undefined) return true;
    try {
      this.#volumes = await volumes.prepare(pod, { podIps: this.#podIps, hostIps: node.hostIps });
      this.#state.mountFailures = 0;
      if (this.#volumes.refreshAtMs !== undefined) this.#wakeAt(this.#volumes.refreshAtMs);
      return true;
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      const message = `MountVolume.SetUp failed for volume "${error.volume}" : ${error.message}`;
      events.event(pod, { type: 'Warning', reason: 'FailedMount', message });
      const waitMs = Math.min(VOLUME_RETRY_MIN_MS * 2 ** this.#state.mountFailures, VOLUME_RETRY_MAX_MS);
      this.#state.mountFailures += 1;
      this.#wakeAt(this.#services.clock.now() + waitMs);
      return false;
    }
  }

  /** False where the steps after this one make no sense any more. */
  async #act(action: PodAction): Promise<boolean> {
    const { pod, view } = this.#input;
    switch (action.type) {
      case 'announceSandboxChange':
        this.#tell('SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
        return true;
      case 'stopPod':
        await stopPod(this.#services, { pod, view });
        return true;
      case 'killContainer':
        await stopContainer(this.#services, {
          pod,
          view,
          container: action.container,
          containerId: action.id,
          reason: action.reason,
          message: action.why,
        });
        return true;
      case 'removeContainer':
        await this.#services.runtime.removeContainer(action.id);
        return true;
      case 'createSandbox':
        return this.#createSandbox(action.attempt);
      case 'startContainer':
        return this.#start(action);
      case 'backOff':
        this.#backOff(action);
        return true;
    }
  }

  async #createSandbox(attempt: number): Promise<boolean> {
    const { pod } = this.#input;
    const { runtime, events, objects, clock } = this.#services;
    try {
      const config = this.#sandboxConfig(attempt);
      const runtimeClass = pod.spec.runtimeClassName;
      const runtimeHandler = runtimeClass === undefined ? '' : await objects.runtimeHandler(runtimeClass);
      if (runtimeHandler === undefined) throw new Error(`RuntimeClass "${runtimeClass ?? ''}" not found`);
      await this.#makeLogDirectory(config);
      this.#sandboxId = await runtime.runPodSandbox(config, { runtimeHandler });
      const status = await runtime.podSandboxStatus(this.#sandboxId);
      if (status?.ip !== undefined && status.ip !== '' && pod.spec.hostNetwork !== true) {
        this.#podIps = [status.ip, ...status.additionalIps];
      }
      return true;
    } catch (error) {
      // A pod that is being deleted may fail halfway; that is no news.
      if (this.#input.signal.aborted) return false;
      const message = `Failed to create pod sandbox: ${grpcText(error)}`;
      events.event(pod, { type: 'Warning', reason: 'FailedCreatePodSandBox', message });
      this.#wakeAt(clock.now() + RETRY_MS);
      return false;
    }
  }

  async #start(action: PodAction & { type: 'startContainer' }): Promise<boolean> {
    const { pod, view, plan } = this.#input;
    const { clock, crashBackOff, node } = this.#services;
    const { container } = action;
    if (this.#sandboxId === undefined) return false;
    if (this.#isWaiting(container.name, container.image ?? '')) return !action.isRequired;
    if (action.lastFinishedMs !== undefined) {
      crashBackOff.next(`${podUid(pod)}/${container.name}`, action.lastFinishedMs, clock.now());
    }
    const outcome: StartOutcome = await startContainer(this.#services, {
      pod,
      container,
      restartCount: action.restartCount,
      sandboxId: this.#sandboxId,
      sandbox: this.#sandboxConfig(plan.attempt),
      view,
      podIps: this.#podIps,
      hostIps: node.hostIps,
      volumes: this.#volumes?.mounts,
    });
    if (outcome.type === 'started') {
      this.#state.startFailures.delete(container.name);
      return true;
    }
    this.#state.startFailures.set(container.name, outcome.failure);
    const untilMs = clock.now() + outcome.retryAfterMs;
    this.#wakeAt(untilMs);
    if (WAITING_FAILURES.includes(outcome.failure.reason)) {
      this.#state.waits.set(container.name, { what: container.image ?? '', untilMs });
    }
    return !action.isRequired;
  }

  /** Whether the container is to be left alone for now; `what` is the image or the moment that it waits for. */
  #isWaiting(name: string, what: string): boolean {
    const wait = this.#state.waits.get(name);
    if (wait === undefined || wait.what !== what || wait.untilMs <= this.#services.clock.now()) return false;
    this.#wakeAt(wait.untilMs);
    return true;
  }

  #backOff(action: PodAction & { type: 'backOff' }): void {
    const { pod } = this.#input;
    const { container, delayMs, untilMs } = action;
    if (this.#isWaiting(container.name, String(untilMs))) return;
    this.#state.waits.set(container.name, { what: String(untilMs), untilMs });
    const message = crashLoopMessage(pod, container, delayMs);
    this.#state.startFailures.set(container.name, { reason: 'CrashLoopBackOff', message });
    containerEvent(
      this.#services.events,
      { pod, container },
      {
        type: 'Warning',
        reason: 'BackOff',
        message: `Back-off restarting failed container ${container.name} in pod ${podFormat(pod)}`,
      },
    );
  }

  #sandboxConfig(attempt: number): PodSandboxConfig {
    const { dns, paths, cgroupRoot } = this.#services;
    return sandboxConfig(this.#input.pod, { ...dns, attempt, podLogsRoot: paths.podLogs, cgroupRoot });
  }

  async #makeLogDirectory(config: PodSandboxConfig): Promise<void> {
    if (this.#services.volumes === undefined) return;
    await this.#services.host.files.makeDirectory(config.logDirectory, { mode: 0o755 });
  }

  /** Waits for the step, but not past the pod's end: what still goes on is seen, and ended, by the termination. */
  async #raced(step: Promise<boolean>): Promise<boolean> {
    const { signal } = this.#input;
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<false>();
    const onAbort = () => resolve(false);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([step, promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      step.catch((error: unknown) => this.#services.log.debug('step ended after its pod', { error: String(error) }));
    }
  }

  #tell(reason: string, message: string): void {
    this.#services.events.event(this.#input.pod, { type: 'Normal', reason, message });
  }

  #wakeAt(timeMs: number): void {
    this.#wakeAtMs = Math.min(this.#wakeAtMs ?? timeMs, timeMs);
  }
}

function podIps(services: PodServices, { pod, view }: CarryOutInput): readonly string[] {
  return pod.spec.hostNetwork === true ? services.node.hostIps : view.ips;
}
