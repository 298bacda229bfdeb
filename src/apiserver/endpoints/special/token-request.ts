import type { Pod } from '#api/generated/types.ts';
import { formatTime, type Clock } from '#machinery/clock/clock.ts';
import { badRequest, conflict, invalid, notFound } from '#machinery/errors/status-error.ts';
import { invalidValue, required, type FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Random } from '#machinery/random/random.ts';
import type { BoundReference, TokenIssuer } from '../../authentication/service-account-tokens.ts';
import { jsonResponse, type Handler, type RequestContext } from '../../pipeline/types.ts';
import type { ResourceView } from '../../server-parts.ts';
import { fields, readObject, text, texts } from './body.ts';

export interface TokenRequestDeps {
  readonly issuer: TokenIssuer;
  /** Audiences of a token that asks for none. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  /** Resources of the core group. */
  readonly view: (resource: string) => ResourceView;
  /** A last word on what a node may ask for (NodeRestriction); throws to refuse. */
  readonly admit?: (context: RequestContext, request: KubeObject) => void;
}

const API_VERSION = 'authentication.k8s.io/v1';
const DEFAULT_SECONDS = 3600;
const SHORTEST_SECONDS = 600;
const LONGEST_SECONDS = 2 ** 32;
/**
 * What projected volumes ask for; such tokens for the API server itself live a year and warn after this time, for the
 * sake of old clients that do not reload them.
 */
const WARN_ONLY_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;

/** `serviceaccounts/token`: issues a token, bound to a pod, secret or node if asked. */
export function tokenRequestHandler(deps: TokenRequestDeps): Handler {
  return async (context) => {
    const { namespace, name } = context.info;
    const request = await readObject(context, { apiVersion: API_VERSION, kind: 'TokenRequest' });
    const spec = readSpec(request);
    const account = deps.view('serviceaccounts').get(name, namespace);
    if (account === undefined) throw notFound({ group: '', resource: 'serviceaccounts', name });
    deps.admit?.(context, request);
    const bound = boundObjects(spec.boundObjectRef, { namespace, name }, deps);
    const audiences = spec.audiences.length === 0 ? deps.audiences : spec.audiences;
    const isForUs = audiences.length > 0 && audiences.every((audience) => deps.audiences.includes(audience));
    const isExtended = spec.expirationSeconds === WARN_ONLY_SECONDS && isForUs && bound.pod !== undefined;
    const token = deps.issuer.issue({
      namespace,
      serviceAccount: { name, uid: account.metadata.uid ?? '' },
      bound,
      audiences,
      lifetimeSeconds: isExtended ? EXTENDED_SECONDS : spec.expirationSeconds,
      ...(isExtended && { warnAfterSeconds: spec.expirationSeconds }),
    });
    const nowMs = deps.clock.now();
    return jsonResponse(201, {
      kind: 'TokenRequest',
      apiVersion: API_VERSION,
      metadata: { name, namespace, uid: deps.random.uuid(), creationTimestamp: formatTime(nowMs) },
      spec: {
        audiences,
        expirationSeconds: spec.expirationSeconds,
        boundObjectRef: spec.boundObjectRef ?? null,
      },
      status: { token, expirationTimestamp: formatTime(nowMs + spec.expirationSeconds * 1000) },
    });
  };
}

interface BoundObjectReference {
  readonly kind: string;
  readonly apiVersion: string;
  readonly name: string;
  readonly uid?: string;
}

interface Spec {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundObjectRef?: BoundObjectReference;
}

function readSpec(request: KubeObject & Record<string, unknown>): Spec {
  const spec = fields(request['spec']);
  const given = spec['expirationSeconds'];
  const expirationSeconds = typeof given === 'number' ? given : DEFAULT_SECONDS;
  const path = new FieldPath('spec').child('expirationSeconds');
  const errors: FieldError[] = [];
  if (expirationSeconds < SHORTEST_SECONDS) {
    errors.push(invalidValue(path, expirationSeconds, 'may not specify a duration less than 10 minutes'));
  }
  if (expirationSeconds > LONGEST_SECONDS) {
    errors.push(invalidValue(path, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
  }
  const reference = spec['boundObjectRef'];
  const bound = reference === undefined || reference === null ? undefined : fields(reference);
  if (bound !== undefined && text(bound['name']) === '') {
    errors.push(required(new FieldPath('spec').child('boundObjectRef', 'name'), ''));
  }
  if (errors.length > 0) {
    const causes = errors.map((error) => ({ ...error, text: `${error.field}: ${error.message}` }));
    throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest', name: request.metadata.name ?? '' }, causes);
  }
  return {
    audiences: texts(spec['audiences']),
    expirationSeconds,
    ...(bound && {
      boundObjectRef: {
        kind: text(bound['kind']),
        apiVersion: text(bound['apiVersion']) || 'v1',
        name: text(bound['name']),
        ...(text(bound['uid']) !== '' && { uid: text(bound['uid']) }),
      },
    }),
  };
}

type Bound = { pod?: BoundReference; secret?: BoundReference; node?: BoundReference };

function boundObjects(
  reference: BoundObjectReference | undefined,
  account: { namespace: string; name: string },
  deps: TokenRequestDeps,
): Bound {
  if (reference === undefined) return {};
  const { namespace } = account;
  const kind = reference.apiVersion === 'v1' ? reference.kind : '';
  switch (kind) {
    case 'Pod': {
      // Safe: the view holds Pods.
      const pod = find(reference, { resource: 'pods', namespace }, deps) as Pod;
      if ((pod.spec?.serviceAccountName ?? 'default') !== account.name) {
        throw badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different ` +
            'serviceaccount name.',
        );
      }
      const node = pod.spec?.nodeName === undefined ? undefined : deps.view('nodes').get(pod.spec.nodeName);
      return { pod: identity(pod), ...(node && { node: identity(node) }) };
    }
    case 'Secret':
      return { secret: identity(find(reference, { resource: 'secrets', namespace }, deps)) };
    case 'Node':
      return { node: identity(find(reference, { resource: 'nodes' }, deps)) };
    default:
      throw badRequest(`cannot bind token to object of type ${describeKind(reference)}`);
  }
}

function find(
  reference: BoundObjectReference,
  place: { resource: string; namespace?: string },
  deps: TokenRequestDeps,
): KubeObject {
  const object = deps.view(place.resource).get(reference.name, place.namespace);
  if (object === undefined) throw notFound({ group: '', resource: place.resource, name: reference.name });
  if (reference.uid !== undefined && reference.uid !== object.metadata.uid) {
    throw conflict(
      { group: '', resource: reference.kind, name: reference.name },
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. ` +
        'The object might have been deleted and then recreated',
    );
  }
  return object;
}

function identity({ metadata }: KubeObject): BoundReference {
  return { name: metadata.name ?? '', uid: metadata.uid ?? '' };
}

function describeKind({ apiVersion, kind }: BoundObjectReference): string {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  return `${group}/${slash < 0 ? apiVersion : apiVersion.slice(slash + 1)}, Kind=${kind}`;
}
