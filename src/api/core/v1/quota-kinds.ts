import { ageColumn, column, createdAtColumn, nameColumn } from '../../columns/common.ts';
import { containerColumns } from '../../columns/containers.ts';
import { formatLabels } from '../../columns/selector.ts';
import { COMPONENT_STATUSES, LIMIT_RANGES, POD_TEMPLATES, RESOURCE_QUOTAS } from '../../generated/resources.ts';
import type { ComponentStatus, LimitRangeItem, PodTemplate, ResourceQuota } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { defaultPodTemplate } from './pod/defaults.ts';

export const resourceQuotas = defineKind(RESOURCE_QUOTAS, {
  strategy: { ...statusRules, hasGeneration: true },
  columns: [
    nameColumn,
    column('Request', 'Used and allowed requests.', (quota) => quotaCell(quota, false)),
    column('Limit', 'Used and allowed limits.', (quota) => quotaCell(quota, true)),
    ageColumn,
  ],
});

/** `requests.cpu: 1/2, …`: used of hard; limits have a column of their own. */
function quotaCell({ spec, status }: ResourceQuota, limits: boolean): string {
  const hard = status?.hard ?? spec.hard ?? {};
  return Object.keys(hard)
    .toSorted()
    .filter((name) => name.startsWith('limits.') === limits)
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

export const limitRanges = defineKind(LIMIT_RANGES, {
  strategy: {
    applyDefaults({ spec }) {
      for (const item of spec.limits ?? []) if (item.type === 'Container') defaultItem(item);
    },
  },
  columns: [nameColumn, createdAtColumn],
});

/** A default limit is at most the maximum, a default request the default limit or at least the minimum. */
function defaultItem(item: LimitRangeItem): void {
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  if (Object.keys(item.default).length === 0) delete item.default;
  if (Object.keys(item.defaultRequest).length === 0) delete item.defaultRequest;
}

export const podTemplates = defineKind(POD_TEMPLATES, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      defaultPodTemplate(next.template);
    },
  },
  columns: [
    nameColumn,
    ...containerColumns<PodTemplate>(({ template }) => template?.spec).map((item) => ({ ...item, priority: 0 })),
    column('Pod Labels', 'The labels for the pod template.', ({ template }) =>
      formatLabels(template?.metadata?.labels),
    ),
  ],
});

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
