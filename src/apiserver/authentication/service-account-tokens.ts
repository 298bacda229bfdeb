import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import { signJwt, type SigningKey, type VerificationKey, verifyJwt } from './jwt.ts';

/** A named object and the identity it must still have. */
export interface BoundReference {
  readonly name: string;
  readonly uid: string;
}

/** What a service-account token says, in upstream's private claims. */
export interface ServiceAccountClaims {
  readonly namespace: string;
  readonly serviceAccount: BoundReference;
  readonly pod?: BoundReference;
  readonly secret?: BoundReference;
  readonly node?: BoundReference;
  readonly audiences: readonly string[];
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly notBefore: number;
  readonly tokenId: string;
  /** The token is accepted after this time, but its use is a sign of a client that does not reload it. */
  readonly warnAfter?: number;
}

export interface TokenIssuerOptions {
  /** `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer: string;
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly random: Random;
}

/** Signs service-account tokens. */
export class TokenIssuer {
  readonly issuer: string;
  readonly #options: TokenIssuerOptions;

  constructor(options: TokenIssuerOptions) {
    this.issuer = options.issuer;
    this.#options = options;
  }

  issue(request: {
    readonly namespace: string;
    readonly serviceAccount: BoundReference;
    readonly bound?: Pick<ServiceAccountClaims, 'pod' | 'secret' | 'node'>;
    readonly audiences: readonly string[];
    readonly lifetimeSeconds: number;
    readonly warnAfterSeconds?: number;
  }): string {
    const { key, clock, random, issuer } = this.#options;
    const now = Math.floor(clock.now() / 1000);
    const { namespace, serviceAccount, bound = {} } = request;
    const warning = request.warnAfterSeconds === undefined ? {} : { warnafter: now + request.warnAfterSeconds };
    return signJwt(
      {
        aud: request.audiences,
        exp: now + request.lifetimeSeconds,
        iat: now,
        iss: issuer,
        jti: random.uuid(),
        'kubernetes.io': { namespace, ...bound, serviceaccount: serviceAccount, ...warning },
        nbf: now,
        sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
      },
      key,
    );
  }
}

/** Reads tokens of one issuer: signature and form, but neither time nor audience nor whether its objects exist. */
export function readServiceAccountToken(
  token: string,
  options: { issuer: string; keys: readonly VerificationKey[] },
): ServiceAccountClaims | undefined {
  const claims = verifyJwt(token, options.keys);
  if (claims === undefined || claims['iss'] !== options.issuer) return undefined;
  const own = record(claims['kubernetes.io']);
  const namespace = text(own?.['namespace']);
  const serviceAccount = reference(own?.['serviceaccount']);
  if (own === undefined || namespace === undefined || serviceAccount === undefined) return undefined;
  if (claims['sub'] !== `system:serviceaccount:${namespace}:${serviceAccount.name}`) return undefined;
  const pod = reference(own['pod']);
  const secret = reference(own['secret']);
  const node = reference(own['node']);
  const audience = claims['aud'];
  return {
    namespace,
    serviceAccount,
    ...(pod && { pod }),
    ...(secret && { secret }),
    ...(node && { node }),
    audiences: Array.isArray(audience) ? audience.map(String) : typeof audience === 'string' ? [audience] : [],
    expiresAt: Number(claims['exp'] ?? 0),
    notBefore: Number(claims['nbf'] ?? 0),
    tokenId: text(claims['jti']) ?? '',
    ...(typeof own['warnafter'] === 'number' && { warnAfter: own['warnafter'] }),
  };
}

function record(value: unknown): Record<string, unknown> | undefined {
  // Safe: checked to be a JSON object.
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function reference(value: unknown): BoundReference | undefined {
  const fields = record(value);
  const name = text(fields?.['name']);
  const uid = text(fields?.['uid']);
  return name === undefined || uid === undefined ? undefined : { name, uid };
}
