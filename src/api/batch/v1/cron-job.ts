import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn, since } from '../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../columns/containers.ts';
import { defaultPodTemplate } from '../../core/v1/pod/defaults.ts';
import { CRON_JOBS } from '../../generated/resources.ts';
import type { CronJob } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, checkOneOf, checkRequired, type FieldErrors } from '../../validation/basics.ts';
import { checkJobSpec } from './job.ts';

const specPath = new FieldPath('spec');
/** A job's name is the cron job's with eleven characters more. */
const NAME_LENGTH_MAX = 52;

export const cronJobs = defineKind(CRON_JOBS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults(next) {
      const { spec } = next;
      spec.concurrencyPolicy ||= 'Allow';
      spec.suspend ??= false;
      spec.successfulJobsHistoryLimit ??= 3;
      spec.failedJobsHistoryLimit ??= 1;
      // Counts are defaulted when a job is made of the template.
      defaultPodTemplate(spec.jobTemplate?.spec?.template);
    },
    validate: (next) => {
      const errors = validate(next);
      const name = next.metadata.name ?? '';
      if (name.length > NAME_LENGTH_MAX) {
        errors.push(
          invalidValue(new FieldPath('metadata.name'), name, `must be no more than ${NAME_LENGTH_MAX} characters`),
        );
      }
      return errors;
    },
    validateUpdate: (next) => validate(next),
  },
  columns: [
    nameColumn,
    column(
      'Schedule',
      'The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.',
      ({ spec }) => spec.schedule,
    ),
    column('Timezone', 'The time zone of the schedule.', ({ spec }) => spec.timeZone ?? '<none>'),
    column('Suspend', 'Whether no further jobs are started.', ({ spec }) => (spec.suspend === true ? 'True' : 'False')),
    column('Active', 'A list of pointers to currently running jobs.', ({ status }) => status?.active?.length ?? 0, {
      type: 'integer',
    }),
    column(
      'Last Schedule',
      'Information when was the last time the job was successfully scheduled.',
      ({ status }, nowMs) =>
        status?.lastScheduleTime === undefined ? '<none>' : since(status.lastScheduleTime, nowMs),
    ),
    ageColumn,
    ...containerColumns<CronJob>(({ spec }) => spec.jobTemplate.spec?.template.spec),
    selectorColumn('Which pods belong to the jobs.', ({ spec }) => spec.jobTemplate.spec?.selector),
  ],
});

function validate({ spec }: CronJob): FieldError[] {
  const errors: FieldErrors = [];
  checkRequired(spec.schedule, specPath.child('schedule'), errors);
  if (spec.schedule.includes('TZ')) {
    const detail = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    errors.push(invalidValue(specPath.child('schedule'), spec.schedule, detail));
  } else if (spec.schedule !== '' && !spec.schedule.startsWith('@') && spec.schedule.trim().split(/\s+/).length !== 5) {
    const count = spec.schedule.trim().split(/\s+/).length;
    const detail = `expected exactly 5 fields, found ${count}: [${spec.schedule.trim().split(/\s+/).join(' ')}]`;
    errors.push(invalidValue(specPath.child('schedule'), spec.schedule, detail));
  }
  checkNotNegative(spec.startingDeadlineSeconds, specPath.child('startingDeadlineSeconds'), errors);
  checkOneOf(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], specPath.child('concurrencyPolicy'), errors);
  checkNotNegative(spec.successfulJobsHistoryLimit, specPath.child('successfulJobsHistoryLimit'), errors);
  checkNotNegative(spec.failedJobsHistoryLimit, specPath.child('failedJobsHistoryLimit'), errors);
  if (spec.jobTemplate?.spec !== undefined) {
    checkJobSpec(spec.jobTemplate.spec, specPath.child('jobTemplate', 'spec'), errors);
  }
  return errors;
}
