import { describe, expect, test } from 'vitest';
import { deepCopy } from '#machinery/codec/deep.ts';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { CertificateSigningRequest, V1beta1ClusterTrustBundle } from '../generated/types.ts';
import { createErrors, defaulted, definitionOf, row, update } from '../testing/kit.ts';
import { SAMPLE_AUTHORITY, SAMPLE_REQUEST } from './testing/samples.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function request(spec: Partial<CertificateSigningRequest['spec']> = {}): CertificateSigningRequest {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'a' },
    spec: { request: base64(SAMPLE_REQUEST), signerName: 'example.com/signer', usages: ['client auth'], ...spec },
  };
}

describe('CertificateSigningRequest', () => {
  test.each([
    ['a valid one', {}, []],
    [
      'no request',
      { request: base64('x') },
      [`spec.request: Invalid value: "${base64('x')}": PEM block type must be CERTIFICATE REQUEST`],
    ],
    ['no usages', { usages: [] }, ['spec.usages: Required value']],
    ['a usage twice', { usages: ['any', 'any'] }, ['spec.usages[1]: Duplicate value: "any"']],
    ['no signer', { signerName: '' }, ['spec.signerName: Required value']],
    [
      'a signer without a path',
      { signerName: 'signer' },
      [
        `spec.signerName: Invalid value: "signer": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
      ],
    ],
    [
      'a signer of one segment',
      { signerName: 'com/x' },
      ['spec.signerName: Invalid value: "com": should be a domain with at least two segments separated by dots'],
    ],
    [
      'the legacy signer',
      { signerName: 'kubernetes.io/legacy-unknown' },
      [
        'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
      ],
    ],
    [
      'a short life',
      { expirationSeconds: 60 },
      ['spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)'],
    ],
  ])('%s', (_name, spec, errors) => {
    expect(createErrors(request(spec))).toEqual(errors);
  });

  test('carries who asked for it, whatever it says itself', () => {
    const next = request({ username: 'mallory', groups: ['system:masters'] });
    const user = { username: 'alice', uid: '7', groups: ['dev'], extra: { scope: ['a'] } };
    definitionOf(next).strategy.prepareForCreate?.(next, { nowMs: 0, uuid: () => '', user });
    expect(next.spec).toMatchObject({ username: 'alice', uid: '7', groups: ['dev'], extra: { scope: ['a'] } });
  });

  test('cannot be changed, silently', () => {
    const { next, errors } = update(request(), (changed) => Object.assign(changed.spec, { signerName: 'b.c/d' }));
    expect([next.spec.signerName, errors]).toEqual(['example.com/signer', []]);
  });

  const approved = { type: 'Approved', status: 'True', reason: 'r', message: '' };
  const through = (mode: 'approval' | 'status', current: CertificateSigningRequest, status: object) => {
    const next = { ...deepCopy(current), status };
    const { strategy } = definitionOf(next);
    const context = { nowMs: 0, uuid: () => '' };
    if (mode === 'status') strategy.prepareForStatusUpdate?.(next, current, context);
    else strategy.subresources?.['approval']?.prepare?.(next, current, context);
    const validate = mode === 'status' ? strategy.validateStatusUpdate : strategy.subresources?.['approval']?.validate;
    return { next, errors: (validate?.(next, current) ?? []).map(fieldErrorText) };
  };

  test('is decided through /approval, once and for all', () => {
    const { next, errors } = through('approval', defaulted(request()), { conditions: [approved] });
    expect(errors).toEqual([]);
    expect(next.status).toEqual({
      conditions: [{ ...approved, lastUpdateTime: '1970-01-01T00:00:00Z', lastTransitionTime: '1970-01-01T00:00:00Z' }],
    });
    expect(through('approval', next as CertificateSigningRequest, {}).errors).toEqual([
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    ]);
    const denied = { ...approved, type: 'Denied' };
    expect(through('approval', defaulted(request()), { conditions: [approved, denied] }).errors).toEqual([
      'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ]);
  });

  test('/status brings the certificate, and no decision', () => {
    expect(through('status', defaulted(request()), { conditions: [approved] }).errors).toEqual([
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ]);
    const certificate = base64(SAMPLE_AUTHORITY);
    const { next, errors } = through('status', defaulted(request()), { certificate });
    expect(errors).toEqual([]);
    expect(through('status', next as CertificateSigningRequest, { certificate: '' }).errors).toEqual([
      'status.certificate: Forbidden: updates may not modify existing certificate content',
    ]);
    expect(through('status', defaulted(request()), { certificate: base64('x') }).errors).toEqual([
      `status.certificate: Invalid value: "${base64('x')}": must contain at least one CERTIFICATE PEM block`,
    ]);
    expect(row(next, { nowMs: 0 }).at(-1)).toBe('Pending,Issued');
  });
});

describe('ClusterTrustBundle', () => {
  const bundle = (name: string, spec: V1beta1ClusterTrustBundle['spec']): V1beta1ClusterTrustBundle => ({
    apiVersion: 'certificates.k8s.io/v1beta1',
    kind: 'ClusterTrustBundle',
    metadata: { name },
    spec,
  });
  test.each([
    ['a valid one', bundle('a', { trustBundle: SAMPLE_AUTHORITY }), []],
    ['one of a signer', bundle('b.c:d:e', { signerName: 'b.c/d', trustBundle: SAMPLE_AUTHORITY }), []],
    [
      "a name that is not the signer's",
      bundle('x', { signerName: 'b.c/d', trustBundle: SAMPLE_AUTHORITY }),
      ['metadata.name: Invalid value: "x": ClusterTrustBundle for signerName b.c/d must be named with prefix b.c:d:'],
    ],
    [
      'a colon without a signer',
      bundle('b:x', { trustBundle: SAMPLE_AUTHORITY }),
      ['metadata.name: Invalid value: "b:x": ClusterTrustBundle without signer name must not have ":" in its name'],
    ],
    [
      'no anchor',
      bundle('a', { trustBundle: '' }),
      ['spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided'],
    ],
    [
      'an anchor twice',
      bundle('a', { trustBundle: SAMPLE_AUTHORITY + SAMPLE_AUTHORITY }),
      ['spec.trustBundle: Invalid value: "<value omitted>": duplicate trust anchor (indices [0 1])'],
    ],
    [
      'a request',
      bundle('a', { trustBundle: SAMPLE_REQUEST }),
      ['spec.trustBundle: Invalid value: "<value omitted>": entry 0 has bad block type: CERTIFICATE REQUEST'],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });
});
