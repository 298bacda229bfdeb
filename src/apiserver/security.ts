import { forbidden, genericStatus } from '#machinery/errors/status-error.ts';
import { certificateSigners } from './admission/certificates.ts';
import { defaultAdmissionPlugins } from './admission/default-plugins.ts';
import { dynamicAdmissionPlugins } from './admission/dynamic-plugins.ts';
import { nodeTokenRefusal } from './admission/node-restriction.ts';
import { QuotaCheck } from './admission/quota/resource-quota.ts';
import { serviceAllocation } from './allocation/service-allocation.ts';
import { bootstrapTokenAuthenticator } from './authentication/bootstrap-token.ts';
import { type SigningKey, type VerificationKey } from './authentication/jwt.ts';
import { requestHeaderAuthenticator } from './authentication/request-header.ts';
import { ServiceAccountAuthenticator } from './authentication/service-account.ts';
import { TokenIssuer } from './authentication/service-account-tokens.ts';
import { staticTokenAuthenticator } from './authentication/static-token.ts';
import { unionAuthenticator, unknownTokenAuthenticator } from './authentication/union.ts';
import { x509Authenticator } from './authentication/x509.ts';
import { rbacEscalationCheck } from './authorization/escalation.ts';
import { NodeAuthorizer } from './authorization/node-authorizer.ts';
import { NodeGraph } from './authorization/node-graph.ts';
import { RbacAuthorizer } from './authorization/rbac.ts';
import { RbacIndex } from './authorization/rbac-index.ts';
import { privilegedAuthorizer, unionAuthorizer } from './authorization/union.ts';
import { accessReviewHandlers } from './endpoints/special/access-reviews.ts';
import { authenticationReviewHandlers } from './endpoints/special/authentication-reviews.ts';
import { fields, text } from './endpoints/special/body.ts';
import { openidHandlers } from './endpoints/special/openid.ts';
import { tokenRequestHandler } from './endpoints/special/token-request.ts';
import { attributesOf, forbiddenText } from './pipeline/stages/authorization.ts';
import type { Authorizer, Handler, RequestContext, UserInfo } from './pipeline/types.ts';
import { Forwarder } from './proxy/forward.ts';
import { httpProxyHandlers } from './proxy/http-proxy.ts';
import type { LocalKubelet } from './proxy/kubelet-connection.ts';
import { podStreamHandlers } from './proxy/pod-streams.ts';
import type { ApiServerDeps, ResourceView, ServerParts, WriteHook } from './server-parts.ts';
import { WebhookClient } from './webhook/webhook-client.ts';

export interface SecurityOptions {
  /** Signs service-account tokens. */
  readonly signingKey: SigningKey;
  /** Further keys whose tokens are still accepted. */
  readonly olderKeys?: readonly VerificationKey[];
  /** Default: `https://kubernetes.default.svc.cluster.local`, also the API server's audience. */
  readonly issuer?: string;
  /** PEM; absent: nobody comes by certificate (a server without sockets). */
  readonly clientCa?: string;
  readonly frontProxyCa?: string;
  /** How the server presents itself to kubelets, PEM. */
  readonly kubeletClient?: { readonly certificate: string; readonly key: string };
  readonly kubeletCa?: string;
  /** Nodes that share this process. */
  readonly kubeletFor?: (nodeName: string) => LocalKubelet | undefined;
  readonly staticTokens?: ReadonlyMap<string, UserInfo>;
  readonly serviceCidrs?: readonly string[];
  readonly nodePortRange?: { readonly first: number; readonly last: number };
  /** `HOST:PORT` of the server, for discovery documents. */
  readonly externalAddress?: () => string;
}

/** What `createApiServer` needs of security. */
export type SecurityParts = Pick<
  ApiServerDeps,
  'authenticator' | 'authorizer' | 'admission' | 'special' | 'paths' | 'writeHooks'
> & {
  /** For those who need a token without asking over the API. */
  readonly issuer: string;
  /** Closes connections to kubelets and webhooks. */
  close(): void;
};

