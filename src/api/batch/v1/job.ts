import { deepCopy } from '#machinery/codec/deep.ts';
import { humanDuration } from '#machinery/time/human-duration.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../columns/containers.ts';
import { defaultPodTemplate } from '../../core/v1/pod/defaults.ts';
import { templateWarnings } from '../../core/v1/pod/warnings.ts';
import { JOBS } from '../../generated/resources.ts';
import type { Job, JobSpec } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind, type KindColumn } from '../../registry/kind.ts';
import { INT32_MAX } from '../../validation/basics.ts';
import { hostnameWarnings } from '../../validation/hostname-warning.ts';
import { CONTROLLER_UID_LABEL, jobLabels } from './job-labels.ts';
import { isJobConditionTrue, validateJobStatusUpdate } from './job-status.ts';
import { validateJob, validateJobUpdate } from './job-validation.ts';

const MANY_COMPLETIONS = 100_000;
const MANY_PODS = 10_000;
const TOO_MANY =
  'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';

const columns: readonly KindColumn<Job>[] = [
  nameColumn,
  column('Status', 'Status of the job.', statusCell),
  column('Completions', 'Successful pods of those wanted.', completionsCell),
  column('Duration', 'Time required to complete the job.', durationCell),
  ageColumn,
  ...containerColumns<Job>(({ spec }) => spec.template.spec),
  selectorColumn('Which pods belong to the job.', ({ spec }) => spec.selector),
];

export const jobs = defineKind(JOBS, {
  strategy: {
    hasGeneration: true,
    defaultPropagation: 'Orphan',
    applyDefaults: (next) => {
      defaultJobSpec(next.spec);
      const labels = next.spec.template.metadata?.labels;
      if (labels !== undefined && next.metadata.labels === undefined) next.metadata.labels = { ...labels };
    },
    prepareForCreate(next) {
      next.status = {};
      generateSelector(next);
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
      if (current.spec.selector !== undefined) next.spec.selector ??= deepCopy(current.spec.selector);
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate: validateJob,
    validateUpdate: validateJobUpdate,
    validateStatusUpdate: validateJobStatusUpdate,
    warnings,
  },
  columns,
  selectableFields: { 'status.successful': (job) => String(job.status?.succeeded ?? 0) },
});

/** The defaults of a job, in a job and in a cron job's template. */
export function defaultJobSpec(spec: JobSpec): void {
  defaultPodTemplate((spec.template ??= {}));
  // Neither set means one pod; parallelism alone means any number of completions.
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : INT32_MAX;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  spec.manualSelector ??= false;
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  }
}

/** Ties the job to its own pods only: its uid is in their labels and in its selector. */
function generateSelector(job: Job): void {
  const { spec } = job;
  if (spec.manualSelector === true) return;
  const metadata = (spec.template.metadata ??= {});
  // What a client set stays, for validation to refuse.
  metadata.labels = { ...jobLabels(job), ...metadata.labels };
  const matchLabels = { ...spec.selector?.matchLabels };
  matchLabels[CONTROLLER_UID_LABEL] ??= job.metadata.uid ?? '';
  spec.selector = { ...spec.selector, matchLabels };
}

function warnings(next: Job, current: Job | undefined): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = next.spec;
  const texts = hostnameWarnings(next.metadata.name, current);
  if (completionMode === 'Indexed' && completions > MANY_COMPLETIONS && parallelism > MANY_PODS) texts.push(TOO_MANY);
  return [...texts, ...templateWarnings(next.spec.template)];
}

function statusCell(job: Job): string {
  if (isJobConditionTrue(job.status, 'Complete')) return 'Complete';
  if (isJobConditionTrue(job.status, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (isJobConditionTrue(job.status, 'Suspended')) return 'Suspended';
  if (isJobConditionTrue(job.status, 'FailureTarget')) return 'FailureTarget';
  if (isJobConditionTrue(job.status, 'SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return 'Running';
}

function completionsCell({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationCell({ status }: Job, nowMs: number): string {
  const startMs = status?.startTime === undefined ? undefined : parseTime(status.startTime);
  if (startMs === undefined) return '';
  const endMs = status?.completionTime === undefined ? nowMs : (parseTime(status.completionTime) ?? nowMs);
  return humanDuration(endMs - startMs);
}
