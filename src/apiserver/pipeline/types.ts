import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { encodeValue } from '#machinery/codec/json.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { FieldTerm } from '#machinery/selectors/field-selector.ts';
import type { LabelRequirement } from '#machinery/selectors/label-selector.ts';
import type { WebhookMetrics } from '../metrics/webhook-metrics.ts';

/** Who is asking, as authentication found out (and impersonation may have changed). */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** A request as the transport hands it to the pipeline; `LocalClient` builds the same without sockets. */
export interface ApiRequest {
  /** Upper case. */
  readonly method: string;
  /** Decoded path without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names; repeated headers joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Reads the whole body once; throws 413 beyond `limitBytes`. Empty where there is none.
   */
  readonly readBody: (limitBytes: number) => Promise<Uint8Array>;
  /** The body as a stream, for proxied requests. Use either this or `readBody`. */
  readonly bodyStream?: () => AsyncIterable<Uint8Array>;
  /** Fires when the client is gone or the server stops. */
  readonly signal: AbortSignal;
  readonly remoteAddress?: string;
  /** DER of the client certificate that TLS verified against the client CA, if one was given. */
  readonly clientCertificate?: Uint8Array;
  /** Why TLS did not accept the client certificate that was given; such a request is refused (401) unless it has a token. */
  readonly clientCertificateError?: string;
  /** Set by `LocalClient` and the server's own loops: authentication is then done. */
  readonly localUser?: UserInfo;
  /** Set by `LocalClient` for informers: answers may carry shared frozen objects (`value`, `WatchFrame.object`). */
  readonly wantsFrozen?: boolean;
  /** Set by `LocalClient.withCause`: what a controller was reconciling when it sent this. */
  readonly cause?: WriteCause;
  /** An HTTP/1.1 upgrade (WebSocket or SPDY), or a WebSocket over HTTP/2: what an `upgrade` response takes over. */
  readonly upgrade?: { readonly message: IncomingMessage; readonly socket: Duplex; readonly head: Uint8Array };
}

/** What a controller read before it wrote: the key it reconciled and that object's revision. */
export interface WriteCause {
  readonly key: string;
  readonly revision: string;
}

/** What the path and method mean, as upstream's RequestInfo. */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  readonly path: string;
  /** get, list, watch, create, update, patch, delete, deletecollection; for non-resource paths the method in lower case. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty where none is named. */
  readonly namespace: string;
  readonly name: string;
  /** Path segments after the subresource (`proxy/{path}`). */
  readonly rest: readonly string[];
}

/** Everything a stage may know or leave for later ones. One a request. */
export interface RequestContext {
  /** A stage may put another view of it here, such as a translated body. */
  request: ApiRequest;
  info: RequestInfo;
  /** Set by authentication; the anonymous user where nobody presented credentials. */
  user: UserInfo;
  /** Texts for `Warning: 299` headers, in order, without duplicates. */
  readonly warnings: string[];
  /** Free annotations for audit, by upstream's keys. */
  readonly auditAnnotations: Map<string, string>;
  /** A write's cause, for `why`: set by controllers through LocalClient. */
  readonly cause?: WriteCause;
  /** The value of the `Audit-Id` header. */
  readonly auditId: string;
  /** Who authenticated, where impersonation changed `user`. */
  impersonator?: UserInfo;
}

export type ApiResponse =
  /** A finished body; a large list is many slices that are never joined. */
  | {
      readonly type: 'bytes';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: readonly Uint8Array[];
      /** Only where the request `wantsFrozen`: the answer as a deep-frozen value; `body` is then empty. */
      readonly value?: unknown;
      /** What `body` is the plain JSON of, where it may be encoded anew as the client prefers. */
      readonly json?: unknown;
    }
  /** A watch; the transport writes `encode(event)` frames once per turn, a local caller reads the objects. */
  | {
      readonly type: 'watch';
      readonly status: 200;
      readonly headers: Readonly<Record<string, string>>;
      readonly watch: WatchSource;
    }
  /** A body that is made while it is sent: logs, proxied answers, long lists. Its length is known where the headers say it. */
  | {
      readonly type: 'stream';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: AsyncIterable<Uint8Array>;
      /** Each piece is good only until the next one is asked for. Local callers never get such a body. */
      readonly reusesMemory?: boolean;
    }
  /** Takes over the socket and answers on it (exec, attach, port-forward, WebSocket watches). */
  | { readonly type: 'upgrade'; readonly accept: () => Promise<void> };