/** Composes authentication, authorization, admission and what hangs on them. */
export function createSecurity(options: SecurityOptions): SecurityParts {
  const issuer = options.issuer ?? 'https://kubernetes.default.svc.cluster.local';
  const audiences = [issuer];
  const keys = [options.signingKey.verification, ...(options.olderKeys ?? [])];
  const forwarder = new Forwarder();
  const context = new Lazy(options, { issuer, audiences, keys, forwarder });
  let webhooks: WebhookClient | undefined;
  return {
    issuer,
    authenticator: (parts) => context.of(parts).authenticator,
    authorizer: (parts) => context.of(parts).authorizer,
    admission: (parts) => {
      const { clock, random } = parts.executor;
      const { rbac, authorizer } = context.of(parts);
      const view = viewOf(parts);
      webhooks ??= new WebhookClient({ view, executor: parts.executor });
      const earlier = defaultAdmissionPlugins({ view, random, clock });
      return [
        ...earlier,
        ...dynamicAdmissionPlugins(parts, { view, random, clock, authorizer, webhooks, earlier }),
        // The whole chain's answer counts for the verbs `escalate` and `bind`, not only RBAC's.
        rbacEscalationCheck({ rbac, authorizer }),
        certificateSigners(authorizer),
      ];
    },
    special: (parts) => specialHandlers(parts, { ...context.of(parts), options, issuer, audiences, forwarder }),
    paths: openidHandlers({
      issuer,
      keys,
      externalUrl: () => `https://${options.externalAddress?.() ?? 'kubernetes.default.svc'}`,
    }),
    writeHooks: (parts) => writeHooks(parts, options),
    close: () => {
      webhooks?.close();
      forwarder.close();
    },
  };
}

/** The server's views, each looked up once: authorizers ask for them on every request. */
function viewOf(parts: ServerParts): ServerParts['view'] {
  const views = new Map<string, ResourceView>();
  return (group, resource) => {
    const key = `${group}/${resource}`;
    let view = views.get(key);
    if (view === undefined) {
      view = parts.view(group, resource);
      views.set(key, view);
    }
    return view;
  };
}

/** Quotas count every namespaced resource that is stored; services get their addresses besides. */
function writeHooks(parts: ServerParts, options: SecurityOptions): ReadonlyMap<string, WriteHook> {
  const quotas = new QuotaCheck(viewOf(parts));
  const hooks = new Map<string, WriteHook>();
  for (const { group, resource, namespaced, storagePrefix } of parts.registry.all()) {
    if (!namespaced || storagePrefix === undefined || UNCOUNTED.has(resource)) continue;
    hooks.set(`${group}/${resource}`, quotas.hookFor({ group, resource }));
  }
  const { serviceCidrs, nodePortRange } = options;
  const allocate = serviceAllocation({
    services: parts.view('', 'services'),
    ...networkingViews(parts),
    random: parts.executor.random,
    ...(serviceCidrs !== undefined && { serviceCidrs }),
    ...(nodePortRange !== undefined && { nodePortRange }),
  });
  hooks.set('/services', chained(allocate, hooks.get('/services') ?? (() => undefined)));
  return hooks;
}

/** ServiceCIDRs and IPAddresses, where the server has them at all. */
function networkingViews(parts: ServerParts): { ranges?: ResourceView; addresses?: ResourceView } {
  const viewIfKnown = (resource: string): ResourceView | undefined => {
    const isKnown = parts.registry.all().some((one) => one.group === NETWORKING && one.resource === resource);
    return isKnown ? parts.view(NETWORKING, resource) : undefined;
  };
  const ranges = viewIfKnown('servicecidrs');
  const addresses = viewIfKnown('ipaddresses');
  return { ...(ranges !== undefined && { ranges }), ...(addresses !== undefined && { addresses }) };
}

const NETWORKING = 'networking.k8s.io';

/** Written too often, and by the system: counting them would cost more than it guards. */
const UNCOUNTED = new Set(['events', 'leases', 'endpointslices', 'endpoints']);

function chained(first: WriteHook, second: WriteHook): WriteHook {
  return (write) => {
    const endFirst = first(write);
    try {
      const endSecond = second(write);
      return (outcome) => {
        endFirst?.(outcome);
        endSecond?.(outcome);
      };
    } catch (error) {
      endFirst?.('failed');
      throw error;
    }
  };
}

interface Shared {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: readonly VerificationKey[];
  readonly forwarder: Forwarder;
}

/** The authorities of one server, made when its parts are there. */
class Lazy {
  readonly #options: SecurityOptions;
  readonly #shared: Shared;
  #made: ReturnType<typeof makeAuthorities> | undefined;

  constructor(options: SecurityOptions, shared: Shared) {
    this.#options = options;
    this.#shared = shared;
  }

  of(parts: ServerParts): ReturnType<typeof makeAuthorities> {
    this.#made ??= makeAuthorities(parts, this.#options, this.#shared);
    return this.#made;
  }
}

