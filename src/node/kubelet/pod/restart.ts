import type { Container, Pod } from '#api/generated/types.ts';
import { isSidecar } from './pod.ts';
import { findContainer, type PodView } from './view.ts';

/**
 * Whether a container that ended with `exitCode` runs again: its own policy and rules (KEP-5307) before the pod's.
 * Init containers other than sidecars run until they succeed, unless the pod never restarts.
 */
export function restartsAfterExit(container: Container, pod: Pod, exitCode: number): boolean {
  const rule = container.restartPolicyRules?.find((one) => matchesExitCode(one.exitCodes, exitCode));
  if (rule !== undefined) return rule.action === 'Restart' || rule.action === 'RestartAllContainers';
  switch (container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') {
    case 'Always':
      return true;
    case 'OnFailure':
      return exitCode !== 0;
    default:
      return false;
  }
}

/** Whether anything in the pod may run again after a failure. */
export function restartsOnFailure(pod: Pod): boolean {
  if (pod.spec.restartPolicy !== 'Never') return true;
  return pod.spec.containers.some((one) => (one.restartPolicy ?? 'Never') !== 'Never' || one.restartPolicyRules);
}

/** Whether the kubelet means to start this container (again), whatever the back-off says. */
export function shouldBeStarted(container: Container, pod: Pod, view: PodView): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  const current = findContainer(view, container.name);
  if (current === undefined) return true;
  switch (current.state) {
    case 'RUNNING':
      return false;
    case 'CREATED':
    case 'UNKNOWN':
      return true;
    case 'EXITED':
      return isSidecar(container) || restartsAfterExit(container, pod, current.exitCode);
  }
}

function matchesExitCode(match: { operator: string; values?: number[] } | undefined, exitCode: number): boolean {
  if (match === undefined) return false;
  const isListed = (match.values ?? []).includes(exitCode);
  return match.operator === 'NotIn' ? !isListed : isListed;
}
