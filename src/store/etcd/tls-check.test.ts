import { describe, expect, test } from 'vitest';
import { checkTls, handshakeProblem } from './tls-check.ts';

describe('checkTls', () => {
  test.each([
    ['a key alone', { key: 'k' }, 'a key for etcd is given, but no client certificate'],
    ['a certificate alone', { certificate: 'c' }, 'a client certificate for etcd is given, but no key'],
    ['a CA that is none', { ca: 'no PEM' }, 'the CA file for etcd holds no PEM certificate'],
    ['a certificate that is none', { certificate: 'c', key: 'k' }, 'the client certificate for etcd is no PEM'],
  ])('refuses %s', (_, tls, message) => {
    expect(() => checkTls(tls, 0)).toThrow(message);
  });

  test('takes nothing at all', () => {
    expect(() => checkTls({}, 0)).not.toThrow();
  });
});

describe('handshakeProblem', () => {
  test.each([
    ['Error: unable to verify the first certificate', '--etcd-cafile'],
    ['ssl/tls alert bad certificate', '--etcd-certfile'],
    ['tlsv1 alert unknown ca', '--etcd-certfile'],
    ["Hostname/IP does not match certificate's altnames", 'not for this address'],
    ['wrong version number', 'does not speak TLS'],
  ])('explains %s', (text, part) => {
    expect(handshakeProblem(text)).toContain(part);
  });

  test('leaves other failures as they are', () => {
    expect(handshakeProblem('connect ECONNREFUSED')).toBeUndefined();
  });
});
