import type { Node, Pod } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { nodeNameOf } from '../authorization/node-authorizer.ts';
import { podReferences } from '../authorization/pod-references.ts';
import type { AdmissionPlugin, AdmissionRequest, UserInfo } from '../pipeline/types.ts';
import { oldPodOf, refuse, type AdmissionDeps } from './plugin.ts';
import { forbiddenLabels } from './node-labels.ts';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const LEASE_NAMESPACE = 'kube-node-lease';

/** Keeps kubelets to their own node: what the Node authorizer cannot see because it is in the object. */
export function nodeRestriction({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    mutate: (request) => checkNodeRequest(request, view),
    // Nothing is mutated on the way out: deletions are only validated.
    validate: (request) => {
      if (request.operation === 'DELETE') checkNodeRequest(request, view);
    },
  };
}

function checkNodeRequest(request: AdmissionRequest, view: AdmissionDeps['view']): void {
  const nodeName = nodeNameOf(request.user);
  if (nodeName === undefined) return;
  if (nodeName === '') {
    throw refuse(request, `could not determine node from user ${JSON.stringify(request.user.username)}`);
  }
  const { group, resource } = request.info;
  switch (`${group}/${resource}`) {
    case '/pods':
      checkPod(request, nodeName, view);
      break;
    case '/nodes':
      checkNode(request, nodeName);
      break;
    case 'coordination.k8s.io/leases':
      checkLease(request, nodeName);
      break;
    case 'storage.k8s.io/csinodes':
      checkCsiNode(request, nodeName);
      break;
    default:
      break;
  }
}

