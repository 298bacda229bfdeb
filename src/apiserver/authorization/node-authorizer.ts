import type { AuthorizationAttributes, AuthorizationDecision, Authorizer, UserInfo } from '../pipeline/types.ts';
import { NODE_RULES } from './bootstrap/node-rules.ts';
import type { NodeGraph } from './node-graph.ts';
import { ruleAllows } from './rules.ts';

const NODE_USER_PREFIX = 'system:node:';
const NODES_GROUP = 'system:nodes';

/** The node that a user is; `undefined` where it is none. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.username.startsWith(NODE_USER_PREFIX) || !user.groups.includes(NODES_GROUP)) return undefined;
  return user.username.slice(NODE_USER_PREFIX.length);
}

/** What kubelets may do: read what their own pods refer to, and keep their own node, lease and CSINode. */
export class NodeAuthorizer implements Authorizer {
  readonly #graph: NodeGraph;

  constructor(graph: NodeGraph) {
    this.#graph = graph;
  }

  authorize(request: AuthorizationAttributes): AuthorizationDecision {
    const nodeName = nodeNameOf(request.user);
    if (nodeName === undefined) return none('');
    if (nodeName === '') return none(`unknown node for user ${JSON.stringify(request.user.username)}`);
    const own = request.isResourceRequest ? this.#decideByResource(nodeName, request) : undefined;
    if (own !== undefined) return own;
    return NODE_RULES.some((rule) => ruleAllows(rule, request)) ? ALLOW : none('');
  }

  /** A node's rules depend on objects: they cannot be listed. */
  rulesFor(): ReturnType<Authorizer['rulesFor']> {
    return { resourceRules: [], nonResourceRules: [] };
  }

  #decideByResource(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision | undefined {
    switch (`${request.group}/${request.resource}`) {
      case '/secrets':
      case '/configmaps':
        return this.#decideRead(nodeName, request);
      case '/persistentvolumeclaims':
        return request.subresource === 'status'
          ? this.#decideStatusUpdate(nodeName, request)
          : this.#decideGet(nodeName, request);
      case '/persistentvolumes':
      case 'storage.k8s.io/volumeattachments':
      case 'resource.k8s.io/resourceclaims':
        return this.#decideGet(nodeName, request);
      case '/serviceaccounts':
        return this.#decideServiceAccount(nodeName, request);
      case 'coordination.k8s.io/leases':
        return decideLease(nodeName, request);
      case 'storage.k8s.io/csinodes':
        return decideCsiNode(nodeName, request);
      case '/nodes':
        return decideNode(nodeName, request);
      case '/pods':
        return this.#decidePod(nodeName, request);
      case 'resource.k8s.io/resourceslices':
        return this.#decideResourceSlice(nodeName, request);
      default:
        return undefined;
    }
  }

  #decideRead(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    if (!['get', 'list', 'watch'].includes(request.verb)) return none('can only read resources of this type');
    if (request.subresource !== '') return none('cannot read subresource');
    if (request.namespace === '') return none('can only read namespaced object of this type');
    return this.#decideByGraph(nodeName, request);
  }

  #decideGet(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    if (request.verb !== 'get' || request.name === '') return none('can only get individual resources of this type');
    if (request.subresource !== '') return none('cannot get subresource');
    return this.#decideByGraph(nodeName, request);
  }

  #decideStatusUpdate(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    const isWrite = request.verb === 'update' || request.verb === 'patch';
    if (!isWrite) return none('can only get/update/patch this type');
    return this.#decideByGraph(nodeName, request);
  }

  #decideServiceAccount(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    if (request.verb === 'get' && request.subresource === '') return this.#decideGet(nodeName, request);
    if (request.verb !== 'create' || request.name === '') {
      return none('can only create tokens for individual service accounts');
    }
    if (request.subresource !== 'token') return none('can only create token subresource of service account');
    return this.#decideByGraph(nodeName, request);
  }

  /** Whose pods are written is for NodeRestriction to say: it sees the objects. */
  #decidePod(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    switch (request.subresource) {
      case '':
        return this.#decideWholePod(nodeName, request);
      case 'status':
        return request.verb === 'update' || request.verb === 'patch' ? ALLOW : none('');
      case 'eviction':
        return request.verb === 'create' ? ALLOW : none('');
      default:
        return none('');
    }
  }

  #decideWholePod(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    switch (request.verb) {
      case 'get':
        return this.#decideByGraph(nodeName, request);
      case 'list':
      case 'watch':
        if (selects(request, 'spec.nodeName', nodeName)) return ALLOW;
        if (request.name !== '') return this.#decideByGraph(nodeName, request);
        return none('can only list/watch pods with spec.nodeName field selector');
      case 'create':
      case 'delete':
        return ALLOW;
      default:
        return none('');
    }
  }

  #decideResourceSlice(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    if (request.subresource !== '') return none('cannot authorize ResourceSlice subresources');
    switch (request.verb) {
      case 'create':
        return ALLOW;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return this.#decideByGraph(nodeName, request);
      case 'watch':
      case 'list':
      case 'deletecollection':
        return selects(request, 'nodeName', nodeName)
          ? ALLOW
          : none('can only list/watch/deletecollection resourceslices with nodeName field selector');
      default:
        return none(
          'only the following verbs are allowed for a ResourceSlice: ' +
            'get, watch, list, create, update, patch, delete, deletecollection',
        );
    }
  }

  #decideByGraph(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
    if (request.name === '') return none('No Object name found');
    return this.#isRelated(nodeName, request) ? ALLOW : none(unrelated(nodeName));
  }

  #isRelated(nodeName: string, { resource, namespace, name }: AuthorizationAttributes): boolean {
    switch (resource) {
      case 'persistentvolumes':
        return this.#graph.refersToVolume(nodeName, name);
      case 'volumeattachments':
        return this.#graph.isAttachedTo(nodeName, name);
      case 'pods':
        return this.#graph.isOnNode(nodeName, { namespace, name });
      case 'resourceslices':
        return this.#graph.offersSlice(nodeName, name);
      case 'secrets':
      case 'configmaps':
      case 'persistentvolumeclaims':
      case 'serviceaccounts':
      case 'resourceclaims':
        return this.#graph.refers(nodeName, { resource, namespace, name });
      default:
        return false;
    }
  }
}

