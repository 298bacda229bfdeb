import type { Authenticator } from '../pipeline/types.ts';
import { certificateVerifier } from './x509.ts';

export interface RequestHeaderOptions {
  /** PEM of the front-proxy CA. */
  readonly ca: string;
  /** Common names that may speak for others; empty: any that the CA signed. */
  readonly allowedNames: readonly string[];
}

const EXTRA_PREFIX = 'x-remote-extra-';

/** Users named by an authenticating proxy in `X-Remote-User`, `X-Remote-Group` and `X-Remote-Extra-…`. */
export function requestHeaderAuthenticator({ ca, allowedNames }: RequestHeaderOptions): Authenticator {
  const verify = certificateVerifier(ca);
  return {
    authenticate: async ({ clientCertificate, headers }) => {
      if (clientCertificate === undefined) return undefined;
      const proxy = verify(clientCertificate);
      if (proxy === undefined) return undefined;
      if (allowedNames.length > 0 && !allowedNames.includes(proxy.commonName)) return undefined;
      const username = headers['x-remote-user'] ?? '';
      if (username === '') return undefined;
      const uid = headers['x-remote-uid'];
      return {
        username,
        ...(uid === undefined || uid === '' ? {} : { uid }),
        groups: list(headers['x-remote-group']),
        extra: extraOf(headers),
      };
    },
  };
}

// Repeated headers arrive joined; group names that contain a comma cannot be told apart and do not occur.
function list(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((value) => value.trim());
}

function extraOf(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(EXTRA_PREFIX)) extra[decodeKey(name.slice(EXTRA_PREFIX.length))] = list(value);
  }
  return extra;
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // Not an escape: the key is meant as it stands.
    return key;
  }
}
