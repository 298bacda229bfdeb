import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Client, ResourceType } from '#client/client.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Fields, KubeObject } from '#machinery/meta/types.ts';

export interface KubeletUser {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
}

export interface KubeletAction {
  readonly verb: string;
  /** `proxy`, `stats`, `metrics`, `log`, `pods`, `healthz`: the part of `nodes` that is asked for. */
  readonly subresource: string;
}

/** Decides who may talk to the kubelet. Client certificates of the cluster's own components need no question. */
export interface KubeletAuth {
  authenticate(token: string): Promise<KubeletUser | undefined>;
  authorize(user: KubeletUser, action: KubeletAction): Promise<boolean>;
}

/** The subject of a verified client certificate; undefined without one. */
export function certificateUser(message: IncomingMessage): KubeletUser | undefined {
  const { socket } = message;
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  // Node gives a name that occurs several times as a list, whatever the types say.
  const subject: Record<string, unknown> = { ...socket.getPeerCertificate().subject };
  const [name] = texts(subject['CN']);
  return name === undefined ? undefined : { name, groups: [...texts(subject['O']), 'system:authenticated'] };
}

export function bearerToken(message: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(message.headers.authorization ?? '')?.[1];
}

function texts(value: unknown): string[] {
  return [value].flat().filter((one) => typeof one === 'string');
}

/** A review as it is sent and answered; kubelets need only these fields. */
interface Review extends KubeObject {
  spec: Fields;
  status?: {
    authenticated?: boolean;
    allowed?: boolean;
    user?: { username?: string; uid?: string; groups?: string[] };
  };
}

const TOKEN_REVIEWS: ResourceType<Review> = review('authentication.k8s.io', 'tokenreviews', 'TokenReview');
const ACCESS_REVIEWS: ResourceType<Review> = review(
  'authorization.k8s.io',
  'subjectaccessreviews',
  'SubjectAccessReview',
);

// Upstream's: a yes holds for five minutes, a no for half a minute.
const ALLOWED_MS = 300_000;
const DENIED_MS = 30_000;
const TOKEN_MS = 120_000;
const CACHE_MAX = 1000;

/** Asks the API server: TokenReview for who it is, SubjectAccessReview for what they may. */
export class DelegatedAuth implements KubeletAuth {
  readonly #deps: { client: Client; clock: Clock; nodeName: string };
  readonly #tokens = new Map<string, { user: KubeletUser | undefined; untilMs: number }>();
  readonly #decisions = new Map<string, { isAllowed: boolean; untilMs: number }>();

  constructor(deps: { client: Client; clock: Clock; nodeName: string }) {
    this.#deps = deps;
  }

  async authenticate(token: string): Promise<KubeletUser | undefined> {
    const nowMs = this.#deps.clock.now();
    const known = this.#tokens.get(token);
    if (known !== undefined && known.untilMs > nowMs) return known.user;
    const answer = await this.#deps.client.create(TOKEN_REVIEWS, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token },
    });
    const { authenticated, user: found } = answer.status ?? {};
    const user =
      authenticated === true && found?.username !== undefined
        ? { name: found.username, groups: found.groups ?? [], ...(found.uid === undefined ? {} : { uid: found.uid }) }
        : undefined;
    remember(this.#tokens, token, { user, untilMs: nowMs + TOKEN_MS });
    return user;
  }

  async authorize(user: KubeletUser, action: KubeletAction): Promise<boolean> {
    const nowMs = this.#deps.clock.now();
    const key = JSON.stringify([user, action]);
    const known = this.#decisions.get(key);
    if (known !== undefined && known.untilMs > nowMs) return known.isAllowed;
    const answer = await this.#deps.client.create(ACCESS_REVIEWS, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: user.name,
        groups: [...user.groups],
        resourceAttributes: {
          version: 'v1',
          resource: 'nodes',
          verb: action.verb,
          subresource: action.subresource,
          name: this.#deps.nodeName,
        },
      },
    });
    const isAllowed = answer.status?.allowed === true;
    remember(this.#decisions, key, { isAllowed, untilMs: nowMs + (isAllowed ? ALLOWED_MS : DENIED_MS) });
    return isAllowed;
  }
}

function remember<V>(cache: Map<string, V>, key: string, value: V): void {
  // Oldest first: a full cache forgets what was learned longest ago.
  const [oldest] = cache.keys();
  if (cache.size >= CACHE_MAX && oldest !== undefined) cache.delete(oldest);
  cache.set(key, value);
}

function review(group: string, resource: string, kind: string): ResourceType<Review> {
  return { group, version: 'v1', resource, kind, namespaced: false };
}
