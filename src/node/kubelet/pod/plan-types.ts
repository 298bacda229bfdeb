import type { Container, Pod } from '#api/generated/types.ts';
import { type ContainerView, findContainer, type PodView } from './view.ts';

export type ProbeResult = 'success' | 'failure' | 'unknown';

/** Why a container is killed; it chooses whose grace period counts. */
export type KillReason = 'startupProbe' | 'livenessProbe' | 'unknownState' | 'specChanged' | 'podTermination';

export type ContainerRole = 'init' | 'regular' | 'ephemeral';

/** One step for the shell, in order. Each says why in words that events and `why` can show. */
export type PodAction =
  | { readonly type: 'announceSandboxChange' }
  /** Stops all containers and sandboxes of the pod. */
  | { readonly type: 'stopPod'; readonly why: string }
  | {
      readonly type: 'killContainer';
      readonly id: string;
      readonly container: Container;
      readonly reason: KillReason;
      readonly why: string;
    }
  | { readonly type: 'removeContainer'; readonly id: string; readonly why: string }
  | { readonly type: 'createSandbox'; readonly attempt: number; readonly why: string }
  | {
      readonly type: 'startContainer';
      readonly role: ContainerRole;
      readonly container: Container;
      readonly restartCount: number;
      /** Where the container ended before: when, for the back-off to count from. */
      readonly lastFinishedMs?: number;
      /** If it cannot start, nothing after it starts. */
      readonly isRequired: boolean;
      readonly why: string;
    }
  | { readonly type: 'backOff'; readonly container: Container; readonly delayMs: number; readonly untilMs: number };

export interface PodPlan {
  readonly actions: readonly PodAction[];
  /** The sandbox that containers go into, unless the actions create one. */
  readonly sandboxId?: string;
  readonly attempt: number;
  /** Look again at this time at the latest. */
  readonly wakeAtMs?: number;
}

export interface PlanInput {
  readonly pod: Pod;
  readonly view: PodView;
  readonly nowMs: number;
  readonly liveness: (containerId: string) => ProbeResult | undefined;
  readonly startup: (containerId: string) => ProbeResult | undefined;
  /** How long this container must wait, counted from its last end. */
  readonly backOff: (container: Container, finishedMs: number) => { waitMs: number; delayMs: number };
}

/** A start that the planners ask for, before the back-off is applied. */
export interface StartWish {
  readonly role: ContainerRole;
  readonly container: Container;
  readonly why: string;
}

export interface KillWish {
  readonly view: ContainerView;
  readonly container: Container;
  readonly reason: KillReason;
  readonly why: string;
}

export function unknownState(what: string, view: ContainerView, container: Container): KillWish {
  const why = `${what} is in "unknown" state, try killing it before restart`;
  return { view, container, reason: 'unknownState', why };
}

export function hasCreatedRegularContainer(pod: Pod, view: PodView): boolean {
  return pod.spec.containers.some((container) => {
    const current = findContainer(view, container.name);
    return current !== undefined && current.state !== 'UNKNOWN';
  });
}
