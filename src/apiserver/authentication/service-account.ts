import { parseTime, type Clock } from '#machinery/clock/clock.ts';
import { unauthorized } from '#machinery/errors/status-error.ts';
import type { Authenticator, UserInfo } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';
import { unverifiedClaims, type VerificationKey } from './jwt.ts';
import { readServiceAccountToken, type BoundReference, type ServiceAccountClaims } from './service-account-tokens.ts';
import { bearerToken } from './union.ts';

export interface ServiceAccountDeps {
  readonly issuer: string;
  readonly keys: readonly VerificationKey[];
  /** Audiences of this API server; a token must name one. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
  /** `serviceaccounts`, `pods`, `secrets` and `nodes` of the core group. */
  readonly view: (resource: string) => ResourceView;
}

export interface TokenIdentity {
  readonly user: UserInfo;
  readonly audiences: readonly string[];
}

/** A token is checked anew on every request, its signature only once: most requests come with the same few tokens. */
const REMEMBERED_TOKENS_MAX = 4096;
/** Clocks of a cluster's machines may differ by this. */
const LEEWAY_SECONDS = 60;
/** An object on its way out keeps its tokens for this long after its grace period. */
const DELETION_LEEWAY_MS = 60_000;

/** Service accounts by JWT, bound to objects that must still exist. */
export class ServiceAccountAuthenticator implements Authenticator {
  readonly #deps: ServiceAccountDeps;
  readonly #remembered = new Map<string, ServiceAccountClaims>();

  constructor(deps: ServiceAccountDeps) {
    this.#deps = deps;
  }

  async authenticate(request: Parameters<Authenticator['authenticate']>[0]): Promise<UserInfo | undefined> {
    const token = bearerToken(request);
    if (token === undefined) return undefined;
    return this.review(token, this.#deps.audiences)?.user;
  }

  /**
   * Who a token is, for the audiences given. `undefined`: not a token of this issuer. Throws 401 with the reason
   * (which callers may show in a TokenReview) where it is one and is not valid.
   */
  review(token: string, audiences: readonly string[]): TokenIdentity | undefined {
    const claims = this.#claims(token);
    if (claims === undefined) return undefined;
    const matching = claims.audiences.filter((audience) => audiences.includes(audience));
    if (matching.length === 0) {
      throw unauthorized(
        `token audiences ${goList(claims.audiences)} is invalid for the target audiences ${goList(audiences)}`,
      );
    }
    this.#checkTimes(claims);
    this.#checkObjects(claims);
    return { user: userOf(claims), audiences: matching };
  }

  #claims(token: string): ServiceAccountClaims | undefined {
    const known = this.#remembered.get(token);
    if (known !== undefined) return known;
    if (unverifiedClaims(token)?.['iss'] !== this.#deps.issuer) return undefined;
    const claims = readServiceAccountToken(token, this.#deps);
    if (claims === undefined) throw unauthorized('invalid bearer token');
    if (this.#remembered.size >= REMEMBERED_TOKENS_MAX) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(token, claims);
    return claims;
  }

  #checkTimes(claims: ServiceAccountClaims): void {
    const now = this.#deps.clock.now() / 1000;
    if (now > claims.expiresAt) throw unauthorized('service account token has expired');
    if (now < claims.notBefore - LEEWAY_SECONDS) throw unauthorized('service account token is not valid yet');
  }

  #checkObjects(claims: ServiceAccountClaims): void {
    const { namespace, serviceAccount, pod, secret, node } = claims;
    const gone = 'service account token has been invalidated';
    if (!this.#exists('serviceaccounts', serviceAccount, namespace)) throw unauthorized(gone);
    if (pod !== undefined && !this.#exists('pods', pod, namespace)) throw unauthorized(gone);
    if (secret !== undefined && !this.#exists('secrets', secret, namespace)) throw unauthorized(gone);
    // A node beside a pod only says where the pod ran; alone it is what the token is bound to.
    if (pod === undefined && node !== undefined && !this.#exists('nodes', node)) throw unauthorized(gone);
  }

  #exists(resource: string, { name, uid }: BoundReference, namespace?: string): boolean {
    const object = this.#deps.view(resource).get(name, namespace);
    if (object === undefined || object.metadata.uid !== uid) return false;
    const { deletionTimestamp } = object.metadata;
    if (deletionTimestamp === undefined) return true;
    return (parseTime(deletionTimestamp) ?? 0) + DELETION_LEEWAY_MS > this.#deps.clock.now();
  }
}

const EXTRA = 'authentication.kubernetes.io/';

function userOf({ namespace, serviceAccount, pod, node, tokenId }: ServiceAccountClaims): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    uid: serviceAccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra: {
      ...(tokenId !== '' && { [`${EXTRA}credential-id`]: [`JTI=${tokenId}`] }),
      ...(node && { [`${EXTRA}node-name`]: [node.name], [`${EXTRA}node-uid`]: [node.uid] }),
      ...(pod && { [`${EXTRA}pod-name`]: [pod.name], [`${EXTRA}pod-uid`]: [pod.uid] }),
    },
  };
}

/** As Go prints a list of strings with %q. */
function goList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
