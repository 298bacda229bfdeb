import type { Container, Pod } from '#api/generated/types.ts';
import { goDuration } from './go-duration.ts';
import { containerHash } from './labels.ts';
import { planInitContainers } from './plan-init.ts';
import {
  hasCreatedRegularContainer,
  type KillReason,
  type KillWish,
  type PlanInput,
  type PodAction,
  type PodPlan,
  type StartWish,
  unknownState,
} from './plan-types.ts';
import { podFormat } from './pod.ts';
import { restartsOnFailure, shouldBeStarted } from './restart.ts';
import { type ContainerView, findContainer, type PodView } from './view.ts';

/**
 * What to do next for a pod that should run: observed state and time in, steps out. Level-triggered and idempotent: it
 * gives the same answer after a restart, because everything it knows comes from the spec and the runtime.
 */
export function planPod(input: PlanInput): PodPlan {
  const sandbox = sandboxNeed(input.pod, input.view);
  return sandbox.isNeeded ? planNewSandbox(input, sandbox) : planContainers(input, sandbox);
}

export interface SandboxNeed {
  readonly isNeeded: boolean;
  readonly attempt: number;
  /** The newest sandbox there is. */
  readonly sandboxId?: string;
  readonly why: string;
}

/** Whether the pod needs a (new) sandbox. */
export function sandboxNeed(pod: Pod, view: PodView): SandboxNeed {
  const newest = view.sandboxes[0];
  if (newest === undefined) return { isNeeded: true, attempt: 0, why: 'the pod has no sandbox' };
  const next = { isNeeded: true, attempt: newest.metadata.attempt + 1, sandboxId: newest.id };
  if (view.sandboxes.filter((one) => one.state === 'READY').length > 1) {
    return { ...next, why: 'the pod has more than one ready sandbox' };
  }
  if (newest.state !== 'READY') return { ...next, why: 'the sandbox is not ready' };
  if (pod.spec.hostNetwork !== true && (newest.ip ?? '') === '') {
    return { ...next, why: 'the sandbox has no address' };
  }
  return { isNeeded: false, attempt: newest.metadata.attempt, sandboxId: newest.id, why: 'the sandbox is ready' };
}

function planNewSandbox(input: PlanInput, need: SandboxNeed): PodPlan {
  const { pod, view } = input;
  const stop: PodAction = { type: 'stopPod', why: need.why };
  const cleanup = view.sandboxes.length === 0 && view.containers.length === 0 ? [] : [stop];
  const onlyStop = { actions: cleanup, attempt: need.attempt };
  if (!restartsOnFailure(pod) && need.attempt !== 0 && view.containers.length > 0) return onlyStop;
  const regular = pod.spec.containers.filter(
    (one) => !(pod.spec.restartPolicy === 'OnFailure' && hasSucceeded(one, view)),
  );
  if (regular.length === 0 && hasCreatedRegularContainer(pod, view)) return onlyStop;

  const actions: PodAction[] = [];
  if (need.sandboxId !== undefined) actions.push({ type: 'announceSandboxChange' });
  actions.push(...cleanup);
  for (const container of pod.spec.initContainers ?? []) {
    for (const old of view.containers.filter((one) => one.name === container.name)) {
      actions.push({ type: 'removeContainer', id: old.id, why: 'initialization starts over in a new sandbox' });
    }
  }
  actions.push({ type: 'createSandbox', attempt: need.attempt, why: need.why });
  const firstInit = pod.spec.initContainers?.[0];
  const wishes: StartWish[] =
    firstInit === undefined
      ? regular.map((container) => ({ role: 'regular', container, why: 'the pod starts' }))
      : [{ role: 'init', container: firstInit, why: 'initialization starts' }];
  return withStarts(input, { actions, attempt: need.attempt }, wishes);
}

function planContainers(input: PlanInput, need: SandboxNeed): PodPlan {
  const { pod, view } = input;
  const base = { attempt: need.attempt, ...(need.sandboxId === undefined ? {} : { sandboxId: need.sandboxId }) };
  const stop = (why: string): PodPlan => ({ ...base, actions: isIdle(view) ? [] : [{ type: 'stopPod', why }] });

  const ephemeral: StartWish[] = (pod.spec.ephemeralContainers ?? [])
    .filter((one) => findContainer(view, one.name) === undefined)
    .map((container) => ({ role: 'ephemeral', container, why: 'the ephemeral container was added' }));
  const init = planInitContainers(input);
  if (init.isFailed) return stop('an init container failed and the pod is not restarted');
  if (!init.isInitialized) {
    return withStarts(input, { ...base, actions: kills(init.kill) }, [...ephemeral, ...init.start]);
  }
  const regular = planRegularContainers(input);
  if (regular.keepCount === 0 && regular.start.length === 0) return stop('all containers have ended');
  return withStarts(input, { ...base, actions: kills([...init.kill, ...regular.kill]) }, [
    ...ephemeral,
    ...init.start,
    ...regular.start,
  ]);
}

