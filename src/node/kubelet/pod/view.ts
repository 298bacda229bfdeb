import type { ContainerState, ContainerStatus, PodSandboxStatus } from '../../runtime/contract.ts';
import { containerFacts } from './labels.ts';

/** One container attempt as the runtime knows it, with what the kubelet wrote on it. */
export interface ContainerView {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly state: ContainerState;
  readonly hash: string;
  readonly restartCount: number;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  readonly imageRef: string;
  readonly user?: ContainerStatus['user'];
}

/** Everything the runtime knows of one pod: the observed half of every decision about it. */
export interface PodView {
  /** Newest first. */
  readonly sandboxes: readonly PodSandboxStatus[];
  /** Newest first; all attempts that were not removed yet. */
  readonly containers: readonly ContainerView[];
  /** Addresses of the newest sandbox, if it is ready. */
  readonly ips: readonly string[];
}

export const EMPTY_VIEW: PodView = { sandboxes: [], containers: [], ips: [] };

/** The newest attempt of a container. */
export function findContainer(view: PodView, name: string): ContainerView | undefined {
  return view.containers.find((container) => container.name === name);
}

export function runningContainers(view: PodView): ContainerView[] {
  return view.containers.filter((container) => container.state === 'RUNNING' || container.state === 'UNKNOWN');
}

/** Whether nothing of the pod runs any more. */
export function isStopped(view: PodView): boolean {
  return runningContainers(view).length === 0 && view.sandboxes.every((sandbox) => sandbox.state !== 'READY');
}

export function containerView(status: ContainerStatus, terminationMessage: string): ContainerView {
  const facts = containerFacts(status);
  return {
    id: status.id,
    sandboxId: status.podSandboxId,
    name: facts.name,
    state: status.state,
    hash: facts.hash,
    restartCount: facts.restartCount,
    createdAtMs: status.createdAtMs,
    startedAtMs: status.startedAtMs,
    finishedAtMs: status.finishedAtMs,
    exitCode: status.exitCode,
    reason: status.reason,
    message: terminationMessage === '' ? status.message : terminationMessage,
    image: status.image,
    imageRef: status.imageRef,
    ...(status.user === undefined ? {} : { user: status.user }),
  };
}
