import { deepCopy } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue, notSupported, required, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { byteLength, isDns1123Label } from '#machinery/validation/names.ts';
import { checkPodTemplate } from '../../core/v1/pod/validation/pod-spec.ts';
import type { Job, JobSpec, PodTemplateSpec } from '../../generated/types.ts';
import { checkNotNegative, type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { checkDomainPrefixedPath } from '../../validation/domain-path.ts';
import { checkFailurePolicy, checkSuccessPolicy } from './job-policies.ts';
import { isJobConditionTrue } from './job-status.ts';
import { jobLabels } from './job-labels.ts';

const specPath = new FieldPath('spec');
/** Of indexed jobs: what bounds the texts of indexes in the status. */
const PARALLELISM_MAX = 100_000;
const FAILED_INDEXES_MAX = 100_000;
const COMPLETIONS_SOFT_MAX = 100_000;
const HIGH_COMPLETIONS_LIMIT = 10_000;
const MANAGED_BY_LENGTH_MAX = 63;

export function validateJob(job: Job): FieldError[] {
  const errors: FieldErrors = [];
  checkGeneratedSelector(job, errors);
  checkWholeSpec(job.spec, errors);
  const { completionMode, completions = 0 } = job.spec;
  const name = job.metadata.name ?? '';
  const lastHostname = `${name}-${completions - 1}`;
  if (completionMode === 'Indexed' && completions > 0 && isDns1123Label(lastHostname).length > 0) {
    const detail = `will not able to create pod with invalid DNS label: ${lastHostname}`;
    errors.push(invalidValue(new FieldPath('metadata').child('name'), name, detail));
  }
  return errors;
}

/** The job's spec with its selector, which templates of jobs do not have. */
function checkWholeSpec(spec: JobSpec, errors: FieldErrors): void {
  checkJobSpec(spec, specPath, errors);
  const { selector } = spec;
  if (selector === undefined) errors.push(required(specPath.child('selector'), ''));
  else errors.push(...validateLabelSelector(selector, specPath.child('selector'), {}));
  const labels = spec.template.metadata?.labels;
  try {
    if (!compileLabelSelector(selector).matches(labels)) {
      const at = specPath.child('template', 'metadata', 'labels');
      errors.push(invalidValue(at, labels, '`selector` does not match template `labels`'));
    }
  } catch {
    // A selector that cannot be compiled was reported already.
  }
}

function checkGeneratedSelector(job: Job, errors: FieldErrors): void {
  const { selector, manualSelector, template } = job.spec;
  if (manualSelector === true || selector === undefined) return;
  const expected = jobLabels(job);
  const labels = template.metadata?.labels;
  const path = specPath.child('template').child('metadata');
  for (const [key, value] of Object.entries(expected)) {
    const at = path.child('labels').key(key);
    if (labels?.[key] === undefined) errors.push(required(at, `must be '${value}'`));
    else if (labels[key] !== value) errors.push(invalidValue(at, labels, `must be '${value}'`));
  }
  try {
    if (!compileLabelSelector(selector).matches(expected)) {
      errors.push(invalidValue(specPath.child('selector'), selector, '`selector` not auto-generated'));
    }
  } catch {
    // A selector that cannot be compiled is reported below.
  }
}

const counts = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

/** What jobs and templates of jobs share. */
export function checkJobSpec(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  for (const field of counts) checkNotNegative(spec[field], path.child(field), errors);
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(path.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  }
  if (spec.managedBy !== undefined) {
    const at = path.child('managedBy');
    checkDomainPrefixedPath(spec.managedBy, at, errors);
    if (byteLength(spec.managedBy) > MANAGED_BY_LENGTH_MAX) errors.push(tooLong(at, MANAGED_BY_LENGTH_MAX));
  }
  checkCompletionMode(spec, path, errors);
  if (spec.podFailurePolicy !== undefined) checkFailurePolicy(spec, path.child('podFailurePolicy'), errors);
  if (spec.successPolicy !== undefined) {
    const at = path.child('successPolicy');
    if (spec.completionMode === 'Indexed') checkSuccessPolicy(spec, at, errors);
    else errors.push(invalidValue(at, spec.successPolicy, 'requires indexed completion mode'));
  }
  const replacements = spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  if (spec.podReplacementPolicy !== undefined && !replacements.includes(spec.podReplacementPolicy)) {
    errors.push(notSupported(path.child('podReplacementPolicy'), spec.podReplacementPolicy, replacements));
  }
  checkPodTemplate(spec.template, path.child('template'), errors);
  checkRestartPolicy(spec, path.child('template', 'spec', 'restartPolicy'), errors);
}

function checkCompletionMode(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const { completionMode: mode, backoffLimitPerIndex, maxFailedIndexes } = spec;
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed') {
    errors.push(notSupported(path.child('completionMode'), mode, ['NonIndexed', 'Indexed']));
  }
  if (mode === 'Indexed') checkIndexed(spec, path, errors);
  if (mode !== undefined && mode !== 'NonIndexed') return;
  for (const [field, value] of Object.entries({ backoffLimitPerIndex, maxFailedIndexes })) {
    if (value !== undefined) errors.push(invalidValue(path.child(field), value, 'requires indexed completion mode'));
  }
}

