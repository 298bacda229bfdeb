import { createPublicKey, sign, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { certify, issueCertificate, newPrivateKey } from './certificate.ts';
import {
  bitString,
  context,
  element,
  objectIdentifier,
  octetString,
  sequence,
  TAG,
  toPem,
  unsignedInteger,
  utf8String,
} from './der.ts';
import { readSigningRequest } from './signing-request.ts';

const START_MS = 1_790_000_000_000;

function requestPem(key: string, signer = key): string {
  const name = (oid: string, value: string) => element(TAG.set, sequence(objectIdentifier(oid), utf8String(value)));
  const names = sequence(
    context(2, Buffer.from('n1.test'), { constructed: false }),
    context(7, Uint8Array.of(127, 0, 0, 1), { constructed: false }),
  );
  const extensions = sequence(sequence(objectIdentifier('2.5.29.17'), octetString(names)));
  const attribute = sequence(objectIdentifier('1.2.840.113549.1.9.14'), element(TAG.set, extensions));
  const body = sequence(
    unsignedInteger(Uint8Array.of(0)),
    sequence(name('2.5.4.10', 'system:nodes'), name('2.5.4.3', 'system:node:n1')),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    context(0, attribute, { constructed: true }),
  );
  const signature = sign('sha256', body, signer);
  const algorithm = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
  return toPem('CERTIFICATE REQUEST', sequence(body, algorithm, bitString(signature)));
}

describe('readSigningRequest', () => {
  test('reads subject, names and key, from which a certificate can be made', () => {
    const key = newPrivateKey();
    const request = readSigningRequest(requestPem(key));
    expect(request).toMatchObject({
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
      alternativeNames: ['n1.test', '127.0.0.1'],
    });
    const random = new SeededRandom(1);
    const lifetime = { notBeforeMs: START_MS, notAfterMs: START_MS + 1000 };
    const issuer = issueCertificate({ commonName: 'ca', use: 'ca', ...lifetime }, { random });
    const { publicKey, ...subject } = request;
    const signed = new X509Certificate(
      certify({ ...subject, use: 'client', ...lifetime }, publicKey, { issuer, random }),
    );
    expect(signed.subject).toBe('O=system:nodes\nCN=system:node:n1');
    expect(signed.publicKey.equals(createPublicKey(key))).toBe(true);
    expect(signed.verify(new X509Certificate(issuer.certificate).publicKey)).toBe(true);
  });

  test('refuses what is no request or signed by another key', () => {
    expect(() => readSigningRequest('hello')).toThrow('PEM block type must be CERTIFICATE REQUEST');
    expect(() => readSigningRequest(requestPem(newPrivateKey(), newPrivateKey()))).toThrow('not signed by its own key');
    expect(() => readSigningRequest(toPem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 0x82)))).toThrow(RangeError);
  });
});
