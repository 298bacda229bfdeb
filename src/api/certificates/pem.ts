import { X509Certificate } from 'node:crypto';

export interface PemBlock {
  readonly type: string;
  readonly hasHeaders: boolean;
  readonly der: Uint8Array;
}

const BLOCK = /-----BEGIN ([^-\n]+)-----\r?\n([\s\S]*?)-----END \1-----/g;

/** The blocks of a PEM text; what stands between them is no matter. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].flatMap(([, type = '', body = '']) => {
    const hasHeaders = body.includes(':');
    const base64 = body.replaceAll(/^[^\n]*:[^\n]*$/gm, '').replaceAll(/\s/g, '');
    return /^[A-Za-z0-9+/]*={0,2}$/.test(base64) ? [{ type, hasHeaders, der: Buffer.from(base64, 'base64') }] : [];
  });
}

/** What is wrong with a request in base64 of PEM; undefined: it has the form of one. */
export function requestMessage(base64: string): string | undefined {
  const [block] = pemBlocks(decode(base64));
  if (block?.type !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST';
  return isSequence(block.der) ? undefined : 'asn1: syntax error: data truncated';
}

/** The same for the certificates that a signer issued. */
export function certificatesMessage(base64: string): string | undefined {
  const text = decode(base64);
  if (text === '') return undefined;
  const blocks = pemBlocks(text);
  for (const { type, hasHeaders, der } of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (hasHeaders) return 'no PEM block headers are permitted';
    if (!isCertificate(der)) return 'x509: malformed certificate';
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

/** Whether these bytes are one X.509 certificate. */
export function isCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).raw.length === der.length;
  } catch {
    // OpenSSL has no other way to say that it is none.
    return false;
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}

/** Whether the bytes are one DER sequence, of the length that it says. */
function isSequence(der: Uint8Array): boolean {
  const [tag, first = 0] = der;
  if (tag !== 0x30) return false;
  if (first < 0x80) return der.length === first + 2;
  const count = first & 0x7f;
  const length = [...der.subarray(2, 2 + count)].reduce((sum, byte) => sum * 256 + byte, 0);
  return count > 0 && count < 5 && der.length === 2 + count + length;
}
