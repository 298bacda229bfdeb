import { StatusError, unauthorized } from '#machinery/errors/status-error.ts';
import type { ApiRequest, Authenticator, UserInfo } from '../pipeline/types.ts';

const AUTHENTICATED_GROUP = 'system:authenticated';
const UNAUTHENTICATED_GROUP = 'system:unauthenticated';
const ANONYMOUS_NAME = 'system:anonymous';

/**
 * Asks each authenticator until one knows the caller. Credentials that one refuses may still be good for a later one;
 * if none accepts them the answer is 401, never the anonymous user.
 */
export function unionAuthenticator(authenticators: readonly Authenticator[]): Authenticator {
  return {
    authenticate: async (request) => {
      let hasRefused = false;
      for (const authenticator of authenticators) {
        try {
          const user = await authenticator.authenticate(request);
          if (user !== undefined) return withAuthenticatedGroup(user);
        } catch (error) {
          if (!(error instanceof StatusError) || error.code !== 401) throw error;
          hasRefused = true;
        }
      }
      if (hasRefused) throw unauthorized();
      return undefined;
    },
  };
}

/** Everybody who is somebody is in `system:authenticated`. */
export function withAuthenticatedGroup(user: UserInfo): UserInfo {
  const { groups } = user;
  if (user.username === ANONYMOUS_NAME) return user;
  if (groups.includes(AUTHENTICATED_GROUP) || groups.includes(UNAUTHENTICATED_GROUP)) return user;
  return { ...user, groups: [...groups, AUTHENTICATED_GROUP] };
}

/** The bearer token of a request, from its header or the WebSocket protocol that browsers must use. */
export function bearerToken(request: ApiRequest): string | undefined {
  const header = request.headers['authorization'];
  if (header !== undefined) {
    const [scheme = '', token = ''] = header.trim().split(/\s+/, 2);
    if (scheme.toLowerCase() === 'bearer' && token !== '') return token;
  }
  const protocols = request.headers['sec-websocket-protocol'];
  if (protocols === undefined) return undefined;
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const entry = protocols.split(',').find((protocol) => protocol.trim().startsWith(prefix));
  return entry === undefined ? undefined : Buffer.from(entry.trim().slice(prefix.length), 'base64url').toString();
}

/** Comes last: a bearer token that nobody knew is a refused credential and not a missing one. */
export const unknownTokenAuthenticator: Authenticator = {
  authenticate: async (request) => {
    if (bearerToken(request) !== undefined) throw unauthorized();
    return undefined;
  },
};
