import { CronError } from '#machinery/cron/fields.ts';
import { isTimeZone, parseSchedule } from '#machinery/cron/schedule.ts';
import { type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn, since } from '../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../columns/containers.ts';
import { defaultPodTemplate } from '../../core/v1/pod/defaults.ts';
import { templateWarnings } from '../../core/v1/pod/warnings.ts';
import { CRON_JOBS } from '../../generated/resources.ts';
import type { CronJob, CronJobSpec } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, checkOneOf, type FieldErrors } from '../../validation/basics.ts';
import { hostnameWarnings } from '../../validation/hostname-warning.ts';
import { checkJobSpec } from './job-validation.ts';

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
      for (const rule of spec.jobTemplate?.spec?.podFailurePolicy?.rules ?? []) {
        for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
      }
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
    validateUpdate: validate,
    warnings,
  },
  columns: [
    nameColumn,
    column(
      'Schedule',
      'The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.',
      ({ spec }) => spec.schedule,
    ),
    column('Timezone', 'The time zone of the schedule.', ({ spec }) => spec.timeZone ?? '<none>'),
    column(
      'Suspend',
      'Whether no further jobs are started.',
      ({ spec }) => (spec.suspend === true ? 'True' : 'False'),
      { type: 'boolean' },
    ),
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

function validate({ spec }: CronJob, current?: CronJob): FieldError[] {
  const errors: FieldErrors = [];
  checkSchedule(spec, current?.spec, errors);
  checkNotNegative(spec.startingDeadlineSeconds, specPath.child('startingDeadlineSeconds'), errors);
  if (current === undefined || current.spec.timeZone !== spec.timeZone) {
    if (spec.timeZone !== undefined) checkTimeZone(spec.timeZone, specPath.child('timeZone'), errors);
  }
  checkOneOf(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], specPath.child('concurrencyPolicy'), errors);
  const template = spec.jobTemplate.spec;
  const templatePath = specPath.child('jobTemplate', 'spec');
  if (template !== undefined) {
    checkJobSpec(template, templatePath, errors);
    if (template.selector !== undefined) {
      errors.push(invalidValue(templatePath.child('selector'), template.selector, '`selector` will be auto-generated'));
    }
    if (template.manualSelector === true) {
      errors.push(notSupported(templatePath.child('manualSelector'), true, ['nil', 'false']));
    }
  }
  checkNotNegative(spec.successfulJobsHistoryLimit, specPath.child('successfulJobsHistoryLimit'), errors);
  checkNotNegative(spec.failedJobsHistoryLimit, specPath.child('failedJobsHistoryLimit'), errors);
  return errors;
}

function checkSchedule(spec: CronJobSpec, current: CronJobSpec | undefined, errors: FieldErrors): void {
  const path = specPath.child('schedule');
  const { schedule } = spec;
  if (schedule === '') {
    errors.push(required(path, ''));
    return;
  }
  const refuse = (detail: string): void => void errors.push(invalidValue(path, schedule, detail));
  try {
    parseSchedule(schedule);
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    refuse(error.message);
  }
  if (!schedule.includes('TZ')) return;
  // Older objects may keep their zone where they have it.
  if (current?.schedule.includes('TZ') !== true) {
    refuse('cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  } else if (spec.timeZone !== undefined) refuse('cannot use both timeZone field and TZ or CRON_TZ in schedule');
}

/** A name of the IANA database (https://data.iana.org/time-zones/theory.html#naming). */
function checkTimeZone(name: string, path: FieldPath, errors: FieldErrors): void {
  const refuse = (detail: string): void => void errors.push(invalidValue(path, name, detail));
  if (name === '') {
    refuse('timeZone must be nil or non-empty string');
    return;
  }
  const isOdd = (part: string): boolean =>
    part === '.' || part === '..' || part.startsWith('-') || !/^[A-Za-z.\-_0-9+]{1,14}$/.test(part);
  if (name.split('/').some(isOdd)) {
    refuse(`unknown time zone ${name}`);
    return;
  }
  if (name.toLowerCase() === 'local') {
    refuse('timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones');
  }
  // `Local` is a zone to Go, in just this spelling.
  if (name !== 'Local' && !isTimeZone(name)) refuse(`unknown time zone ${name}`);
}

function warnings(next: CronJob, current: CronJob | undefined): string[] {
  const texts = hostnameWarnings(next.metadata.name, current);
  if (next.spec.schedule.includes('TZ')) {
    texts.push(
      'CRON_TZ or TZ used in spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
    );
  }
  return [...texts, ...templateWarnings(next.spec.jobTemplate.spec?.template, 'spec.jobTemplate.spec.template')];
}
