import { deepEqual } from '#machinery/codec/deep.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { column, nameColumn } from '../../columns/common.ts';
import { containerColumns } from '../../columns/containers.ts';
import { formatLabels } from '../../columns/selector.ts';
import { COMPONENT_STATUSES, POD_TEMPLATES } from '../../generated/resources.ts';
import type { ComponentStatus, PodTemplate } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { defaultPodTemplate } from './pod/defaults.ts';
import { checkPodTemplate } from './pod/validation/pod-spec.ts';
import { templateWarnings } from './pod/warnings.ts';

export const podTemplates = defineKind(POD_TEMPLATES, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      defaultPodTemplate(next.template);
    },
    validate,
    validateUpdate: (next) => validate(next),
    warnings: (next, current) =>
      current !== undefined && deepEqual(next.template, current.template)
        ? []
        : templateWarnings(next.template, 'template'),
  },
  columns: [
    nameColumn,
    ...containerColumns<PodTemplate>(({ template }) => template?.spec).map((item) => ({ ...item, priority: 0 })),
    column('Pod Labels', 'The labels for the pod template.', ({ template }) =>
      formatLabels(template?.metadata?.labels),
    ),
  ],
});

function validate({ template }: PodTemplate): FieldError[] {
  const errors: FieldErrors = [];
  checkPodTemplate(template ?? {}, new FieldPath('template'), errors);
  return errors;
}

export const componentStatuses = defineKind(COMPONENT_STATUSES, {
  strategy: {},
  columns: [
    nameColumn,
    column('Status', 'Status of the component conditions', (status) => healthy(status, () => 'Healthy', 'Unhealthy')),
    column('Message', 'Message of the component conditions', (status) =>
      healthy(status, ({ message }) => message ?? '', ''),
    ),
    column('Error', 'Error of the component conditions', (status) => healthy(status, ({ error }) => error ?? '', '')),
  ],
});

function healthy(
  { conditions }: ComponentStatus,
  text: (condition: { message?: string; error?: string }) => string,
  otherwise: string,
): string {
  const condition = conditions?.find((candidate) => candidate.type === 'Healthy');
  return condition?.status === 'True' ? text(condition) : otherwise;
}
