import { createPublicKey, verify } from 'node:crypto';
import { children, fromPem, readElement, readObjectIdentifier, type DerElement } from './der.ts';

/** What a PKCS #10 request asks for, its signature checked. */
export interface SigningRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** DNS names and IP addresses. */
  readonly alternativeNames: readonly string[];
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const ALTERNATIVE_NAME = '2.5.29.17';
const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
};

/** Reads a `CERTIFICATE REQUEST`; throws a RangeError where it is none or is not signed by its own key. */
export function readSigningRequest(pem: string): SigningRequest {
  const der = fromPem('CERTIFICATE REQUEST', pem);
  if (der === undefined) throw new RangeError('PEM block type must be CERTIFICATE REQUEST');
  const [body, algorithm, signature] = children(readElement(der));
  if (body === undefined || algorithm === undefined || signature === undefined)
    throw new RangeError('request is cut off');
  const [, subject, publicKey, attributes] = children(body);
  if (subject === undefined || publicKey === undefined) throw new RangeError('request lacks subject or key');
  checkSignature(body, { algorithm, signature, publicKey });
  const names = children(subject).flatMap(children).map(children);
  const values = (oid: string) =>
    names.flatMap(([type, value]) =>
      type !== undefined && value !== undefined && readObjectIdentifier(type.content) === oid ? [text(value)] : [],
    );
  return {
    commonName: values(COMMON_NAME)[0] ?? '',
    organizations: values(ORGANIZATION),
    alternativeNames: attributes === undefined ? [] : children(attributes).flatMap(alternativeNamesOf),
    publicKey: publicKey.whole,
  };
}

function checkSignature(
  body: DerElement,
  parts: { algorithm: DerElement; signature: DerElement; publicKey: DerElement },
): void {
  const [oid] = children(parts.algorithm);
  const hash = oid === undefined ? undefined : HASHES[readObjectIdentifier(oid.content)];
  if (hash === undefined) throw new RangeError('request is signed in an unknown way');
  const key = createPublicKey({ key: Buffer.from(parts.publicKey.whole), format: 'der', type: 'spki' });
  // The first byte of a bit string counts unused bits: none in a signature.
  if (!verify(hash, body.whole, key, parts.signature.content.subarray(1))) {
    throw new RangeError('request is not signed by its own key');
  }
}

function alternativeNamesOf(attribute: DerElement): string[] {
  const [type, set] = children(attribute);
  if (type === undefined || set === undefined || readObjectIdentifier(type.content) !== EXTENSION_REQUEST) return [];
  return children(set)
    .flatMap(children)
    .flatMap((extension) => {
      const fields = children(extension);
      const [oid] = fields;
      const value = fields.at(-1);
      if (oid === undefined || value === undefined || readObjectIdentifier(oid.content) !== ALTERNATIVE_NAME) return [];
      return children(readElement(value.content)).flatMap(generalName);
    });
}

function generalName({ tag, content }: DerElement): string[] {
  if (tag === 0x82) return [Buffer.from(content).toString('ascii')];
  if (tag !== 0x87) return [];
  if (content.length === 4) return [content.join('.')];
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((content[index * 2] ?? 0) << 8) | (content[index * 2 + 1] ?? 0)).toString(16),
  );
  return [new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)];
}

function text({ content }: DerElement): string {
  return Buffer.from(content).toString('utf8');
}
