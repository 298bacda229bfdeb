import { formatTime, type Clock } from '#machinery/clock/clock.ts';
import { badRequest, StatusError } from '#machinery/errors/status-error.ts';
import type { ServiceAccountAuthenticator, TokenIdentity } from '../../authentication/service-account.ts';
import { withAuthenticatedGroup } from '../../authentication/union.ts';
import {
  jsonResponse,
  type ApiRequest,
  type Authenticator,
  type Handler,
  type RequestContext,
  type UserInfo,
} from '../../pipeline/types.ts';
import { fields, readObject, text, texts } from './body.ts';

const GROUP = 'authentication.k8s.io';
const API_VERSION = `${GROUP}/v1`;

export interface AuthenticationReviewDeps {
  readonly serviceAccounts: ServiceAccountAuthenticator;
  /** Authenticators that know other bearer tokens: static and bootstrap tokens. */
  readonly tokens: readonly Authenticator[];
  readonly audiences: readonly string[];
  readonly clock: Clock;
}

/** Handlers of TokenReview (who is this token?) and SelfSubjectReview (who am I?). */
export function authenticationReviewHandlers(deps: AuthenticationReviewDeps): Map<string, Handler> {
  return new Map<string, Handler>([
    [`${GROUP}/tokenreviews`, (context) => tokenReview(context, deps)],
    [
      `${GROUP}/selfsubjectreviews`,
      async (context) => {
        const review = await readObject(context, { apiVersion: API_VERSION, kind: 'SelfSubjectReview' });
        const creationTimestamp = formatTime(deps.clock.now());
        return jsonResponse(201, {
          kind: review.kind,
          apiVersion: review.apiVersion,
          metadata: { ...review.metadata, creationTimestamp },
          status: { userInfo: userInfo(context.user) },
        });
      },
    ],
  ]);
}

async function tokenReview(context: RequestContext, deps: AuthenticationReviewDeps) {
  const review = await readObject(context, { apiVersion: API_VERSION, kind: 'TokenReview' });
  const spec = fields(review['spec']);
  const token = text(spec['token']);
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const asked = texts(spec['audiences']);
  const status = await statusOf(token, asked.length === 0 ? deps.audiences : asked, { context, deps });
  const { kind, apiVersion, metadata } = review;
  return jsonResponse(201, { kind, apiVersion, metadata, spec, status });
}

async function statusOf(
  token: string,
  audiences: readonly string[],
  { context, deps }: { context: RequestContext; deps: AuthenticationReviewDeps },
): Promise<object> {
  try {
    const identity = deps.serviceAccounts.review(token, audiences) ?? (await otherToken(token, { context, deps }));
    if (identity === undefined) return { user: {} };
    const user = withAuthenticatedGroup(identity.user);
    return { authenticated: true, user: userInfo(user), audiences: identity.audiences };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { user: {}, error: `[invalid bearer token, ${error.message}]` };
  }
}

async function otherToken(
  token: string,
  { context, deps }: { context: RequestContext; deps: AuthenticationReviewDeps },
): Promise<TokenIdentity | undefined> {
  const { request } = context;
  // Token authenticators look at the header alone.
  const asked: ApiRequest = {
    method: 'GET',
    path: '/',
    query: new URLSearchParams(),
    headers: { authorization: `Bearer ${token}` },
    readBody: request.readBody,
    signal: request.signal,
  };
  for (const authenticator of deps.tokens) {
    const user = await authenticator.authenticate(asked);
    if (user !== undefined) return { user, audiences: deps.audiences };
  }
  return undefined;
}

/** A user as the reviews show it, without empty fields. */
function userInfo({ username, uid, groups, extra }: UserInfo) {
  return {
    username,
    ...(uid !== undefined && uid !== '' && { uid }),
    ...(groups.length > 0 && { groups }),
    ...(extra !== undefined && Object.keys(extra).length > 0 && { extra }),
  };
}
