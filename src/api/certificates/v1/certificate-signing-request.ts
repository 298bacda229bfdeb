import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { humanDuration } from '#machinery/time/human-duration.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../generated/resources.ts';
import type { CertificateSigningRequest } from '../../generated/types.ts';
import { carryOver, statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';

const specPath = new FieldPath('spec');
const EXPIRATION_SECONDS_MIN = 600;

export const certificateSigningRequests = defineKind(CERTIFICATE_SIGNING_REQUESTS, {
  strategy: {
    ...statusRules,
    applyDefaults(next) {
      next.spec.usages ??= ['digital signature', 'key encipherment'];
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'spec');
      carryOver(next, current, 'status');
    },
    validate,
  },
  columns: [
    nameColumn,
    ageColumn,
    column(
      'SignerName',
      'signerName indicates the requested signer, and is a qualified name.',
      ({ spec }) => spec.signerName,
    ),
    column('Requestor', 'Who asked for the certificate.', ({ spec }) => spec.username ?? ''),
    column('RequestedDuration', 'How long the certificate should be valid.', ({ spec }) =>
      spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
    ),
    column('Condition', 'Approved, Denied, Failed, or waiting for either.', conditionCell),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
});

function conditionCell({ status }: CertificateSigningRequest): string {
  const words: string[] = [];
  const has = (type: string): boolean => status?.conditions?.some((condition) => condition.type === type) ?? false;
  if (has('Denied')) words.push('Denied');
  else if (has('Approved')) words.push('Approved');
  else words.push('Pending');
  if (has('Failed')) words.push('Failed');
  if ((status?.certificate ?? '') !== '') words.push('Issued');
  return words.join(',');
}

function validate({ spec }: CertificateSigningRequest): FieldError[] {
  const errors: FieldErrors = [];
  if ((spec.request ?? '') === '') errors.push(required(specPath.child('request'), ''));
  if ((spec.usages ?? []).length === 0) errors.push(required(specPath.child('usages'), 'usages required'));
  if ((spec.signerName ?? '') === '') errors.push(required(specPath.child('signerName'), ''));
  else if (!spec.signerName.includes('/')) {
    errors.push(
      invalidValue(
        specPath.child('signerName'),
        spec.signerName,
        'must be a fully qualified domain and path of the form "example.com/signer-name"',
      ),
    );
  }
  const seconds = spec.expirationSeconds;
  if (seconds !== undefined && seconds < EXPIRATION_SECONDS_MIN) {
    errors.push(
      invalidValue(
        specPath.child('expirationSeconds'),
        seconds,
        `may not specify a duration less than ${EXPIRATION_SECONDS_MIN} seconds (10 minutes)`,
      ),
    );
  }
  return errors;
}
