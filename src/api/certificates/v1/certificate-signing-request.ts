import { formatTime } from '#machinery/clock/clock.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { humanDuration } from '#machinery/time/human-duration.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../generated/resources.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../generated/types.ts';
import { carryOver, emptyStatus } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import type { StrategyContext } from '../../registry/resource.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { certificatesMessage, requestMessage } from '../pem.ts';
import { checkSignerName } from '../signer-name.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const conditionsPath = new FieldPath('status').child('conditions');
const certificatePath = new FieldPath('status').child('certificate');
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';
const EXPIRATION_SECONDS_MIN = 600;
const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const DECISIONS = ['Approved', 'Denied'];
const FINAL = [...DECISIONS, 'Failed'];

export const certificateSigningRequests = defineKind(CERTIFICATE_SIGNING_REQUESTS, {
  strategy: {
    applyDefaults({ status }) {
      for (const condition of status?.conditions ?? []) condition.status ||= 'True';
    },
    prepareForCreate(next, context) {
      emptyStatus(next);
      setRequester(next, context);
    },
    // Nothing of a request can be changed; clients are not told so.
    prepareForUpdate(next, current) {
      carryOver(next, current, 'spec');
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate(next, current, { nowMs }) {
      carryOver(next, current, 'spec');
      setConditionTimes(next, current, nowMs);
    },
    validate: (next) => validate(next),
    validateUpdate: (next, current) => [...validate(next), ...checkUpdate(next, current, {})],
    validateStatusUpdate: (next, current) => [
      ...checkUpdate(next, current, { setsCertificate: true }),
      ...checkStatus(next),
    ],
    subresources: {
      approval: {
        prepare: (next, current, { nowMs }) => {
          setConditionTimes(next, current, nowMs);
        },
        validate: (next, current) => [...checkUpdate(next, current, { decides: true }), ...checkStatus(next)],
      },
    },
  },
  columns: [
    nameColumn,
    ageColumn,
    column(
      'SignerName',
      'signerName indicates the requested signer, and is a qualified name.',
      ({ spec }) => spec.signerName,
    ),
    column(
      'Requestor',
      'username contains the name of the user that created the request.',
      ({ spec }) => spec.username ?? '',
    ),
    column('RequestedDuration', 'expirationSeconds is the requested validity of the certificate.', ({ spec }) =>
      spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
    ),
    column('Condition', 'conditions applied to the request: Approved, Denied or Failed.', conditionCell),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
});

/** Who asks is what authentication found out, not what the request says. */
function setRequester({ spec }: CertificateSigningRequest, { user }: StrategyContext): void {
  for (const field of ['username', 'uid', 'groups', 'extra'] as const) delete spec[field];
  if (user === undefined) return;
  const { username, uid = '', groups, extra = {} } = user;
  spec.username = username;
  if (uid !== '') spec.uid = uid;
  if (groups.length > 0) spec.groups = [...groups];
  const entries = Object.entries(extra).map(([key, values]): [string, string[]] => [key, [...values]]);
  if (entries.length > 0) spec.extra = Object.fromEntries(entries);
}

function setConditionTimes(next: CertificateSigningRequest, current: CertificateSigningRequest, nowMs: number): void {
  for (const condition of next.status?.conditions ?? []) {
    condition.lastUpdateTime ??= formatTime(nowMs);
    const before = current.status?.conditions?.find(
      ({ type, status }) => type === condition.type && status === condition.status,
    );
    condition.lastTransitionTime ??= before?.lastTransitionTime ?? formatTime(nowMs);
  }
}

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

function validate(request: CertificateSigningRequest): FieldError[] {
  const errors: FieldErrors = [];
  const { request: pem = '', usages: wanted = [], signerName = '', expirationSeconds: seconds } = partly(request.spec);
  const message = requestMessage(pem);
  if (message !== undefined) errors.push(invalidValue(specPath.child('request'), pem, message));
  const usagesPath = specPath.child('usages');
  if (wanted.length === 0) errors.push(required(usagesPath, ''));
  for (const [index, usage] of wanted.entries()) {
    if (!usages.includes(usage)) errors.push(notSupported(usagesPath.index(index), usage, usages));
    if (wanted.indexOf(usage) < index) errors.push(duplicateValue(usagesPath.index(index), usage));
  }
  const signerPath = specPath.child('signerName');
  if (signerName === LEGACY_SIGNER) {
    errors.push(invalidValue(signerPath, signerName, 'the legacy signerName is not allowed via this API version'));
  } else checkSignerName(signerName, signerPath, errors);
  if (seconds !== undefined && seconds < EXPIRATION_SECONDS_MIN) {
    const detail = `may not specify a duration less than ${EXPIRATION_SECONDS_MIN} seconds (10 minutes)`;
    errors.push(invalidValue(specPath.child('expirationSeconds'), seconds, detail));
  }
  return [...errors, ...checkStatus(request)];
}

function checkStatus({ status }: CertificateSigningRequest): FieldError[] {
  const errors: FieldErrors = [];
  const conditions = status?.conditions ?? [];
  const seen = new Set<string>();
  for (const [index, { type = '', status: state = '' }] of conditions.entries()) {
    const path = conditionsPath.index(index);
    if (type === '') errors.push(required(path.child('type'), ''));
    const states = FINAL.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (state === '') errors.push(required(path.child('status'), ''));
    else if (!states.includes(state)) errors.push(notSupported(path.child('status'), state, states));
    const other = DECISIONS.find((decision) => decision !== type && DECISIONS.includes(type));
    if (other !== undefined && seen.has(other)) {
      errors.push(invalidValue(path.child('type'), type, 'Approved and Denied conditions are mutually exclusive'));
    }
    if (seen.has(type)) errors.push(duplicateValue(path.child('type'), type));
    seen.add(type);
  }
  const certificate = status?.certificate ?? '';
  const message = certificatesMessage(certificate);
  if (message !== undefined) errors.push(invalidValue(certificatePath, certificate, message));
  return errors;
}

/** A decision and a failure stay; only `/approval` decides, and only `/status` brings the certificate, once. */
function checkUpdate(
  next: CertificateSigningRequest,
  current: CertificateSigningRequest,
  { decides = false, setsCertificate = false }: { decides?: boolean; setsCertificate?: boolean },
): FieldError[] {
  const errors: FieldErrors = [];
  const ofType = ({ status }: CertificateSigningRequest, type: string): CertificateSigningRequestCondition[] =>
    (status?.conditions ?? []).filter((condition) => condition.type === type);
  for (const type of FINAL) {
    if (ofType(next, type).length < ofType(current, type).length) {
      errors.push(forbiddenValue(conditionsPath, `updates may not remove a condition of type "${type}"`));
    }
  }
  for (const type of decides ? [] : DECISIONS) {
    const after = ofType(next, type);
    const before = ofType(current, type);
    if (after.length > before.length) {
      errors.push(forbiddenValue(conditionsPath, `updates may not add a condition of type "${type}"`));
    } else if (after.length === before.length && !deepEqual(after, before)) {
      errors.push(forbiddenValue(conditionsPath, `updates may not modify a condition of type "${type}"`));
    }
  }
  const before = current.status?.certificate ?? '';
  if ((next.status?.certificate ?? '') === before) return errors;
  if (!setsCertificate) errors.push(forbiddenValue(certificatePath, 'updates may not set certificate content'));
  else if (before !== '') {
    errors.push(forbiddenValue(certificatePath, 'updates may not modify existing certificate content'));
  }
  return errors;
}
