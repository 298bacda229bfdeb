import type { Pod, ServiceAccountTokenProjection, TokenRequest } from '#api/generated/types.ts';
import { SERVICE_ACCOUNTS } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import { type Clock, parseTime } from '#machinery/clock/clock.ts';

interface Token {
  readonly text: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

export interface IssuedToken {
  readonly text: string;
  /** It should be replaced from this time on. */
  readonly refreshAtMs: number;
}

const DEFAULT_SECONDS = 3600;
// A token is replaced when this much of its life is over, or after a day.
const REFRESH_SHARE = 0.8;
const REFRESH_MAX_MS = 24 * 3600 * 1000;

/** Service account tokens for pods, bound to the pod and kept until they are due for renewal. */
export class PodTokens {
  readonly #deps: { client: Client; clock: Clock };
  /** By pod uid, then by what was asked for. */
  readonly #tokens = new Map<string, Map<string, Token>>();

  constructor(deps: { client: Client; clock: Clock }) {
    this.#deps = deps;
  }

  async get(pod: Pod, wanted: ServiceAccountTokenProjection): Promise<IssuedToken> {
    const uid = pod.metadata.uid ?? '';
    const key = JSON.stringify([wanted.audience ?? '', wanted.expirationSeconds ?? DEFAULT_SECONDS]);
    const ofPod = this.#tokens.get(uid) ?? new Map<string, Token>();
    const known = ofPod.get(key);
    const nowMs = this.#deps.clock.now();
    if (known !== undefined && nowMs < refreshAt(known)) return issued(known);
    try {
      const token = await this.#request(pod, wanted);
      ofPod.set(key, token);
      this.#tokens.set(uid, ofPod);
      return issued(token);
    } catch (error) {
      // An old token is better than none while the server is away.
      if (known !== undefined && nowMs < known.expiresMs) return { text: known.text, refreshAtMs: nowMs + 10_000 };
      throw error;
    }
  }

  forget(uid: string): void {
    this.#tokens.delete(uid);
  }

  async #request(pod: Pod, wanted: ServiceAccountTokenProjection): Promise<Token> {
    const { name = '', uid = '', namespace = '' } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? 'default';
    const body: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: wanted.audience === undefined || wanted.audience === '' ? [] : [wanted.audience],
        expirationSeconds: wanted.expirationSeconds ?? DEFAULT_SECONDS,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const issuedMs = this.#deps.clock.now();
    const answer = await this.#deps.client.createSubresource<TokenRequest>(
      SERVICE_ACCOUNTS,
      { namespace, name: account },
      'token',
      body,
    );
    const expiresMs = parseTime(answer.status?.expirationTimestamp ?? '');
    if (answer.status === undefined || expiresMs === undefined) {
      throw new Error(`token request for service account "${namespace}/${account}" was not answered with a token`);
    }
    return { text: answer.status.token ?? '', issuedMs, expiresMs };
  }
}

function issued(token: Token): IssuedToken {
  return { text: token.text, refreshAtMs: refreshAt(token) };
}

function refreshAt({ issuedMs, expiresMs }: Token): number {
  return issuedMs + Math.min((expiresMs - issuedMs) * REFRESH_SHARE, REFRESH_MAX_MS);
}
