import { unauthorized } from '#machinery/errors/status-error.ts';
import type { Authenticator, Stage, UserInfo } from '../types.ts';

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
const AUTHENTICATED = 'system:authenticated';

/** Finds out who is asking. A `LocalClient`'s user is taken at its word: it was made inside this process. */
export function authentication(options: { authenticator: Authenticator; allowsAnonymous: boolean }): Stage {
  return async (context, next) => {
    const { localUser } = context.request;
    const user = localUser ?? (await options.authenticator.authenticate(context.request));
    if (user === undefined && !options.allowsAnonymous) throw unauthorized();
    context.user = user === undefined ? ANONYMOUS : withAuthenticatedGroup(user);
    return next();
  };
}

function withAuthenticatedGroup(user: UserInfo): UserInfo {
  const { groups, username } = user;
  if (username === ANONYMOUS.username || groups.includes(AUTHENTICATED) || groups.includes('system:unauthenticated')) {
    return user;
  }
  return { ...user, groups: [...groups, AUTHENTICATED] };
}
