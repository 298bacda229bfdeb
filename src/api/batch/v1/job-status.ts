import { parseTime } from '#machinery/clock/clock.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { duplicateValue, type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { Job, JobStatus } from '../../generated/types.ts';
import { checkNotNegative, type FieldErrors, invalidField } from '../../validation/basics.ts';
import { firstCommonIndex, parseIndexes } from './indexes.ts';

const path = new FieldPath('status');

export function isJobConditionTrue(status: JobStatus | undefined, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

function isFinished(status: JobStatus): boolean {
  return isJobConditionTrue(status, 'Complete') || isJobConditionTrue(status, 'Failed');
}

/** A write through `/status`: what a controller, ours or another, may say of a job (KEP-4368). */
export function validateJobStatusUpdate(next: Job, current: Job): FieldError[] {
  const errors: FieldErrors = [];
  const status = next.status ?? {};
  const before = current.status ?? {};
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
    checkNotNegative(status[field], path.child(field), errors);
  }
  checkUncounted(status, errors);
  checkConditions(next, { status, before }, errors);
  checkTimes(next, { status, before }, errors);
  checkFinished(next, { status, before }, errors);
  checkIndexes(next, { status, before }, errors);
  checkDirections(next, { status, before }, errors);
  return errors;
}

interface Change {
  readonly status: JobStatus;
  readonly before: JobStatus;
}

function checkUncounted({ uncountedTerminatedPods }: JobStatus, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const field of ['succeeded', 'failed'] as const) {
    for (const [index, uid] of (uncountedTerminatedPods?.[field] ?? []).entries()) {
      const at = path.child('uncountedTerminatedPods', field).index(index);
      if (uid === '') errors.push(invalidValue(at, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicateValue(at, uid));
      seen.add(uid);
    }
  }
}