const ALLOW: AuthorizationDecision = { type: 'allow', reason: '' };
const OWN_VERBS = ['get', 'create', 'update', 'patch', 'delete'];

function none(reason: string): AuthorizationDecision {
  return { type: 'noOpinion', reason };
}

function unrelated(nodeName: string): string {
  return `no relationship found between node '${nodeName}' and this object`;
}

function decideLease(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
  if (!OWN_VERBS.includes(request.verb)) {
    return none('can only get, create, update, patch, or delete a node lease');
  }
  if (request.namespace !== 'kube-node-lease') {
    return none('can only access leases in the "kube-node-lease" system namespace');
  }
  // A create request has no name in its path; NodeRestriction looks at the object.
  if (request.verb !== 'create' && request.name !== nodeName) {
    return none('can only access node lease with the same name as the requesting node');
  }
  return ALLOW;
}

function decideCsiNode(nodeName: string, request: AuthorizationAttributes): AuthorizationDecision {
  if (!OWN_VERBS.includes(request.verb)) return none('can only get, create, update, patch, or delete a CSINode');
  if (request.subresource !== '') return none('cannot authorize CSINode subresources');
  if (request.verb !== 'create' && request.name !== nodeName) {
    return none('can only access CSINode with the same name as the requesting node');
  }
  return ALLOW;
}

/** Writes are limited to the node's own object by NodeRestriction. */
function decideNode(nodeName: string, { verb, subresource, name }: AuthorizationAttributes): AuthorizationDecision {
  const isUpdate = verb === 'update' || verb === 'patch';
  if (subresource === 'status') return isUpdate ? ALLOW : none('');
  if (subresource !== '') return none('');
  if (isUpdate || verb === 'create') return ALLOW;
  if (!['get', 'list', 'watch'].includes(verb)) return none('');
  if (name === nodeName) return ALLOW;
  return name === ''
    ? none(`node '${nodeName}' cannot read all nodes, only its own Node object`)
    : none(`node '${nodeName}' cannot read '${name}', only its own Node object`);
}

/** Whether the request is limited to objects whose field has that value. */
function selects({ fieldSelector = [] }: AuthorizationAttributes, field: string, value: string): boolean {
  return fieldSelector.some((term) => term.field === field && term.operator === '=' && term.value === value);
}