/** One watch event in both its forms; each is made at first use and shared by all watchers. */
export interface WatchFrame {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** The whole frame in the watch's negotiated form, newline included for JSON. */
  readonly bytes: readonly Uint8Array[];
  /** Deep-frozen, without managedFields. */
  readonly object: KubeObject;
}

/** A source of frames that the consumer pulls in batches; ends with a final ERROR frame or silently on timeout. */
export interface WatchSource {
  /** The next batch, in order; `undefined` at the end. At most one call at a time. */
  next(): Promise<readonly WatchFrame[] | undefined>;
  /** Releases the source; `next` then resolves to `undefined`. */
  close(): void;
}

/** One step of the pipeline; calls `next` to go on, or answers (or throws a StatusError) itself. */
export type Stage = (context: RequestContext, next: () => Promise<ApiResponse>) => Promise<ApiResponse>;

/** An endpoint outside the resources: `/healthz`, `/version`, `/openapi/v3/…`. */
export type Handler = (context: RequestContext) => Promise<ApiResponse>;

/** A finished JSON answer. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): ApiResponse {
  return {
    type: 'bytes',
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: [Buffer.from(`${encodeValue(body)}\n`)],
    json: body,
  };
}

export function textResponse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): ApiResponse {
  return {
    type: 'bytes',
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers },
    body: [Buffer.from(text)],
  };
}

/** The subject of an authorization question. */
export interface AuthorizationAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResourceRequest: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  /** What a list, watch or deletecollection is limited to; absent where nothing (readable) limits it. */
  readonly fieldSelector?: readonly FieldTerm[];
  readonly labelSelector?: readonly LabelRequirement[];
}

export type AuthorizationDecision =
  | { readonly type: 'allow'; readonly reason: string }
  | { readonly type: 'deny'; readonly reason: string }
  | { readonly type: 'noOpinion'; readonly reason: string };

export interface Authorizer {
  authorize(attributes: AuthorizationAttributes): Promise<AuthorizationDecision> | AuthorizationDecision;
  /** What `SelfSubjectRulesReview` lists. */
  rulesFor(
    user: UserInfo,
    namespace: string,
  ): {
    readonly resourceRules: readonly PolicyRuleView[];
    readonly nonResourceRules: readonly {
      readonly verbs: readonly string[];
      readonly nonResourceURLs: readonly string[];
    }[];
  };
}

export interface PolicyRuleView {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Finds out who is asking; `undefined` where this authenticator has no opinion, a 401 StatusError where it refuses. */
export interface Authenticator {
  authenticate(request: ApiRequest): Promise<UserInfo | undefined>;
}

/** What admission sees of one write. `object` may be changed by mutating plugins. */
export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly kind: string;
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  readonly dryRun: boolean;
  readonly warnings: string[];
  /** For the audit log. */
  readonly annotations?: Map<string, string>;
  /** The options of the request as an object: `CreateOptions` and the like, with what the client gave. */
  readonly options?: () => Readonly<Record<string, unknown>>;
  readonly metrics?: WebhookMetrics;
}

/** One admission plugin; both calls throw a StatusError (403 mostly) to refuse. */
export interface AdmissionPlugin {
  readonly name: string;
  /** May change `request.object` in place. Asynchronous only where it must ask outside this process. */
  readonly mutate?: (request: AdmissionRequest) => void | Promise<void>;
  readonly validate?: (request: AdmissionRequest) => void | Promise<void>;
  /** Is asked about CONNECT, and to mutate for DELETE, too; other plugins look at what is written. */
  readonly seesEverything?: boolean;
}