function checkIndexed(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const { completions, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (completions === undefined) errors.push(required(path.child('completions'), 'when completion mode is Indexed'));
  const failedPath = path.child('maxFailedIndexes');
  if (parallelism > PARALLELISM_MAX) {
    const detail = `must be less than or equal to ${PARALLELISM_MAX} when completion mode is Indexed`;
    errors.push(invalidValue(path.child('parallelism'), parallelism, detail));
  }
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
    errors.push(invalidValue(failedPath, maxFailedIndexes, 'must be less than or equal to completions'));
  }
  if (maxFailedIndexes !== undefined && maxFailedIndexes > FAILED_INDEXES_MAX) {
    errors.push(invalidValue(failedPath, maxFailedIndexes, `must be less than or equal to ${FAILED_INDEXES_MAX}`));
  }
  if ((completions ?? 0) <= COMPLETIONS_SOFT_MAX || backoffLimitPerIndex === undefined) return;
  if (maxFailedIndexes === undefined) {
    errors.push(required(failedPath, `must be specified when completions is above ${COMPLETIONS_SOFT_MAX}`));
  }
  const detail = `must be less than or equal to ${HIGH_COMPLETIONS_LIMIT} when completions are above ${COMPLETIONS_SOFT_MAX} and used with backoff limit per index`;
  if (parallelism > HIGH_COMPLETIONS_LIMIT) errors.push(invalidValue(path.child('parallelism'), parallelism, detail));
  if ((maxFailedIndexes ?? 0) > HIGH_COMPLETIONS_LIMIT) errors.push(invalidValue(failedPath, maxFailedIndexes, detail));
}

function checkRestartPolicy(spec: JobSpec, path: FieldPath, errors: FieldErrors): void {
  const policy = spec.template.spec?.restartPolicy ?? '';
  // `Always` is what a template without a policy is defaulted to.
  if (policy === 'Always' || policy === '') errors.push(required(path, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push(notSupported(path, policy, ['OnFailure', 'Never']));
  } else if (spec.podFailurePolicy !== undefined && policy !== 'Never') {
    errors.push(invalidValue(path, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
}

export function validateJobUpdate(next: Job, current: Job): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = next;
  const before = current.spec;
  checkWholeSpec(spec, errors);
  const immutable = (field: keyof JobSpec): void =>
    void errors.push(...immutableField(spec[field], before[field], specPath.child(field)));
  if (spec.completionMode !== 'Indexed') immutable('completions');
  else if (spec.completions !== undefined && spec.completions !== before.completions) {
    // An indexed job may grow and shrink.
    if (spec.completions !== spec.parallelism) {
      const detail = 'can only be modified in tandem with spec.parallelism';
      errors.push(invalidValue(specPath.child('completions'), spec.completions, detail));
    }
  }
  immutable('selector');
  const template = templateToCompare(spec.template, current);
  if (immutableField(spec.template, template, specPath).length > 0) {
    errors.push(invalidValue(specPath.child('template'), spec.template, IMMUTABLE));
  }
  for (const field of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const) {
    immutable(field);
  }
  return errors;
}

/** The current template with what a suspended job may still be given: where its pods go, and how much they get. */
function templateToCompare(next: PodTemplateSpec, current: Job): PodTemplateSpec {
  const { template, suspend } = current.spec;
  const isIdle = current.status?.startTime === undefined || isJobConditionTrue(current.status, 'Suspended');
  if (suspend !== true || !isIdle || next.spec === undefined || template.spec === undefined) return template;
  const { affinity, nodeSelector, tolerations, schedulingGates } = next.spec;
  const { annotations, labels } = next.metadata ?? {};
  const spec = deepCopy(template.spec);
  const metadata = deepCopy(template.metadata ?? {});
  replace(metadata, { annotations, labels });
  replace(spec, { nodeSelector, tolerations, schedulingGates });
  const { nodeAffinity: _before, ...others } = spec.affinity ?? {};
  const merged = {
    ...others,
    ...(affinity?.nodeAffinity === undefined ? {} : { nodeAffinity: affinity.nodeAffinity }),
  };
  replace(spec, { affinity: affinity === undefined && Object.keys(merged).length === 0 ? undefined : merged });
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) {
      const other = next.spec[field]?.[index];
      if (other?.name === container.name) replace(container, { resources: other.resources });
    }
  }
  return next.metadata === undefined ? { spec } : { metadata, spec };
}

function replace(object: object, fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) Reflect.deleteProperty(object, name);
    else Reflect.set(object, name, value);
  }
}
