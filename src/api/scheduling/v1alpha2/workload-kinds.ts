import { deepEqual } from '#machinery/codec/deep.ts';
import {
  duplicateValue,
  type FieldError,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import { POD_GROUPS_V1ALPHA2, WORKLOADS_V1ALPHA2 } from '../../generated/resources.ts';
import type { V1alpha2PodGroup, V1alpha2PodGroupSchedulingPolicy, V1alpha2Workload } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const TEMPLATES_MAX = 8;
const disruptionModes = ['Pod', 'PodGroup'];

export const workloads = defineKind(WORKLOADS_V1ALPHA2, {
  strategy: {
    hasGeneration: true,
    validate: validateWorkload,
    validateUpdate: (next, current) => [
      ...validateWorkload(next),
      ...unchanged(next.spec?.podGroupTemplates, current.spec?.podGroupTemplates, specPath.child('podGroupTemplates')),
    ],
  },
});

export const podGroups = defineKind(POD_GROUPS_V1ALPHA2, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults({ spec }) {
      if (spec !== undefined) spec.disruptionMode ??= 'Pod';
    },
    validate: validateGroup,
    validateUpdate: (next, current) => [...validateGroup(next), ...unchanged(next.spec, current.spec, specPath)],
  },
});

function unchanged(next: unknown, current: unknown, path: FieldPath): FieldError[] {
  return deepEqual(next, current) ? [] : [invalidValue(path, next, IMMUTABLE)];
}

function validateWorkload({ spec }: V1alpha2Workload): FieldError[] {
  const errors: FieldErrors = [];
  const { controllerRef, podGroupTemplates = [] } = partly(spec);
  if (controllerRef !== undefined) {
    const path = specPath.child('controllerRef');
    const { apiGroup = '', kind = '', name = '' } = partly(controllerRef);
    if (apiGroup !== '') checkMessages(isDns1123Subdomain(apiGroup), apiGroup, path.child('apiGroup'), errors);
    if (kind === '') errors.push(required(path.child('kind'), ''));
    if (name === '') errors.push(required(path.child('name'), ''));
  }
  const path = specPath.child('podGroupTemplates');
  if (podGroupTemplates.length === 0) errors.push(required(path, 'must have at least one item'));
  if (podGroupTemplates.length > TEMPLATES_MAX) errors.push(tooMany(path, podGroupTemplates.length, TEMPLATES_MAX));
  const names = new Set<string>();
  for (const [index, { name = '', schedulingPolicy, disruptionMode }] of podGroupTemplates.entries()) {
    const at = path.index(index);
    if (name === '') errors.push(required(at.child('name'), ''));
    else checkMessages(isDns1123Label(name), name, at.child('name'), errors);
    if (names.has(name)) errors.push(duplicateValue(at, { name }));
    names.add(name);
    checkPolicy(schedulingPolicy, at.child('schedulingPolicy'), errors);
    checkMode(disruptionMode, at, errors);
  }
  return errors;
}

function validateGroup({ spec }: V1alpha2PodGroup): FieldError[] {
  const errors: FieldErrors = [];
  const workload = spec?.podGroupTemplateRef?.workload;
  if (workload !== undefined) {
    const path = specPath.child('podGroupTemplateRef', 'workload');
    for (const field of ['workloadName', 'podGroupTemplateName'] as const) {
      const value = workload[field] ?? '';
      if (value === '') errors.push(required(path.child(field), ''));
      else checkMessages(isDns1123Subdomain(value), value, path.child(field), errors);
    }
  }
  checkPolicy(spec?.schedulingPolicy, specPath.child('schedulingPolicy'), errors);
  checkMode(spec?.disruptionMode, specPath, errors);
  return errors;
}

function checkMode(mode: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (mode !== undefined && !disruptionModes.includes(mode)) {
    errors.push(notSupported(path.child('disruptionMode'), mode, disruptionModes));
  }
}

function checkPolicy(policy: V1alpha2PodGroupSchedulingPolicy | undefined, path: FieldPath, errors: FieldErrors): void {
  const { basic, gang } = policy ?? {};
  if (basic === undefined && gang === undefined) {
    errors.push(invalidValue(path, '', 'must specify one of: `basic`, `gang`'));
  } else if (basic !== undefined && gang !== undefined) {
    errors.push(invalidValue(path, '{basic, gang}', 'must specify exactly one of: `basic`, `gang`'));
  }
  if (gang === undefined) return;
  const minCount = gang.minCount ?? 0;
  if (minCount === 0) errors.push(required(path.child('gang', 'minCount'), ''));
  else if (minCount < 1) {
    errors.push(invalidValue(path.child('gang', 'minCount'), minCount, 'must be greater than or equal to 1'));
  }
}
