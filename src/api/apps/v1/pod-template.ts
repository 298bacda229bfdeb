import { deepEqual } from '#machinery/codec/deep.ts';
import { invalidValue, notSupported, forbiddenValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { LabelSelector } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { checkPodTemplate } from '../../core/v1/pod/validation/pod-spec.ts';
import type { PodTemplateSpec } from '../../generated/types.ts';
import { templateWarnings } from '../../core/v1/pod/warnings.ts';
import { checkNotNegative, type FieldErrors } from '../../validation/basics.ts';

const statusPath = new FieldPath('status');

export interface TemplateRules {
  readonly selector: LabelSelector | undefined;
  readonly template: PodTemplateSpec;
  /** The path of the spec that holds both. */
  readonly path: FieldPath;
  /** As it stands in messages about an empty selector: `deployment`. */
  readonly kindText: string;
  /** As it stands in the message about deadlines: `ReplicaSet`. */
  readonly deadlineText: 'DaemonSet' | 'ReplicaSet' | 'StatefulSet';
}

/** The selector and the template of a workload whose pods run forever. */
export function checkSelectorAndTemplate(rules: TemplateRules, errors: FieldErrors): void {
  const { selector, path, template } = rules;
  const at = path.child('selector');
  const ofDaemons = rules.deadlineText === 'DaemonSet';
  if (selector !== undefined) errors.push(...validateLabelSelector(selector, at, {}));
  else if (!ofDaemons) errors.push(required(at, ''));
  // Daemon sets say the same in another order, and nothing of a selector that is not there.
  const matching = (): void => checkTemplateMatches(rules, errors);
  if (ofDaemons) matching();
  if (selector !== undefined && isEmptySelector(selector)) {
    errors.push(invalidValue(at, selector, `empty selector is invalid for ${rules.kindText}`));
  }
  if (!ofDaemons) matching();
  checkPodTemplate(template, path.child('template'), errors);
  const restartPolicy = template.spec?.restartPolicy;
  const specPath = path.child('template', 'spec');
  if (restartPolicy !== 'Always') {
    errors.push(notSupported(specPath.child('restartPolicy'), restartPolicy ?? '', ['Always']));
  }
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${rules.deadlineText} is not Supported`;
    errors.push(forbiddenValue(specPath.child('activeDeadlineSeconds'), detail));
  }
}

function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
}

function checkTemplateMatches({ selector, template, path, deadlineText }: TemplateRules, errors: FieldErrors): void {
  if (selector !== undefined && isEmptySelector(selector)) return;
  const labels = template.metadata?.labels;
  let matches = true;
  try {
    // No selector selects nothing, so that this error comes with the other.
    matches = compileLabelSelector(selector).matches(labels);
  } catch {
    // What is wrong with it was reported already; this says only that it is.
    const detail = deadlineText === 'StatefulSet' ? '' : 'invalid label selector';
    if (deadlineText !== 'DaemonSet') errors.push(invalidValue(path.child('selector'), selector, detail));
    return;
  }
  if (!matches) {
    const detail = '`selector` does not match template `labels`';
    errors.push(invalidValue(path.child('template', 'metadata', 'labels'), labels, detail));
  }
}

/** Warnings about the template, on create and where an update changes the spec. */
export function workloadWarnings(
  next: { readonly spec: { readonly template?: PodTemplateSpec } },
  current: { readonly spec: object } | undefined,
  path = 'spec.template',
): string[] {
  const warnings = templateWarnings(next.spec.template, path);
  return warnings.length > 0 && current !== undefined && deepEqual(next.spec, current.spec) ? [] : warnings;
}

/** Amounts in a status: none below zero, none above the total that they are part of. */
export function checkReplicaCounts(
  status: Readonly<Record<string, unknown>>,
  { all, parts }: { all: readonly string[]; parts: readonly string[] },
  errors: FieldErrors,
): void {
  const count = (field: string): number | undefined => {
    const value = status[field];
    return typeof value === 'number' ? value : undefined;
  };
  for (const field of all) checkNotNegative(count(field), statusPath.child(field), errors);
  const total = count('replicas') ?? 0;
  for (const field of parts) {
    const value = count(field) ?? 0;
    if (value <= total) continue;
    errors.push(invalidValue(statusPath.child(field), value, 'cannot be greater than status.replicas'));
  }
}

/** The number of names that were taken by chance only grows. */
export function checkCollisions(next: number | undefined, current: number | undefined, errors: FieldErrors): void {
  if (current === undefined || (next ?? -1) >= current) return;
  errors.push(invalidValue(statusPath.child('collisionCount'), next ?? 0, 'cannot be decremented'));
}
