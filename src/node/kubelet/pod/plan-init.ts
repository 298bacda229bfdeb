import {
  hasCreatedRegularContainer,
  type KillWish,
  type PlanInput,
  type StartWish,
  unknownState,
} from './plan-types.ts';
import { restartsAfterExit } from './restart.ts';
import type { Container } from '#api/generated/types.ts';
import { isSidecar } from './pod.ts';
import { type ContainerView, findContainer } from './view.ts';

export interface InitPlan {
  /** Every init container has done its part: regular containers may run. */
  readonly isInitialized: boolean;
  /** An init container failed for good. */
  readonly isFailed: boolean;
  /** In the order of the spec. */
  readonly start: readonly StartWish[];
  readonly kill: readonly KillWish[];
}

/** What one init container means for the next one. */
type Progress = 'done' | 'busy' | 'restart' | 'failed';

/**
 * Init containers run one after another; a sidecar counts as done once it has started, and is kept running from then on.
 * The furthest container that the runtime knows tells how far initialization is.
 */
export function planInitContainers(input: PlanInput): InitPlan {
  const { pod, view } = input;
  const init = pod.spec.initContainers ?? [];
  const start: StartWish[] = [];
  const kill: KillWish[] = [];
  let isInitialized = init.length === 0 || hasCreatedRegularContainer(pod, view);
  // True once a later container was seen: everything before it has been initialized.
  let isPast = isInitialized;
  for (const [index, container] of [...init.entries()].reverse()) {
    const current = findContainer(view, container.name);
    if (current === undefined) {
      if (isPast && isSidecar(container)) start.push(wish(container, 'its sidecar is missing'));
      continue;
    }
    if (isPast && !isSidecar(container)) continue;
    const progress = progressOf({ input, current, container, kill, start });
    if (progress === 'failed') return { isInitialized: false, isFailed: true, start: [], kill: [] };
    if (progress === 'restart') start.push(wish(container, `it is ${current.state}`));
    if (progress === 'done' && !isPast) {
      const next = init[index + 1];
      if (next === undefined) isInitialized = true;
      else start.push(wish(next, 'the init container before it is done'));
    }
    isPast = true;
  }
  const first = init[0];
  if (!isPast && first !== undefined) start.push(wish(first, 'initialization starts'));
  return { isInitialized, isFailed: false, start: inSpecOrder(start, init), kill };
}

interface OneInit {
  input: PlanInput;
  current: ContainerView;
  container: Container;
  kill: KillWish[];
  start: StartWish[];
}

function progressOf(one: OneInit): Progress {
  const { input, current, container, kill } = one;
  switch (current.state) {
    case 'CREATED':
      // Creating and starting is one step, so its start failed.
      return 'restart';
    case 'RUNNING':
      return isSidecar(container) ? sidecarProgress(one) : 'busy';
    case 'EXITED':
      if (isSidecar(container)) return 'restart';
      if (current.exitCode === 0) return 'done';
      return mayRetry(input, container, current.exitCode) ? 'restart' : 'failed';
    case 'UNKNOWN':
      if (!isSidecar(container) && !mayRetry(input, container, 137)) return 'failed';
      kill.push(unknownState('Init container', current, container));
      return 'restart';
  }
}

function sidecarProgress({ input, current, container, kill, start }: OneInit): Progress {
  if (container.startupProbe !== undefined) {
    const startup = input.startup(current.id);
    if (startup === 'failure') {
      const why = `Init container ${container.name} failed startup probe, will be restarted`;
      kill.push({ view: current, container, reason: 'startupProbe', why });
      return 'restart';
    }
    if (startup !== 'success') return 'busy';
  }
  if (input.liveness(current.id) === 'failure') {
    // It has started once, which is all that the next init container waits for.
    const why = `Init container ${container.name} failed liveness probe, will be restarted`;
    kill.push({ view: current, container, reason: 'livenessProbe', why });
    start.push(wish(container, why));
  }
  return 'done';
}

function mayRetry(input: PlanInput, container: Container, exitCode: number): boolean {
  if (container.restartPolicy !== undefined || container.restartPolicyRules !== undefined) {
    return restartsAfterExit(container, input.pod, exitCode);
  }
  return input.pod.spec.restartPolicy !== 'Never';
}

function wish(container: Container, why: string): StartWish {
  return { role: 'init', container, why };
}

function inSpecOrder(wishes: readonly StartWish[], init: readonly Container[]): StartWish[] {
  return [...wishes].sort((left, right) => init.indexOf(left.container) - init.indexOf(right.container));
}
