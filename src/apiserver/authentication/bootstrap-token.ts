import type { Secret } from '#api/generated/types.ts';
import { parseTime, type Clock } from '#machinery/clock/clock.ts';
import { unauthorized } from '#machinery/errors/status-error.ts';
import type { Authenticator } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';
import { isSame } from './static-token.ts';
import { bearerToken } from './union.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;

/** Joining nodes: tokens kept as Secrets `kube-system/bootstrap-token-ID`. */
export function bootstrapTokenAuthenticator(deps: { secrets: ResourceView; clock: Clock }): Authenticator {
  return {
    authenticate: async (request) => {
      const [, id, secretPart] = TOKEN.exec(bearerToken(request) ?? '') ?? [];
      if (id === undefined || secretPart === undefined) return undefined;
      // Safe: this view holds Secrets.
      const secret = deps.secrets.get(`bootstrap-token-${id}`, 'kube-system') as Secret | undefined;
      if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined;
      if (secret.type !== 'bootstrap.kubernetes.io/token') return undefined;
      const field = (name: string) => Buffer.from(secret.data?.[name] ?? '', 'base64').toString();
      if (!isSame(field('token-secret'), secretPart) || field('token-id') !== id) throw unauthorized();
      const expiryMs = parseTime(field('expiration'));
      if (expiryMs !== undefined && expiryMs <= deps.clock.now()) throw unauthorized();
      if (field('usage-bootstrap-authentication') !== 'true') return undefined;
      const extraGroups = field('auth-extra-groups')
        .split(',')
        .filter((group) => group.startsWith('system:bootstrappers:'));
      return { username: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...extraGroups.sort()] };
    },
  };
}