/** What a node may ask of `serviceaccounts/token`: tokens bound to its own pods. Returns why not. */
export function nodeTokenRefusal(
  user: UserInfo,
  request: { bound: { kind: string; name: string; uid?: string } | undefined; namespace: string },
  view: AdmissionDeps['view'],
): string | undefined {
  const nodeName = nodeNameOf(user);
  if (nodeName === undefined) return undefined;
  const { bound, namespace } = request;
  if (bound === undefined || bound.kind !== 'Pod' || bound.name === '')
    return 'node requested token not bound to a pod';
  if (bound.uid === undefined || bound.uid === '') return 'node requested token with a pod binding without a uid';
  // Safe: the view holds Pods.
  const pod = view('', 'pods').get(bound.name, namespace) as Pod | undefined;
  if (pod === undefined) return `pod ${JSON.stringify(bound.name)} not found`;
  if (pod.metadata.uid !== bound.uid) {
    return `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  }
  return pod.spec?.nodeName === nodeName
    ? undefined
    : 'node requested token bound to a pod scheduled on a different node';
}

function checkPod(request: AdmissionRequest, nodeName: string, view: AdmissionDeps['view']): void {
  const { operation, info } = request;
  const quoted = JSON.stringify(nodeName);
  if (info.subresource === 'status') {
    const old = oldPodOf(request);
    if (old?.spec?.nodeName !== nodeName) {
      throw refuse(request, `node ${quoted} can only update pod status for pods with spec.nodeName set to itself`);
    }
    if (!deepEqual(old.metadata.labels ?? {}, request.object?.metadata.labels ?? {})) {
      throw refuse(request, `node ${quoted} cannot update labels through pod status`);
    }
    return;
  }
  if (info.subresource === 'eviction') {
    // Safe: the view holds Pods.
    const pod = view('', 'pods').get(info.name, info.namespace) as Pod | undefined;
    if (pod !== undefined && pod.spec?.nodeName !== nodeName) {
      throw refuse(request, `node ${quoted} can only evict pods with spec.nodeName set to itself`);
    }
    return;
  }
  if (info.subresource !== '') {
    const given = JSON.stringify(info.subresource);
    throw refuse(request, `unexpected pod subresource ${given}, only 'status' and 'eviction' are allowed`);
  }
  if (operation === 'CREATE') checkPodCreate(request, quoted, nodeName);
  if (operation === 'DELETE' && oldPodOf(request)?.spec?.nodeName !== nodeName) {
    throw refuse(request, `node ${quoted} can only delete pods with spec.nodeName set to itself`);
  }
}

function checkPodCreate(request: AdmissionRequest, quoted: string, nodeName: string): void {
  // Safe: what is written to pods is a Pod.
  const pod = request.object as Pod;
  if (pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) {
    throw refuse(
      request,
      `pod does not have ${JSON.stringify(MIRROR_ANNOTATION)} annotation, node ${quoted} can only create mirror pods`,
    );
  }
  if (pod.spec?.nodeName !== nodeName) {
    throw refuse(request, `node ${quoted} can only create pods with spec.nodeName set to itself`);
  }
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.length > 1) {
    throw refuse(request, `node ${quoted} can only create pods with a single owner reference set to itself`);
  }
  const [owner] = owners;
  if (owner !== undefined && (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== nodeName)) {
    throw refuse(request, `node ${quoted} can only create pods with an owner reference set to itself`);
  }
  const references = podReferences(pod);
  const names: Readonly<Record<string, string>> = {
    serviceaccounts: 'a service account',
    secrets: 'secrets',
    configmaps: 'configmaps',
    persistentvolumeclaims: 'persistentvolumeclaims',
    resourceclaims: 'resourceclaims',
  };
  const [first] = references;
  if (first !== undefined) {
    throw refuse(request, `node ${quoted} can not create pods that reference ${names[first.resource] ?? 'objects'}`);
  }
}

function checkNode(request: AdmissionRequest, nodeName: string): void {
  const { operation, info } = request;
  const quoted = JSON.stringify(nodeName);
  // Safe: what is written to nodes is a Node.
  const node = request.object as Node | undefined;
  const old = request.oldObject as Node | undefined;
  const requested = info.name === '' ? (node?.metadata.name ?? '') : info.name;
  if (requested !== nodeName) {
    throw refuse(request, `node ${quoted} is not allowed to modify node ${JSON.stringify(requested)}`);
  }
  if (operation === 'CREATE' && node !== undefined) {
    const labels = forbiddenLabels(Object.keys(node.metadata.labels ?? {}));
    if (labels.length > 0) {
      throw refuse(request, `node ${quoted} is not allowed to set the following labels: ${labels.join(', ')}`);
    }
    if ((node.metadata.ownerReferences ?? []).length > 0) {
      throw refuse(request, `node ${quoted} is not allowed to set ownerReferences`);
    }
  }
  if (operation !== 'UPDATE' || node === undefined || old === undefined) return;
  if (!deepEqual(node.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
    throw refuse(request, `node ${quoted} is not allowed to modify ownerReferences`);
  }
  if (!deepEqual(node.spec?.taints ?? [], old.spec?.taints ?? [])) {
    throw refuse(request, `node ${quoted} is not allowed to modify taints`);
  }
  const labels = forbiddenLabels(changedLabels(node, old));
  if (labels.length > 0) {
    throw refuse(request, `is not allowed to modify labels: ${labels.join(', ')}`);
  }
}

function changedLabels(next: KubeObject, old: KubeObject): string[] {
  const before = old.metadata.labels ?? {};
  const after = next.metadata.labels ?? {};
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]);
}

function checkLease(request: AdmissionRequest, nodeName: string): void {
  const { info, object, operation } = request;
  if (info.namespace !== LEASE_NAMESPACE) {
    throw refuse(request, `can only access leases in the ${JSON.stringify(LEASE_NAMESPACE)} system namespace`);
  }
  const name = operation === 'CREATE' ? (object?.metadata.name ?? '') : info.name;
  if (name !== nodeName) throw refuse(request, 'can only access node lease with the same name as the requesting node');
}

function checkCsiNode(request: AdmissionRequest, nodeName: string): void {
  const { info, object, operation } = request;
  const name = operation === 'CREATE' ? (object?.metadata.name ?? '') : info.name;
  if (name !== nodeName) throw refuse(request, 'can only access CSINode with the same name as the requesting node');
}