function makeAuthorities(parts: ServerParts, options: SecurityOptions, { issuer, audiences, keys }: Shared) {
  const { clock } = parts.executor;
  const viewAny = viewOf(parts);
  const view = (resource: string) => viewAny('', resource);
  const serviceAccounts = new ServiceAccountAuthenticator({ issuer, keys, audiences, clock, view });
  const tokens = [
    ...(options.staticTokens === undefined ? [] : [staticTokenAuthenticator(options.staticTokens)]),
    bootstrapTokenAuthenticator({ secrets: view('secrets'), clock }),
  ];
  const { frontProxyCa, clientCa } = options;
  const rbac = new RbacAuthorizer(new RbacIndex((resource) => viewAny('rbac.authorization.k8s.io', resource)));
  return {
    serviceAccounts,
    tokens,
    rbac,
    authenticator: unionAuthenticator([
      ...(frontProxyCa === undefined
        ? []
        : [requestHeaderAuthenticator({ ca: frontProxyCa, allowedNames: ['front-proxy-client'] })]),
      ...(clientCa === undefined ? [] : [x509Authenticator({ clientCa, clock })]),
      ...tokens,
      serviceAccounts,
      unknownTokenAuthenticator,
    ]),
    authorizer: unionAuthorizer([privilegedAuthorizer(), new NodeAuthorizer(new NodeGraph(viewAny)), rbac]),
  };
}

interface HandlerDeps extends ReturnType<typeof makeAuthorities> {
  readonly options: SecurityOptions;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly forwarder: Forwarder;
}

function specialHandlers(parts: ServerParts, deps: HandlerDeps): ReadonlyMap<string, Handler> {
  const { options, issuer, audiences, forwarder, serviceAccounts, tokens, authorizer } = deps;
  const { clock, random } = parts.executor;
  const viewAny = viewOf(parts);
  const view = (resource: string) => viewAny('', resource);
  const kubelets = {
    nodes: view('nodes'),
    certificate: options.kubeletClient?.certificate ?? '',
    key: options.kubeletClient?.key ?? '',
    ...(options.kubeletCa !== undefined && { kubeletCa: options.kubeletCa }),
    ...(options.kubeletFor !== undefined && { kubeletFor: options.kubeletFor }),
  };
  const tokenRequest = tokenRequestHandler({
    issuer: new TokenIssuer({ issuer, key: options.signingKey, clock, random }),
    audiences,
    clock,
    random,
    view,
    admit: (context, request) => admitToken(context, request, parts),
  });
  const created = new Map<string, Handler>([
    ...accessReviewHandlers(authorizer),
    ...authenticationReviewHandlers({ serviceAccounts, tokens, audiences, clock }),
    ['/serviceaccounts/token', tokenRequest],
  ]);
  return new Map<string, Handler>([
    ...[...created].map(([path, handler]) => [path, createOnly(handler)] as const),
    ...podStreamHandlers({
      pods: view('pods'),
      kubelets,
      forwarder,
      authorizeCreate: (context) => authorizeCreate(context, authorizer),
    }),
    ...httpProxyHandlers({ view: viewAny, kubelets, forwarder, random }),
  ]);
}

/** Reviews and token requests are asked by POST and are not there to be read. */
function createOnly(handler: Handler): Handler {
  return (context) => {
    if (context.info.verb === 'create') return handler(context);
    const message = 'the server does not allow this method on the requested resource';
    throw genericStatus(405, 'MethodNotAllowed', message, {});
  };
}

function admitToken(context: RequestContext, request: object, parts: ServerParts): void {
  const { name, namespace } = context.info;
  const reference = fields(fields(fields(request)['spec'])['boundObjectRef']);
  const uid = text(reference['uid']);
  const bound = { kind: text(reference['kind']), name: text(reference['name']), ...(uid !== '' && { uid }) };
  const given = bound.kind === '' && bound.name === '' ? undefined : bound;
  const reason = nodeTokenRefusal(context.user, { bound: given, namespace }, viewOf(parts));
  if (reason !== undefined) throw forbidden({ group: '', resource: 'serviceaccounts', name }, reason);
}

async function authorizeCreate(context: RequestContext, authorizer: Authorizer): Promise<void> {
  const attributes = { ...attributesOf(context), verb: 'create' };
  const decision = await authorizer.authorize(attributes);
  if (decision.type === 'allow') return;
  const { group, resource, name } = context.info;
  throw forbidden({ group, resource, name }, forbiddenText(attributes, decision.reason));
}
