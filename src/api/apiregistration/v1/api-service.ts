import { formatTime } from '#machinery/clock/clock.ts';
import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1035Label, isDns1123Subdomain, isInRange, isPathSegmentName } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { API_SERVICES } from '../../generated/resources.ts';
import type { APIService } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const GROUP_PRIORITY_MAX = 20_000;
const VERSION_PRIORITY_MAX = 1_000;

export const apiServices = defineKind(API_SERVICES, {
  strategy: {
    allowUnconditionalUpdate: false,
    ...statusRules,
    applyDefaults({ spec }) {
      if (spec?.service !== undefined) spec.service.port ??= 443;
    },
    prepareForCreate(next, { nowMs }) {
      next.status = {};
      // What this server serves itself is there at once.
      if (next.spec?.service === undefined) next.status = { conditions: [localAvailable(nowMs)] };
    },
    validateName: (name) => isPathSegmentName(name),
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

type Condition = NonNullable<NonNullable<APIService['status']>['conditions']>[number];

/** The condition of an API that the server has itself. */
export function localAvailable(nowMs: number): Condition {
  return {
    type: 'Available',
    status: 'True',
    lastTransitionTime: formatTime(nowMs),
    reason: 'Local',
    message: 'Local APIServices are always available',
  };
}

function availableCell({ status }: APIService): string {
  const condition = status?.conditions?.find((candidate) => candidate.type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' || (condition.reason ?? '') === ''
    ? condition.status
    : `${condition.status} (${condition.reason})`;
}

function validate({ metadata, spec }: APIService): FieldError[] {
  const errors: FieldErrors = [];
  const { group = '', version = '', service, caBundle = '', insecureSkipTLSVerify = false } = spec ?? {};
  const name = `${version}.${group}`;
  if (metadata.name !== name && isPathSegmentName(metadata.name ?? '').length === 0) {
    const detail = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`;
    errors.push(invalidValue(new FieldPath('metadata').child('name'), metadata.name, detail));
  }
  const groupPath = specPath.child('group');
  if (group === '' && version !== 'v1') {
    errors.push(required(groupPath, 'only v1 may have an empty group and it better be legacy kube'));
  }
  if (group !== '') checkMessages(isDns1123Subdomain(group), group, groupPath, errors);
  checkMessages(isDns1035Label(version), version, specPath.child('version'), errors);
  checkPriorities(spec, errors);
  const skipPath = specPath.child('insecureSkipTLSVerify');
  if (service === undefined) {
    if (caBundle !== '')
      errors.push(
        invalidValue(
          specPath.child('caBundle'),
          `${Buffer.from(caBundle, 'base64').length} bytes`,
          'local APIServices may not have a caBundle',
        ),
      );
    if (insecureSkipTLSVerify) {
      errors.push(
        invalidValue(skipPath, insecureSkipTLSVerify, 'local APIServices may not have insecureSkipTLSVerify'),
      );
    }
    return errors;
  }
  const servicePath = specPath.child('service');
  if ((service.namespace ?? '') === '') errors.push(required(servicePath.child('namespace'), ''));
  if ((service.name ?? '') === '') errors.push(required(servicePath.child('name'), ''));
  const { port = 0 } = service;
  if (isInRange(port, 1, 65_535).length > 0) {
    errors.push(
      invalidValue(servicePath.child('port'), port, 'port is not valid: must be between 1 and 65535, inclusive'),
    );
  }
  if (insecureSkipTLSVerify && caBundle !== '') {
    errors.push(invalidValue(skipPath, insecureSkipTLSVerify, 'may not be true if caBundle is present'));
  }
  return errors;
}

function checkPriorities(spec: APIService['spec'], errors: FieldErrors): void {
  const { groupPriorityMinimum: group = 0, versionPriority: version = 0 } = partly(spec);
  if (group <= 0 || group > GROUP_PRIORITY_MAX) {
    const path = specPath.child('groupPriorityMinimum');
    errors.push(invalidValue(path, group, 'must be positive and less than 20000'));
  }
  if (version <= 0 || version > VERSION_PRIORITY_MAX) {
    const path = specPath.child('versionPriority');
    errors.push(invalidValue(path, version, 'must be positive and less than 1000'));
  }
}
