import { isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import { jobLabels } from '#api/batch/v1/job-labels.ts';
import type { Container, Job, Pod } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { podFromTemplate } from '../shared/pods.ts';

export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
export const INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';
export const FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';
export const IGNORED_COUNT = 'batch.kubernetes.io/job-index-ignored-failure-count';

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(TRACKING_FINALIZER) === true;
}

/** The completion index of a pod; undefined where it has none that is a number. */
export function indexOfPod(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[INDEX_ANNOTATION];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

export function failureCountOf(pod: Pod): number {
  return Number(pod.metadata.annotations?.[FAILURE_COUNT] ?? '0') || 0;
}

/** Whether a pod counts as failed: one that is deleted does too, unless only failed ones are replaced. */
export function isFailedPod(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy !== undefined) return false;
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

/** When the last container of an ended pod ended, or when it was deleted. */
export function endedAtMs(pod: Pod, nowMs: number): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => parseTime(state?.terminated?.finishedAt ?? ''));
  const known = ends.filter((time): time is number => time !== undefined);
  if (isPodTerminal(pod) && known.length > 0) return Math.max(...known);
  return parseTime(pod.metadata.deletionTimestamp ?? '') ?? nowMs;
}

/** A pod of a job. `index` is given for indexed jobs, `failures` where failures count by index. */
export function newJobPod(job: Job, options: { index?: number; failures?: number; ignored?: number }): Pod {
  const pod = podFromTemplate(job.spec.template, job);
  const { index } = options;
  const finalizers = [...(pod.metadata.finalizers ?? []), TRACKING_FINALIZER];
  const labels = { ...pod.metadata.labels };
  if (job.spec.manualSelector !== true) Object.assign(labels, jobLabels(job));
  const metadata = { ...pod.metadata, labels, finalizers };
  if (index === undefined) return { ...pod, metadata };
  const value = String(index);
  const name = `${job.metadata.name}-${value}`;
  const counts =
    job.spec.backoffLimitPerIndex === undefined
      ? {}
      : {
          [FAILURE_COUNT]: String(options.failures ?? 0),
          ...((options.ignored ?? 0) > 0 ? { [IGNORED_COUNT]: String(options.ignored) } : {}),
        };
  const { containers, initContainers } = pod.spec;
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: `${name.slice(0, 57)}-`,
      labels: { ...labels, [INDEX_ANNOTATION]: value },
      annotations: { ...metadata.annotations, [INDEX_ANNOTATION]: value, ...counts },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      containers: containers.map((container) => withIndex(container)),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map((one) => withIndex(one)) }),
    },
  };
}

function withIndex(container: Container): Container {
  if (container.env?.some(({ name }) => name === 'JOB_COMPLETION_INDEX') === true) return container;
  const fieldRef = { fieldPath: `metadata.labels['${INDEX_ANNOTATION}']` };
  return { ...container, env: [...(container.env ?? []), { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef } }] };
}
