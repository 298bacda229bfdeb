import { createPrivateKey, X509Certificate } from 'node:crypto';
import { StoreOpenError } from '../errors.ts';
import type { EtcdTls } from './etcd-client.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Throws `StoreOpenError` for certificates and keys that no member could accept, before any of them is asked. */
export function checkTls({ ca, certificate, key }: EtcdTls, nowMs: number): void {
  if (ca !== undefined && certificatesOf(ca, 'the CA file').length === 0) {
    throw new StoreOpenError('the CA file for etcd holds no PEM certificate');
  }
  if (certificate === undefined && key === undefined) return;
  if (certificate === undefined) throw new StoreOpenError('a key for etcd is given, but no client certificate');
  if (key === undefined) throw new StoreOpenError('a client certificate for etcd is given, but no key');
  const [own] = certificatesOf(certificate, 'the client certificate');
  if (own === undefined) throw new StoreOpenError('the client certificate for etcd is no PEM certificate');
  if (own.validToDate.getTime() < nowMs) {
    throw new StoreOpenError(`the client certificate for etcd (${subjectOf(own)}) expired at ${own.validTo}`);
  }
  if (own.validFromDate.getTime() > nowMs) {
    throw new StoreOpenError(`the client certificate for etcd (${subjectOf(own)}) is valid only from ${own.validFrom}`);
  }
  if (!own.checkPrivateKey(privateKey(key))) {
    throw new StoreOpenError(`the key for etcd is not that of the client certificate (${subjectOf(own)})`);
  }
}

/** What a failed handshake means for whoever has to mend it; undefined for other failures. */
export function handshakeProblem(text: string): string | undefined {
  if (/unable to (?:verify|get)|self[- ]signed|issuer certificate/i.test(text)) {
    return "etcd's certificate is not signed by the CA that is given (--etcd-cafile)";
  }
  if (/Hostname\/IP does not match/i.test(text)) return "etcd's certificate is not for this address";
  if (/certificate has expired/i.test(text)) return "etcd's certificate has expired";
  if (/alert (?:bad certificate|unknown ca|certificate (?:required|expired|unknown)|handshake failure)/i.test(text)) {
    return (
      'etcd refused the client certificate: it is missing, or not signed by the CA that etcd trusts ' +
      '(--etcd-certfile, --etcd-keyfile)'
    );
  }
  if (/wrong version number|packet length too long/i.test(text)) return 'etcd does not speak TLS there';
  return undefined;
}

function certificatesOf(pem: string, what: string): X509Certificate[] {
  try {
    return (pem.match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
  } catch (error) {
    throw new StoreOpenError(`${what} for etcd cannot be read: ${String(error)}`, { cause: error });
  }
}

function privateKey(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new StoreOpenError(`the key for etcd cannot be read: ${String(error)}`, { cause: error });
  }
}

function subjectOf({ subject }: X509Certificate): string {
  return subject.replaceAll('\n', ', ');
}
