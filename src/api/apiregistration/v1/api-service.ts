import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { API_SERVICES } from '../../generated/resources.ts';
import type { APIService } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';

export const apiServices = defineKind(API_SERVICES, {
  strategy: {
    ...statusRules,
    applyDefaults({ spec }) {
      if (spec?.service !== undefined) spec.service.port ??= 443;
    },
    validate,
    validateUpdate: (next) => validate(next),
  },
  columns: [
    nameColumn,
    column('Service', 'The reference to the service that hosts this API endpoint.', ({ spec }) =>
      spec?.service === undefined ? 'Local' : `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}`,
    ),
    column('Available', 'Whether this service is available.', availableCell),
    ageColumn,
  ],
});

function availableCell({ status }: APIService): string {
  const condition = status?.conditions?.find((candidate) => candidate.type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' || (condition.reason ?? '') === ''
    ? condition.status
    : `${condition.status} (${condition.reason})`;
}

function validate({ metadata, spec }: APIService): FieldError[] {
  const name = `${spec?.version ?? ''}.${spec?.group ?? ''}`;
  const valid = metadata.name === name || (spec?.group === undefined && metadata.name === `${spec?.version ?? ''}.`);
  const detail = 'must be `spec.version+"."+spec.group`';
  return valid
    ? []
    : [invalidValue(new FieldPath('metadata.name'), metadata.name, `${detail}: ${JSON.stringify(name)}`)];
}
