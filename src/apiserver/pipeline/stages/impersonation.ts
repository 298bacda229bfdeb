import { setOwn } from '#machinery/codec/deep.ts';
import { badRequest, forbidden } from '#machinery/errors/status-error.ts';
import type { Authorizer, Stage, UserInfo } from '../types.ts';
import { forbiddenText } from './authorization.ts';

const EXTRA_PREFIX = 'impersonate-extra-';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

interface Impersonated {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** `kubectl --as`: acts as another user where the real one may `impersonate` each of its attributes. */
export function impersonation(authorizer: Authorizer): Stage {
  return async (context, next) => {
    const wanted = requestedUser(context.request.headers);
    if (wanted === undefined) return next();
    for (const subject of subjectsOf(wanted)) {
      const attributes = {
        ...subject,
        user: context.user,
        verb: 'impersonate',
        isResourceRequest: true,
        version: 'v1',
        path: '',
      };
      const decision = await authorizer.authorize(attributes);
      if (decision.type === 'allow') continue;
      const target = { group: subject.group, resource: subject.resource, name: subject.name };
      throw forbidden(target, forbiddenText(attributes, decision.reason));
    }
    context.impersonator = context.user;
    context.user = completed(wanted);
    return next();
  };
}

function requestedUser(headers: Readonly<Record<string, string>>): UserInfo | undefined {
  const username = headers['impersonate-user'] ?? '';
  const groups = splitHeader(headers['impersonate-group']);
  const uid = headers['impersonate-uid'] ?? '';
  const extra: Record<string, string[]> = {};
  for (const name in headers) {
    if (!name.startsWith(EXTRA_PREFIX)) continue;
    setOwn(extra, decodedKey(name.slice(EXTRA_PREFIX.length)), splitHeader(headers[name]));
  }
  const hasMore = groups.length > 0 || uid !== '' || Object.keys(extra).length > 0;
  if (username === '' && !hasMore) return undefined;
  if (username === '')
    throw badRequest(`requested ${JSON.stringify({ groups, uid, extra })} without impersonating a user name`);
  return {
    username,
    groups,
    ...(uid === '' ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function subjectsOf(user: UserInfo): Impersonated[] {
  const account = SERVICE_ACCOUNT.exec(user.username);
  const subject = { group: '', subresource: '', namespace: '' };
  const first: Impersonated =
    account === null
      ? { ...subject, resource: 'users', name: user.username }
      : { ...subject, resource: 'serviceaccounts', namespace: account[1] ?? '', name: account[2] ?? '' };
  const inAuthentication = { ...subject, group: 'authentication.k8s.io' };
  return [
    first,
    ...user.groups.map((name) => ({ ...subject, resource: 'groups', name })),
    ...(user.uid === undefined ? [] : [{ ...inAuthentication, resource: 'uids', name: user.uid }]),
    ...Object.entries(user.extra ?? {}).flatMap(([key, values]) =>
      values.map((name) => ({ ...inAuthentication, resource: 'userextras', subresource: key, name })),
    ),
  ];
}

/** Adds the groups that authentication would have given this user. */
function completed(user: UserInfo): UserInfo {
  const groups = [...user.groups];
  const account = SERVICE_ACCOUNT.exec(user.username);
  if (account !== null && groups.length === 0) {
    groups.push('system:serviceaccounts', `system:serviceaccounts:${account[1] ?? ''}`);
  }
  if (user.username === 'system:anonymous') {
    if (!groups.includes('system:unauthenticated')) groups.push('system:unauthenticated');
  } else if (!groups.includes('system:authenticated') && !groups.includes('system:unauthenticated')) {
    groups.push('system:authenticated');
  }
  return { ...user, groups };
}

/** A key that is not rightly escaped is taken as it stands, as upstream does. */
function decodedKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch (error) {
    if (error instanceof URIError) return key;
    throw error;
  }
}

function splitHeader(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(', ').filter((part) => part !== '');
}
