import { type FieldError, invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isDns1123Subdomain } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { POD_CERTIFICATE_REQUESTS_V1BETA1 } from '../../generated/resources.ts';
import type { V1beta1PodCertificateRequest } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { checkSignerName } from '../signer-name.ts';

const specPath = new FieldPath('spec');
const UID_BYTES_MAX = 128;
const DAY_SECONDS = 86_400;
const EXPIRATION_SECONDS_MIN = 3_600;
const EXPIRATION_SECONDS_MAX = 91 * DAY_SECONDS;

export const podCertificateRequests = defineKind(POD_CERTIFICATE_REQUESTS_V1BETA1, {
  strategy: {
    allowUnconditionalUpdate: false,
    ...statusRules,
    applyDefaults({ spec }) {
      spec.maxExpirationSeconds ??= DAY_SECONDS;
    },
    validate,
    validateUpdate: (next, current) =>
      deepEqual(next.spec, current.spec) ? [] : [invalidValue(specPath, next.spec, IMMUTABLE)],
  },
  columns: [
    nameColumn,
    column('PodName', 'podName is the name of the pod that the certificate is for.', ({ spec }) => spec.podName),
    column(
      'ServiceAccountName',
      'serviceAccountName is the service account of the pod.',
      ({ spec }) => spec.serviceAccountName,
    ),
    column('NodeName', 'nodeName is the node that the pod runs on.', ({ spec }) => spec.nodeName),
    column('SignerName', 'signerName indicates the requested signer.', ({ spec }) => spec.signerName),
    column('State', 'state is what became of the request.', stateCell),
    ageColumn,
  ],
  selectableFields: {
    'spec.signerName': ({ spec }) => spec.signerName,
    'spec.podName': ({ spec }) => spec.podName,
    'spec.nodeName': ({ spec }) => spec.nodeName,
  },
});

function stateCell({ status }: V1beta1PodCertificateRequest): string {
  const states = ['Denied', 'Failed', 'Issued'];
  return states.find((type) => status?.conditions?.some((condition) => condition.type === type)) ?? 'Pending';
}

function validate({ spec }: V1beta1PodCertificateRequest): FieldError[] {
  const errors: FieldErrors = [];
  checkSignerName(spec.signerName, specPath.child('signerName'), errors);
  for (const field of ['podName', 'serviceAccountName', 'nodeName'] as const) {
    checkMessages(isDns1123Subdomain(spec[field] ?? ''), spec[field] ?? '', specPath.child(field), errors);
  }
  for (const field of ['podUID', 'serviceAccountUID', 'nodeUID'] as const) {
    const value = spec[field] ?? '';
    if (value === '') errors.push(required(specPath.child(field), `${field} must not be empty`));
    else if (Buffer.byteLength(value) > UID_BYTES_MAX) errors.push(tooLong(specPath.child(field), UID_BYTES_MAX));
  }
  const seconds = spec.maxExpirationSeconds;
  const path = specPath.child('maxExpirationSeconds');
  // Kubernetes' own signers never sign for longer than a day.
  const max = spec.signerName?.split('/')[0]?.endsWith('kubernetes.io') === true ? DAY_SECONDS : EXPIRATION_SECONDS_MAX;
  if (seconds === undefined) errors.push(required(path, 'must be set'));
  else if (seconds < EXPIRATION_SECONDS_MIN || seconds > max) {
    errors.push(invalidValue(path, seconds, `must be in the range [${EXPIRATION_SECONDS_MIN}, ${max}]`));
  }
  if ((spec.stubPKCS10Request ?? '') === '' && (spec.pkixPublicKey ?? '') === '') {
    errors.push(required(specPath.child('stubPKCS10Request'), ''));
  }
  return errors;
}
