import { createPrivateKey, X509Certificate } from 'node:crypto';
import { decodeBase64 } from '../../validation/base64.ts';

const BLOCK = /-----BEGIN ([^-\n]+)-----\r?\n[\s\S]*?-----END \1-----/g;

/** Why a certificate and a key, both PEM in base64, are no pair, in Go's words; undefined: they are one. */
export function keyPairMessage(certificate: string, key: string): string | undefined {
  const certificates = blocks(decodeBase64(certificate));
  const first = certificates.find(({ type }) => type === 'CERTIFICATE');
  if (first === undefined) return noCertificate(certificates.map(({ type }) => type));
  const keys = blocks(decodeBase64(key));
  const own = keys.find(({ type }) => type.endsWith('PRIVATE KEY'));
  if (own === undefined) return noKey(keys.map(({ type }) => type));
  try {
    const parsed = new X509Certificate(first.text);
    return parsed.checkPrivateKey(createPrivateKey(own.text))
      ? undefined
      : 'tls: private key does not match public key';
  } catch {
    return 'tls: failed to parse private key';
  }
}

function blocks(text: string): { type: string; text: string }[] {
  return [...text.matchAll(BLOCK)].map(([whole, type = '']) => ({ type, text: whole }));
}

function noCertificate(skipped: readonly string[]): string {
  if (skipped.length === 0) return 'tls: failed to find any PEM data in certificate input';
  if (skipped.length === 1 && skipped[0]?.endsWith('PRIVATE KEY') === true) {
    return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched';
  }
  return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${skipped.join(' ')}]`;
}

function noKey(skipped: readonly string[]): string {
  if (skipped.length === 0) return 'tls: failed to find any PEM data in key input';
  if (skipped.length === 1 && skipped[0] === 'CERTIFICATE') {
    return 'tls: found a certificate rather than a key in the PEM for the private key';
  }
  return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${skipped.join(' ')}]`;
}
