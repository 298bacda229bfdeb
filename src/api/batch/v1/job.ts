import { deepCopy } from '#machinery/codec/deep.ts';
import { type FieldError, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { humanDuration } from '#machinery/time/human-duration.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../columns/containers.ts';
import { defaultPodTemplate } from '../../core/v1/pod/defaults.ts';
import { templateWarnings } from '../../core/v1/pod/warnings.ts';
import { checkPodTemplate } from '../../core/v1/pod/validation/pod-spec.ts';
import { JOBS } from '../../generated/resources.ts';
import type { Job, JobSpec } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind, type KindColumn } from '../../registry/kind.ts';
import { checkNotNegative, checkOptionalOneOf, type FieldErrors, INT32_MAX } from '../../validation/basics.ts';

const specPath = new FieldPath('spec');
const CONTROLLER_UID_LABEL = 'batch.kubernetes.io/controller-uid';
const JOB_NAME_LABEL = 'batch.kubernetes.io/job-name';

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
    validate,
    validateUpdate,
    warnings: (next) => templateWarnings(next.spec.template),
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
  const metadata = (spec.template.metadata ??= {});
  const uid = job.metadata.uid ?? '';
  const name = job.metadata.name ?? '';
  const labels = { ...metadata.labels };
  if (spec.manualSelector === true) {
    labels['job-name'] ??= name;
    labels[JOB_NAME_LABEL] ??= name;
    metadata.labels = labels;
    return;
  }
  Object.assign(labels, {
    [CONTROLLER_UID_LABEL]: uid,
    'controller-uid': uid,
    [JOB_NAME_LABEL]: name,
    'job-name': name,
  });
  metadata.labels = labels;
  spec.selector = {
    ...spec.selector,
    matchLabels: { ...spec.selector?.matchLabels, [CONTROLLER_UID_LABEL]: uid },
  };
}

function conditionIsTrue(job: Job, type: string): boolean {
  return job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

function statusCell(job: Job): string {
  if (conditionIsTrue(job, 'Complete')) return 'Complete';
  if (conditionIsTrue(job, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (conditionIsTrue(job, 'Suspended')) return 'Suspended';
  if (conditionIsTrue(job, 'FailureTarget')) return 'FailureTarget';
  if (conditionIsTrue(job, 'SuccessCriteriaMet')) return 'SuccessCriteriaMet';
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

function validate(job: Job): FieldError[] {
  const errors: FieldErrors = [];
  if (job.spec.selector === undefined) errors.push(required(specPath.child('selector'), ''));
  checkJobSpec(job.spec, specPath, errors);
  return errors;
}

export function checkJobSpec(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const numbers = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const;
  for (const field of numbers) checkNotNegative(spec[field], path.child(field), errors);
  checkOptionalOneOf(spec.completionMode, ['Indexed', 'NonIndexed'], path.child('completionMode'), errors);
  if (spec.completionMode === 'Indexed' && spec.completions === undefined) {
    errors.push(required(path.child('completions'), 'when completion mode is Indexed'));
  }
  checkPodTemplate(spec.template, path.child('template'), errors);
  const restartPolicy = spec.template.spec?.restartPolicy ?? '';
  if (restartPolicy === 'Always') {
    const at = path.child('template', 'spec', 'restartPolicy');
    errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  } else if (restartPolicy !== 'OnFailure' && restartPolicy !== 'Never') {
    errors.push(notSupported(path.child('template', 'spec', 'restartPolicy'), restartPolicy, ['OnFailure', 'Never']));
  }
}

function validateUpdate(next: Job, current: Job): FieldError[] {
  const errors = validate(next);
  for (const field of ['selector', 'completionMode', 'podFailurePolicy', 'backoffLimitPerIndex'] as const) {
    errors.push(...immutableField(next.spec[field], current.spec[field], specPath.child(field)));
  }
  if (current.spec.completionMode !== 'Indexed') {
    errors.push(...immutableField(next.spec.completions, current.spec.completions, specPath.child('completions')));
  }
  // A suspended job that never started may still be given other pods.
  if (!(current.spec.suspend === true && current.status?.startTime === undefined)) {
    errors.push(...immutableField(next.spec.template, current.spec.template, specPath.child('template')));
  }
  return errors;
}