function planRegularContainers(input: PlanInput): { keepCount: number; start: StartWish[]; kill: KillWish[] } {
  const { pod, view } = input;
  const start: StartWish[] = [];
  const kill: KillWish[] = [];
  let keepCount = 0;
  for (const container of pod.spec.containers) {
    const current = findContainer(view, container.name);
    if (current === undefined || current.state !== 'RUNNING') {
      if (!shouldBeStarted(container, pod, view)) continue;
      if (current?.state === 'UNKNOWN') kill.push(unknownState('Container', current, container));
      start.push({
        role: 'regular',
        container,
        why: current === undefined ? 'it is missing' : `it is ${current.state}`,
      });
      continue;
    }
    const trouble = troubleOf(input, current, container);
    if (trouble === undefined) {
      keepCount += 1;
      continue;
    }
    const isRestarted = trouble.reason === 'specChanged' || restartsOnFailure(pod);
    const why = isRestarted ? `${trouble.why}, will be restarted` : trouble.why;
    if (isRestarted) start.push({ role: 'regular', container, why });
    kill.push({ view: current, container, reason: trouble.reason, why });
  }
  return { keepCount, start, kill };
}

function troubleOf(
  input: PlanInput,
  current: ContainerView,
  container: Container,
): { reason: KillReason; why: string } | undefined {
  if (current.hash !== containerHash(container)) {
    return { reason: 'specChanged', why: `Container ${container.name} definition changed` };
  }
  if (input.liveness(current.id) === 'failure') {
    return { reason: 'livenessProbe', why: `Container ${container.name} failed liveness probe` };
  }
  if (input.startup(current.id) === 'failure') {
    return { reason: 'startupProbe', why: `Container ${container.name} failed startup probe` };
  }
  return undefined;
}

function kills(wishes: readonly KillWish[]): PodAction[] {
  return wishes.map(({ view, container, reason, why }) => ({
    type: 'killContainer',
    id: view.id,
    container,
    reason,
    why,
  }));
}

/** Turns wishes into starts, or into waiting where the container crashed too lately. */
function withStarts(input: PlanInput, plan: PodPlan, wishes: readonly StartWish[]): PodPlan {
  const actions = [...plan.actions];
  let wakeAtMs = plan.wakeAtMs;
  for (const { role, container, why } of wishes) {
    const ended = input.view.containers.find((one) => one.name === container.name && one.state === 'EXITED');
    const isRequired = role === 'init' && container.restartPolicy !== 'Always';
    const wait = ended === undefined ? undefined : input.backOff(container, ended.finishedAtMs);
    if (wait !== undefined && wait.waitMs > 0) {
      const untilMs = input.nowMs + wait.waitMs;
      actions.push({ type: 'backOff', container, delayMs: wait.delayMs, untilMs });
      wakeAtMs = Math.min(wakeAtMs ?? untilMs, untilMs);
      if (isRequired) break;
      continue;
    }
    actions.push({
      type: 'startContainer',
      role,
      container,
      restartCount: nextRestartCount(input.pod, input.view, container.name),
      ...(ended === undefined ? {} : { lastFinishedMs: ended.finishedAtMs }),
      isRequired,
      why,
    });
  }
  return { ...plan, actions, ...(wakeAtMs === undefined ? {} : { wakeAtMs }) };
}

function nextRestartCount(pod: Pod, view: PodView, name: string): number {
  const current = findContainer(view, name);
  if (current !== undefined) return current.restartCount + 1;
  // The runtime lost the container (its state was wiped): the API still knows how often it ran.
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const known = statuses.find((one) => one.name === name);
  if (known === undefined) return 0;
  const hasRun = known.state?.running !== undefined || known.state?.terminated !== undefined;
  return hasRun ? known.restartCount + 1 : known.restartCount;
}

function hasSucceeded(container: Container, view: PodView): boolean {
  const current = findContainer(view, container.name);
  return current !== undefined && current.state === 'EXITED' && current.exitCode === 0;
}

/** Nothing runs and no sandbox is ready: stopping would do nothing. */
function isIdle(view: PodView): boolean {
  return (
    view.sandboxes.every((one) => one.state !== 'READY') && view.containers.every((one) => one.state !== 'RUNNING')
  );
}

/** The message of a container that waits for its next try. */
export function crashLoopMessage(pod: Pod, container: Container, delayMs: number): string {
  return `back-off ${goDuration(delayMs)} restarting failed container=${container.name} pod=${podFormat(pod)}`;
}
