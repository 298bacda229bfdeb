import { invalidValue, notSupported, forbiddenValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { LabelSelector } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { checkPodTemplate } from '../../core/v1/pod/validation/pod-spec.ts';
import type { PodTemplateSpec } from '../../generated/types.ts';
import type { FieldErrors } from '../../validation/basics.ts';

export interface TemplateRules {
  readonly selector: LabelSelector | undefined;
  readonly template: PodTemplateSpec;
  /** The path of the spec that holds both. */
  readonly path: FieldPath;
  /** As it stands in messages about an empty selector: `deployment`. */
  readonly kindText: string;
  /** As it stands in the message about deadlines: `ReplicaSet`. */
  readonly deadlineText: string;
}

/** The selector and the template of a workload whose pods run forever. */
export function checkSelectorAndTemplate(rules: TemplateRules, errors: FieldErrors): void {
  const { selector, path, template } = rules;
  const at = path.child('selector');
  if (selector === undefined) {
    errors.push(required(at, ''));
  } else {
    errors.push(...validateLabelSelector(selector, at, {}));
    if (isEmptySelector(selector)) {
      errors.push(invalidValue(at, selector, `empty selector is invalid for ${rules.kindText}`));
    }
  }
  checkTemplateMatches(selector, template, path.child('template'), errors);
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

function checkTemplateMatches(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (selector !== undefined && isEmptySelector(selector)) return;
  const labels = template.metadata?.labels;
  let matches = true;
  try {
    // No selector selects nothing, so that this error comes with the other.
    matches = compileLabelSelector(selector).matches(labels);
  } catch {
    // A selector that cannot be compiled was reported already.
    return;
  }
  if (!matches) {
    const detail = '`selector` does not match template `labels`';
    errors.push(invalidValue(path.child('metadata', 'labels'), labels, detail));
  }
}
