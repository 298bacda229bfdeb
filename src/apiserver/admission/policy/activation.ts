import type { ResourceDefinition } from '#api/registry/resource.ts';
import {
  type AuthorizationAnswer,
  type AuthorizationQuery,
  CelAuthorizer,
  requestResourceCheck,
} from '#machinery/cel/kubernetes/authorizer.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { parseFieldSelector } from '#machinery/selectors/field-selector.ts';
import { parseLabelSelector, SelectorError } from '#machinery/selectors/label-selector.ts';
import type { AdmissionRequest, AuthorizationAttributes, Authorizer, UserInfo } from '../../pipeline/types.ts';
import { inVersion } from './versions.ts';

/** The variables of an admission expression, but for `params` and `variables`. */
export type Activation = Readonly<Record<string, unknown>>;

/** Builds what expressions see of one request (KEP-3488). */
export function activationOf(
  request: AdmissionRequest,
  {
    requested,
    definition,
    namespace,
    authorizer,
  }: {
    /** The resource that the request is for. */
    requested: ResourceDefinition;
    /** What the request counts as for the policy. */
    definition: ResourceDefinition;
    /** The namespace that the object is in; a Namespace is in none. */
    namespace: KubeObject | undefined;
    authorizer: Authorizer;
  },
): Activation {
  const { info, object, oldObject } = request;
  const asks = new CelAuthorizer({ authorize: (query) => answer(query, { authorizer, user: request.user }) });
  const name = info.name === '' ? (object?.metadata.name ?? '') : info.name;
  return {
    object: object === undefined ? null : inVersion(object, requested, definition),
    oldObject: oldObject === undefined ? null : inVersion(oldObject, requested, definition),
    request: admissionRequestOf(request, definition),
    namespaceObject: namespace ?? null,
    authorizer: asks,
    'authorizer.requestResource': requestResourceCheck(asks, {
      group: definition.group,
      resource: definition.resource,
      subresource: info.subresource,
      namespace: info.namespace,
      name,
    }),
  };
}

/** The `request` of an AdmissionReview, which is also what expressions call so. */
export function admissionRequestOf(request: AdmissionRequest, definition: ResourceDefinition): Record<string, unknown> {
  const { info, user, operation, dryRun, object } = request;
  const { group, version, resource } = info;
  const { uid = '', extra = {}, groups, username } = user;
  return {
    kind: { group: definition.group, version: definition.version, kind: kindOf(request, definition) },
    resource: { group: definition.group, version: definition.version, resource: definition.resource },
    subResource: info.subresource,
    requestKind: { group, version, kind: request.kind },
    requestResource: { group, version, resource },
    requestSubResource: info.subresource,
    name: info.name === '' ? (object?.metadata.name ?? '') : info.name,
    namespace: info.namespace,
    operation,
    userInfo: { username, uid, groups: [...groups], extra },
    dryRun,
    options: { kind: OPTIONS[operation], apiVersion: 'meta.k8s.io/v1' },
  };
}

const OPTIONS = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: 'ConnectOptions',
};

function kindOf({ kind, info }: AdmissionRequest, definition: ResourceDefinition): string {
  return info.subresource === '' ? definition.kind : kind;
}

function answer(
  query: AuthorizationQuery,
  { authorizer, user }: { authorizer: Authorizer; user: UserInfo },
): AuthorizationAnswer {
  let attributes: AuthorizationAttributes;
  try {
    attributes = attributesOf(query, user);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { isAllowed: false, reason: '', error: error.message };
  }
  const decision = authorizer.authorize(attributes);
  if (decision instanceof Promise) {
    return { isAllowed: false, reason: '', error: 'the authorizer does not answer at once' };
  }
  return { isAllowed: decision.type === 'allow', reason: decision.reason };
}

function attributesOf(
  { verb, path, resource, serviceAccount }: AuthorizationQuery,
  user: UserInfo,
): AuthorizationAttributes {
  const asker = serviceAccount === undefined ? user : serviceAccountUser(serviceAccount);
  const empty = { group: '', version: '*', resource: '', subresource: '', namespace: '', name: '' };
  if (resource === undefined) return { ...empty, user: asker, verb, isResourceRequest: false, path: path ?? '' };
  const { fieldSelector, labelSelector, ...named } = resource;
  return {
    ...empty,
    ...named,
    user: asker,
    verb,
    isResourceRequest: true,
    path: '',
    ...(fieldSelector === '' ? {} : { fieldSelector: parseFieldSelector(fieldSelector).terms }),
    ...(labelSelector === '' ? {} : { labelSelector: parseLabelSelector(labelSelector).requirements }),
  };
}

function serviceAccountUser({ namespace, name }: { namespace: string; name: string }): UserInfo {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  return { username: `system:serviceaccount:${namespace}:${name}`, groups };
}
