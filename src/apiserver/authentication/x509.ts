import { createHash, X509Certificate } from 'node:crypto';
import type { Clock } from '#machinery/clock/clock.ts';
import { unauthorized } from '#machinery/errors/status-error.ts';
import type { Authenticator, UserInfo } from '../pipeline/types.ts';

export interface X509Options {
  /** PEM of the CA that signs users and components. */
  readonly clientCa: string;
  readonly clock: Clock;
}

/** What a certificate says, once parsed. */
export interface VerifiedCertificate {
  readonly commonName: string;
  readonly user: UserInfo;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Users by client certificate: the common name is the user, organizations are groups. */
export function x509Authenticator({ clientCa, clock }: X509Options): Authenticator {
  const verify = certificateVerifier(clientCa);
  return {
    authenticate: async (request) => {
      // Cast away nothing: a certificate that TLS refused is a refused credential.
      if (request.clientCertificateError !== undefined) throw unauthorized();
      if (request.clientCertificate === undefined) return undefined;
      const certificate = verify(request.clientCertificate);
      if (certificate === undefined || certificate.commonName === '') return undefined;
      const nowMs = clock.now();
      // A connection may outlive its certificate.
      if (nowMs > certificate.notAfterMs || nowMs < certificate.notBeforeMs) throw unauthorized();
      return certificate.user;
    },
  };
}

/**
 * Parses certificates that this CA issued; `undefined` for others. Each connection's certificate is parsed once, as
 * its bytes are one object.
 */
export function certificateVerifier(caPem: string): (der: Uint8Array) => VerifiedCertificate | undefined {
  const ca = new X509Certificate(caPem);
  const known = new WeakMap<Uint8Array, VerifiedCertificate | 'foreign'>();
  return (der) => {
    let result = known.get(der);
    if (result === undefined) {
      const certificate = new X509Certificate(der);
      const isOurs = certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
      result = isOurs ? readCertificate(certificate) : 'foreign';
      known.set(der, result);
    }
    return result === 'foreign' ? undefined : result;
  };
}

function readCertificate(certificate: X509Certificate): VerifiedCertificate {
  const { subject } = certificate.toLegacyObject();
  const commonName = values(subject.CN)[0] ?? '';
  const fingerprint = createHash('sha256').update(certificate.raw).digest('hex');
  return {
    commonName,
    user: {
      username: commonName,
      groups: values(subject.O),
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
    },
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

function values(field: string | readonly string[] | undefined): string[] {
  if (field === undefined) return [];
  return typeof field === 'string' ? [field] : [...field];
}
