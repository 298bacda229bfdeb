import type { Clock } from '#machinery/clock/clock.ts';
import { unauthorized } from '#machinery/errors/status-error.ts';
import type { SecurityMetrics } from '../../metrics/security-metrics.ts';
import type { ApiRequest, Authenticator, Stage, UserInfo } from '../types.ts';

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
const AUTHENTICATED = 'system:authenticated';

/** Finds out who is asking. A `LocalClient`'s user is taken at its word: it was made inside this process. */
export function authentication(options: {
  authenticator: Authenticator;
  allowsAnonymous: boolean;
  metrics: SecurityMetrics;
  clock: Clock;
}): Stage {
  return async (context, next) => {
    const { localUser } = context.request;
    const user = localUser ?? (await measured(context.request, options));
    if (user === undefined && !options.allowsAnonymous) throw unauthorized();
    context.user = user === undefined ? ANONYMOUS : withAuthenticatedGroup(user);
    return next();
  };
}

async function measured(
  request: ApiRequest,
  { authenticator, metrics, clock }: { authenticator: Authenticator; metrics: SecurityMetrics; clock: Clock },
): Promise<UserInfo | undefined> {
  const startedMs = clock.monotonic();
  const seconds = () => (clock.monotonic() - startedMs) / 1000;
  try {
    const user = await authenticator.authenticate(request);
    metrics.authenticated(user === undefined ? 'failure' : 'success', seconds(), user?.username);
    return user;
  } catch (error) {
    metrics.authenticated('error', seconds());
    throw error;
  }
}

function withAuthenticatedGroup(user: UserInfo): UserInfo {
  const { groups, username } = user;
  if (username === ANONYMOUS.username || groups.includes(AUTHENTICATED) || groups.includes('system:unauthenticated')) {
    return user;
  }
  return { ...user, groups: [...groups, AUTHENTICATED] };
}
