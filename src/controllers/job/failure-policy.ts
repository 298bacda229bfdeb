import { podCondition } from '#api/core/v1/pod/conditions.ts';
import type { Job, Pod, PodFailurePolicyRule } from '#api/generated/types.ts';

/** How a pod's failure counts (KEP-3329, KEP-3850). */
export type FailureVerdict =
  | { readonly action: 'Count' | 'Ignore' | 'FailIndex' }
  | { readonly action: 'FailJob'; readonly message: string };

/** The first rule that matches decides; without one the failure counts. */
export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const match = matchOf(rule, pod, index);
    if (match === undefined) continue;
    if (rule.action === 'FailJob') return { action: 'FailJob', message: match };
    if (rule.action === 'Ignore' || rule.action === 'Count' || rule.action === 'FailIndex') {
      return { action: rule.action };
    }
  }
  return { action: 'Count' };
}

function matchOf(rule: PodFailurePolicyRule, pod: Pod, index: number): string | undefined {
  const podName = `${pod.metadata.namespace}/${pod.metadata.name}`;
  const suffix = `matching ${rule.action} rule at index ${index}`;
  if (rule.onExitCodes !== undefined) {
    const { containerName, operator, values } = rule.onExitCodes;
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    for (const { name, state } of statuses) {
      const exitCode = state?.terminated?.exitCode ?? 0;
      if (exitCode === 0 || (containerName !== undefined && containerName !== name)) continue;
      const isListed = values.includes(exitCode);
      if (operator === 'In' ? isListed : operator === 'NotIn' && !isListed) {
        return `Container ${name} for pod ${podName} failed with exit code ${exitCode} ${suffix}`;
      }
    }
    return undefined;
  }
  for (const { type, status = 'True' } of rule.onPodConditions ?? []) {
    if (podCondition(pod.status, type)?.status === status) return `Pod ${podName} has condition ${type} ${suffix}`;
  }
  return undefined;
}
