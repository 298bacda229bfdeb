import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { formatTime } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import {
  bitString,
  boolean,
  children,
  context,
  element,
  objectIdentifier,
  octetString,
  readElement,
  sequence,
  TAG,
  time,
  toPem,
  unsignedInteger,
  utf8String,
} from './der.ts';

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export type CertificateUse = 'ca' | 'client' | 'server' | 'peer';

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly use: CertificateUse;
  /** DNS names and IP addresses, told apart by their form. */
  readonly alternativeNames?: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  rsaWithSha256: '1.2.840.113549.1.1.11',
} as const;

/** A new ECDSA P-256 key, PKCS #8 PEM. */
export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/** Issues a certificate with a new key; without `issuer` it signs itself (a root). */
export function issueCertificate(request: CertificateRequest, options: { issuer?: KeyPair; random: Random }): KeyPair {
  const key = newPrivateKey();
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return { certificate: certify(request, publicKey, { ...options, ...(options.issuer ? {} : { selfKey: key }) }), key };
}

/** Signs a certificate for a public key (SubjectPublicKeyInfo DER) that somebody else holds. PEM. */
export function certify(
  request: CertificateRequest,
  publicKey: Uint8Array,
  options: { issuer?: KeyPair; selfKey?: string; random: Random },
): string {
  const signingKey = createPrivateKey(options.issuer?.key ?? options.selfKey ?? '');
  const subject = distinguishedName(request);
  const issuer = options.issuer === undefined ? undefined : certificateParts(options.issuer.certificate);
  const algorithm = signatureAlgorithm(signingKey);
  const serial = Uint8Array.from(options.random.bytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01;
  const body = sequence(
    context(0, unsignedInteger(Uint8Array.of(2)), { constructed: true }),
    unsignedInteger(serial),
    algorithm,
    issuer?.subject ?? subject,
    sequence(time(formatTime(request.notBeforeMs)), time(formatTime(request.notAfterMs))),
    subject,
    publicKey,
    context(3, sequence(...extensions(request, publicKey, issuer?.publicKey)), { constructed: true }),
  );
  const signature = sign('sha256', body, signingKey);
  return toPem('CERTIFICATE', sequence(body, algorithm, bitString(signature)));
}

/** Subject name and public key of a PEM certificate, as DER. */
function certificateParts(pem: string): { subject: Uint8Array; publicKey: Uint8Array } {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const [body] = children(readElement(der));
  if (body === undefined) throw new RangeError('certificate has no body');
  const fields = children(body);
  // version [0], serial, algorithm, issuer, validity, subject, public key
  const subject = fields[5];
  const publicKey = fields[6];
  if (subject === undefined || publicKey === undefined) throw new RangeError('certificate lacks fields');
  return { subject: subject.whole, publicKey: publicKey.whole };
}

function signatureAlgorithm(key: KeyObject): Uint8Array {
  return key.asymmetricKeyType === 'rsa'
    ? sequence(objectIdentifier(OID.rsaWithSha256), element(TAG.null))
    : sequence(objectIdentifier(OID.ecdsaWithSha256));
}

function distinguishedName({ commonName, organizations = [] }: CertificateRequest): Uint8Array {
  const organizationValues = organizations.map((name) =>
    sequence(objectIdentifier(OID.organization), utf8String(name)),
  );
  // A DER SET is ordered by its elements' bytes.
  organizationValues.sort((left, right) => Buffer.compare(left, right));
  return sequence(
    ...(organizationValues.length === 0 ? [] : [element(TAG.set, ...organizationValues)]),
    element(TAG.set, sequence(objectIdentifier(OID.commonName), utf8String(commonName))),
  );
}

function extensions(request: CertificateRequest, publicKey: Uint8Array, issuerKey: Uint8Array | undefined) {
  const isCa = request.use === 'ca';
  const list = [
    // CA: digitalSignature, keyEncipherment, keyCertSign; leaf: digitalSignature, keyEncipherment.
    extension(OID.keyUsage, bitString(Uint8Array.of(isCa ? 0xa4 : 0xa0), isCa ? 2 : 5), { critical: true }),
  ];
  const purposes = [
    ...(request.use === 'server' || request.use === 'peer' ? [OID.serverAuth] : []),
    ...(request.use === 'client' || request.use === 'peer' ? [OID.clientAuth] : []),
  ];
  if (purposes.length > 0) {
    list.push(extension(OID.extendedKeyUsage, sequence(...purposes.map(objectIdentifier)), { critical: false }));
  }
  list.push(
    extension(OID.basicConstraints, isCa ? sequence(boolean({ value: true })) : sequence(), { critical: true }),
  );
  if (isCa) list.push(extension(OID.subjectKeyId, octetString(keyId(publicKey)), { critical: false }));
  const authority = issuerKey ?? (isCa ? publicKey : undefined);
  if (authority !== undefined) {
    const id = sequence(context(0, keyId(authority), { constructed: false }));
    list.push(extension(OID.authorityKeyId, id, { critical: false }));
  }
  const names = request.alternativeNames ?? [];
  if (names.length > 0) {
    list.push(extension(OID.alternativeName, sequence(...names.map(alternativeName)), { critical: false }));
  }
  return list;
}

function extension(oid: string, value: Uint8Array, { critical }: { critical: boolean }): Uint8Array {
  return sequence(objectIdentifier(oid), ...(critical ? [boolean({ value: true })] : []), octetString(value));
}

/** RFC 5280, 4.2.1.2, method 1: SHA-1 of the key's bits. An identifier, not a safeguard. */
function keyId(publicKey: Uint8Array): Uint8Array {
  const bits = children(readElement(publicKey))[1];
  return createHash('sha1')
    .update(bits === undefined ? publicKey : bits.content.subarray(1))
    .digest();
}

function alternativeName(name: string): Uint8Array {
  return isIP(name) === 0
    ? context(2, Buffer.from(name, 'ascii'), { constructed: false })
    : context(7, addressBytes(name), { constructed: false });
}

function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
