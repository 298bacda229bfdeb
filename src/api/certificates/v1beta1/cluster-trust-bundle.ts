import { X509Certificate } from 'node:crypto';
import { type FieldError, invalidValue, tooLong } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { isDns1123Subdomain, isPathSegmentName } from '#machinery/validation/names.ts';
import { column, nameColumn } from '../../columns/common.ts';
import { CLUSTER_TRUST_BUNDLES_V1ALPHA1, CLUSTER_TRUST_BUNDLES_V1BETA1 } from '../../generated/resources.ts';
import type { V1beta1ClusterTrustBundle } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { sameShape } from '../../registry/same-shape.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { isCertificate, pemBlocks } from '../pem.ts';
import { checkSignerName } from '../signer-name.ts';
import { partly } from '../../validation/partly.ts';

const namePath = new FieldPath('metadata').child('name');
const signerPath = new FieldPath('spec').child('signerName');
const bundlePath = new FieldPath('spec').child('trustBundle');
const BUNDLE_BYTES_MAX = 1024 * 1024;
/** Bundles are long: messages leave them out. */
const OMITTED = '<value omitted>';

export const clusterTrustBundles = defineKind(CLUSTER_TRUST_BUNDLES_V1BETA1, {
  strategy: {
    allowUnconditionalUpdate: false,
    // Names of signers hold colons; more is checked with the spec at hand.
    validateName: (name) => isPathSegmentName(name),
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.spec?.signerName ?? '', current.spec?.signerName ?? '', signerPath),
    ],
  },
  columns: [
    nameColumn,
    column('SignerName', 'signerName indicates the associated signer, if any.', ({ spec }) =>
      (spec?.signerName ?? '') === '' ? '<none>' : spec?.signerName,
    ),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },
});

export const clusterTrustBundlesV1alpha1 = sameShape(clusterTrustBundles, CLUSTER_TRUST_BUNDLES_V1ALPHA1);

function validate({ metadata, spec }: V1beta1ClusterTrustBundle): FieldError[] {
  const errors: FieldErrors = [];
  const { name = '' } = metadata;
  const { signerName = '', trustBundle = '' } = partly(spec);
  if (signerName !== '') {
    const prefix = `${signerName.replaceAll('/', ':')}:`;
    if (name.startsWith(prefix)) checkMessages(isDns1123Subdomain(name.slice(prefix.length)), name, namePath, errors);
    else {
      const detail = `ClusterTrustBundle for signerName ${signerName} must be named with prefix ${prefix}`;
      errors.push(invalidValue(namePath, name, detail));
    }
    checkSignerName(signerName, signerPath, errors);
  } else if (name.includes(':')) {
    errors.push(invalidValue(namePath, name, 'ClusterTrustBundle without signer name must not have ":" in its name'));
  } else checkMessages(isDns1123Subdomain(name), name, namePath, errors);
  checkBundle(trustBundle, errors);
  return errors;
}

function checkBundle(text: string, errors: FieldErrors): void {
  if (Buffer.byteLength(text) > BUNDLE_BYTES_MAX) {
    errors.push(tooLong(bundlePath, BUNDLE_BYTES_MAX));
    return;
  }
  const found: FieldErrors = [];
  const refuse = (detail: string): void => void found.push(invalidValue(bundlePath, OMITTED, detail));
  const anchors = new Map<string, number[]>();
  for (const [index, { type, hasHeaders, der }] of pemBlocks(text).entries()) {
    if (type !== 'CERTIFICATE') refuse(`entry ${index} has bad block type: ${type}`);
    else if (hasHeaders) refuse(`entry ${index} has PEM block headers`);
    else if (!isCertificate(der)) refuse(`entry ${index} does not parse as X.509`);
    else if (!new X509Certificate(der).ca) refuse(`entry ${index} does not have the CA bit set`);
    else {
      const key = Buffer.from(der).toString('base64');
      anchors.set(key, [...(anchors.get(key) ?? []), index]);
    }
  }
  if (found.length === 0) {
    if (anchors.size === 0) refuse('at least one trust anchor must be provided');
    for (const indices of anchors.values()) {
      if (indices.length > 1) refuse(`duplicate trust anchor (indices [${indices.join(' ')}])`);
    }
  }
  errors.push(...found);
}