/** Conditions that exclude or require each other, where the write touches them. */
function checkConditions({ spec }: Job, { status, before }: Change, errors: FieldErrors): void {
  const is = (type: string): boolean => isJobConditionTrue(status, type);
  const changed = (...types: string[]): boolean => types.some((type) => is(type) !== isJobConditionTrue(before, type));
  const refuse = (detail: string): void => void errors.push(invalidField(path.child('conditions'), detail));
  if (is('Complete') && is('Failed') && changed('Complete', 'Failed')) {
    refuse('cannot set Complete=True and Failed=true conditions');
  }
  if (is('Complete') && is('FailureTarget') && changed('Complete', 'FailureTarget')) {
    refuse('cannot set Complete=True and FailureTarget=true conditions');
  }
  if (is('Failed') && !is('FailureTarget') && changed('Failed', 'FailureTarget')) {
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (is('Complete') && !is('SuccessCriteriaMet') && changed('Complete', 'SuccessCriteriaMet')) {
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
  if (is('SuccessCriteriaMet') && is('Failed')) refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (is('SuccessCriteriaMet') && is('FailureTarget')) {
    refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  }
  if (spec.successPolicy !== undefined && !is('SuccessCriteriaMet') && is('Complete')) {
    refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  }
}

function checkTimes({ spec }: Job, { status, before }: Change, errors: FieldErrors): void {
  const { completionTime, startTime } = status;
  const at = path.child('completionTime');
  const isComplete = isJobConditionTrue(status, 'Complete');
  const completionChanged = completionTime !== before.completionTime;
  const startChanged = startTime !== before.startTime;
  if (isComplete !== isJobConditionTrue(before, 'Complete') || completionChanged) {
    if (completionTime !== undefined && !isComplete) {
      const detail = 'cannot set completionTime when there is no Complete=True condition';
      errors.push(invalidValue(at, completionTime, detail));
    }
    if (completionTime === undefined && isComplete) {
      errors.push(required(at, 'completionTime is required for Complete jobs'));
    }
  }
  if (startTime !== undefined && completionTime !== undefined && (startChanged || completionChanged)) {
    if ((parseTime(completionTime) ?? 0) < (parseTime(startTime) ?? 0)) {
      errors.push(invalidValue(at, completionTime, 'completionTime cannot be set before startTime'));
    }
  }
  if (completionTime !== undefined && before.completionTime !== undefined && completionChanged) {
    errors.push(invalidValue(at, completionTime, 'completionTime cannot be mutated'));
  }
  if (before.startTime !== undefined && startChanged && spec.suspend !== true) {
    errors.push(required(path.child('startTime'), 'startTime cannot be removed for unsuspended job'));
  }
}

function checkFinished({ spec }: Job, { status, before }: Change, errors: FieldErrors): void {
  const { active = 0, ready, terminating = 0, uncountedTerminatedPods: uncounted } = status;
  const finishedChanged = isFinished(status) !== isFinished(before);
  if (ready !== undefined && ready > active && (ready !== before.ready || active !== (before.active ?? 0))) {
    errors.push(invalidValue(path.child('ready'), ready, 'cannot set more ready pods than active'));
  }
  if (!isFinished(status)) return;
  if (active > 0 && (finishedChanged || active !== (before.active ?? 0))) {
    errors.push(invalidValue(path.child('active'), active, 'active>0 is invalid for finished job'));
  }
  const neverRan = spec.suspend === true && spec.completions === 0;
  if (status.startTime === undefined && !neverRan && (finishedChanged || before.startTime !== undefined)) {
    errors.push(required(path.child('startTime'), 'startTime is required for finished job'));
  }
  const count = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0);
  if (count > 0 && (finishedChanged || !deepEqual(uncounted, before.uncountedTerminatedPods))) {
    const detail = 'uncountedTerminatedPods needs to be empty for finished job';
    errors.push(invalidValue(path.child('uncountedTerminatedPods'), uncounted, detail));
  }
  if (terminating > 0 && (finishedChanged || terminating !== (before.terminating ?? 0))) {
    errors.push(invalidValue(path.child('terminating'), terminating, 'terminating>0 is invalid for finished job'));
  }
}

function checkIndexes({ spec }: Job, { status, before }: Change, errors: FieldErrors): void {
  const { completedIndexes: completed = '', failedIndexes: failed } = status;
  const completedChanged = completed !== (before.completedIndexes ?? '');
  const failedChanged = failed !== before.failedIndexes;
  const { completions, backoffLimitPerIndex } = spec;
  const completedPath = path.child('completedIndexes');
  const failedPath = path.child('failedIndexes');
  const completedList = completions === undefined ? [] : parseIndexes(completed, completions);
  const failedList = completions === undefined ? [] : parseIndexes(failed ?? '', completions);
  if (completedChanged && typeof completedList === 'string') {
    errors.push(invalidValue(completedPath, completed, `error parsing completedIndexes: ${completedList}`));
  }
  if (failedChanged && typeof failedList === 'string' && backoffLimitPerIndex !== undefined) {
    errors.push(invalidValue(failedPath, failed, `error parsing failedIndexes: ${failedList}`));
  }
  if (completedChanged && completed !== '' && spec.completionMode !== 'Indexed') {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(invalidValue(completedPath, completed, detail));
  }
  if (failedChanged && failed !== undefined && backoffLimitPerIndex === undefined) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(invalidValue(failedPath, failed, detail));
  }
  if (!completedChanged && !failedChanged) return;
  if (typeof completedList === 'string' || typeof failedList === 'string') return;
  const common = firstCommonIndex(completedList, failedList);
  if (common !== undefined) {
    errors.push(invalidValue(failedPath, failed, `failedIndexes and completedIndexes overlap at index: ${common}`));
  }
}

/** What only goes one way. */
function checkDirections({ spec }: Job, { status, before }: Change, errors: FieldErrors): void {
  const was = (type: string): boolean => isJobConditionTrue(before, type);
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (!was(type) || isJobConditionTrue(status, type)) continue;
    errors.push(invalidField(path.child('conditions'), `cannot disable the terminal ${type}=True condition`));
  }
  if ((status.failed ?? 0) < (before.failed ?? 0)) {
    errors.push(invalidValue(path.child('failed'), status.failed ?? 0, 'cannot decrease the failed counter'));
  }
  // An elastic job may shrink.
  const isElastic = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  if (!isElastic && (status.succeeded ?? 0) < (before.succeeded ?? 0)) {
    errors.push(invalidValue(path.child('succeeded'), status.succeeded ?? 0, 'cannot decrease the succeeded counter'));
  }
  const isMet = isJobConditionTrue(status, 'SuccessCriteriaMet');
  if (was('SuccessCriteriaMet') && !isMet) {
    errors.push(invalidField(path.child('conditions'), 'cannot disable the SuccessCriteriaMet=True condition'));
  }
  if (was('Complete') && !was('SuccessCriteriaMet') && isMet) {
    const detail = 'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions';
    errors.push(invalidField(path.child('conditions'), detail));
  }
}
