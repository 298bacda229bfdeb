import type { PolicyRule } from '#api/generated/types.ts';
import { NODE_RULES } from './node-rules.ts';
import { allow, allowPaths, READ, recordEvents } from './rule.ts';
import { ADMIN_RULES, EDIT_RULES, VIEW_RULES } from './user-roles.ts';

/** A ClusterRole that every cluster has. */
export interface RoleData {
  readonly rules: readonly PolicyRule[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Rules come from the roles with one of these labels; `rules` is what they add up to at first. */
  readonly aggregates?: readonly string[];
}

const AGGREGATE_TO = 'rbac.authorization.k8s.io/aggregate-to-';
const SIGNERS = {
  unknown: 'kubernetes.io/legacy-unknown',
  kubeletServing: 'kubernetes.io/kubelet-serving',
  client: 'kubernetes.io/kube-apiserver-client',
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
} as const;

const approve = (signer: string): RoleData => ({
  rules: [allow('approve', 'certificates.k8s.io', 'signers', signer)],
});

/** The ClusterRoles of a new cluster, but those of controllers (see controller-roles.ts). */
export const CLUSTER_ROLE_DATA: Readonly<Record<string, RoleData>> = {
  'cluster-admin': { rules: [allow('*', '*', '*'), allowPaths('*', '*')] },
  'system:discovery': {
    rules: [
      allowPaths('get', '/livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*'),
    ],
  },
  'system:monitoring': {
    rules: [
      allowPaths('get', '/metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/* /statusz /flagz'),
    ],
  },
  'system:basic-user': {
    rules: [
      allow('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
      allow('create', 'authentication.k8s.io', 'selfsubjectreviews'),
    ],
  },
  'system:public-info-viewer': { rules: [allowPaths('get', '/livez /readyz /healthz /version /version/')] },
  admin: { rules: [...ADMIN_RULES, ...EDIT_RULES, ...VIEW_RULES], aggregates: [`${AGGREGATE_TO}admin`] },
  edit: {
    rules: [...EDIT_RULES, ...VIEW_RULES],
    labels: { [`${AGGREGATE_TO}admin`]: 'true' },
    aggregates: [`${AGGREGATE_TO}edit`],
  },
  view: {
    rules: VIEW_RULES,
    labels: { [`${AGGREGATE_TO}edit`]: 'true' },
    aggregates: [`${AGGREGATE_TO}view`],
  },
  'system:aggregate-to-admin': { rules: ADMIN_RULES, labels: { [`${AGGREGATE_TO}admin`]: 'true' } },
  'system:aggregate-to-edit': { rules: EDIT_RULES, labels: { [`${AGGREGATE_TO}edit`]: 'true' } },
  'system:aggregate-to-view': { rules: VIEW_RULES, labels: { [`${AGGREGATE_TO}view`]: 'true' } },
  'system:heapster': {
    rules: [allow(READ, 'core', 'events pods nodes namespaces'), allow(READ, 'extensions', 'deployments')],
  },
  'system:node': { rules: NODE_RULES },
  'system:node-problem-detector': {
    rules: [allow('get', 'core', 'nodes'), allow('patch', 'core', 'nodes/status'), recordEvents()],
  },
  'system:kubelet-api-admin': {
    rules: [
      allow(READ, 'core', 'nodes'),
      allow('proxy', 'core', 'nodes'),
      allow(
        '*',
        'core',
        'nodes/proxy nodes/metrics nodes/stats nodes/log nodes/configz nodes/healthz nodes/pods nodes/spec',
      ),
    ],
  },
  'system:node-bootstrapper': {
    rules: [allow('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests')],
  },
  'system:auth-delegator': {
    rules: [
      allow('create', 'authentication.k8s.io', 'tokenreviews'),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ],
  },
  'system:kube-aggregator': { rules: [allow(READ, 'core', 'services endpoints')] },
  'system:kube-controller-manager': {
    rules: [
      recordEvents(),
      allow('create', 'coordination.k8s.io', 'leases'),
      allow('get update', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
      allow('create', 'core', 'secrets serviceaccounts'),
      allow('delete', 'core', 'secrets'),
      allow('get', 'core', 'namespaces secrets serviceaccounts configmaps'),
      allow('update', 'core', 'secrets serviceaccounts'),
      allow('create', 'authentication.k8s.io', 'tokenreviews'),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
      allow('list watch', '*', '*'),
      allow('create', 'core', 'serviceaccounts/token'),
    ],
  },
  'system:kube-dns': { rules: [allow('list watch', 'core', 'endpoints services')] },
  'system:persistent-volume-provisioner': {
    rules: [
      allow('get list watch create delete', 'core', 'persistentvolumes'),
      allow('get list watch update', 'core', 'persistentvolumeclaims'),
      allow(READ, 'storage.k8s.io', 'storageclasses'),
      allow('watch', 'core', 'events'),
      recordEvents(),
    ],
  },
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient': {
    rules: [allow('create', 'certificates.k8s.io', 'certificatesigningrequests/nodeclient')],
  },
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': {
    rules: [allow('create', 'certificates.k8s.io', 'certificatesigningrequests/selfnodeclient')],
  },
  'system:volume-scheduler': {
    rules: [
      allow(`${READ} update patch`, 'core', 'persistentvolumes'),
      allow(READ, 'storage.k8s.io', 'storageclasses'),
      allow(`${READ} update patch`, 'core', 'persistentvolumeclaims'),
    ],
  },
  'system:certificates.k8s.io:legacy-unknown-approver': approve(SIGNERS.unknown),
  'system:certificates.k8s.io:kubelet-serving-approver': approve(SIGNERS.kubeletServing),
  'system:certificates.k8s.io:kube-apiserver-client-approver': approve(SIGNERS.client),
  'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver': approve(SIGNERS.kubeletClient),
  'system:service-account-issuer-discovery': {
    rules: [allowPaths('get', '/.well-known/openid-configuration /openid/v1/jwks')],
  },
  'system:node-proxier': {
    rules: [
      allow('list watch', 'core', 'services endpoints'),
      allow(READ, 'core', 'nodes'),
      recordEvents(),
      allow('list watch', 'discovery.k8s.io', 'endpointslices'),
      allow('list watch', 'networking.k8s.io', 'servicecidrs'),
    ],
  },
  'system:kube-scheduler': {
    rules: [
      recordEvents(),
      allow('create', 'coordination.k8s.io', 'leases'),
      allow('get update list watch', 'coordination.k8s.io', 'leases', 'kube-scheduler'),
      allow(READ, 'core', 'nodes'),
      allow('get list watch delete', 'core', 'pods'),
      allow('create', 'core', 'pods/binding bindings'),
      allow('patch update', 'core', 'pods/status'),
      allow(READ, 'core', 'services replicationcontrollers'),
      allow(READ, 'apps extensions', 'replicasets'),
      allow(READ, 'apps', 'statefulsets'),
      allow(READ, 'policy', 'poddisruptionbudgets'),
      allow(READ, 'core', 'persistentvolumeclaims persistentvolumes'),
      allow('create', 'authentication.k8s.io', 'tokenreviews'),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
      allow(READ, 'storage.k8s.io', 'csinodes'),
      allow(READ, 'core', 'namespaces'),
      allow(READ, 'storage.k8s.io', 'csidrivers'),
      allow(READ, 'storage.k8s.io', 'csistoragecapacities'),
      allow(READ, 'storage.k8s.io', 'volumeattachments'),
      allow(READ, 'resource.k8s.io', 'deviceclasses'),
      allow(`${READ} update patch`, 'resource.k8s.io', 'resourceclaims'),
      allow('update patch', 'resource.k8s.io', 'resourceclaims/status'),
      allow(READ, 'resource.k8s.io', 'resourceslices'),
    ],
  },
};

/** Subjects of the bindings of the roles above: `g:` groups, `u:` users, `s:` service accounts `NAMESPACE/NAME`. */
export const CLUSTER_ROLE_SUBJECTS: Readonly<Record<string, { role?: string; subjects: readonly string[] }>> = {
  'cluster-admin': { subjects: ['g:system:masters'] },
  // kubeadm's: its admin is in this group, so that its rights can be taken away, unlike those of system:masters.
  'kubeadm:cluster-admins': { role: 'cluster-admin', subjects: ['g:kubeadm:cluster-admins'] },
  'system:monitoring': { subjects: ['g:system:monitoring'] },
  'system:discovery': { subjects: ['g:system:authenticated'] },
  'system:basic-user': { subjects: ['g:system:authenticated'] },
  'system:public-info-viewer': { subjects: ['g:system:authenticated', 'g:system:unauthenticated'] },
  'system:node-proxier': { subjects: ['u:system:kube-proxy'] },
  'system:kube-controller-manager': { subjects: ['u:system:kube-controller-manager'] },
  'system:kube-dns': { subjects: ['s:kube-system/kube-dns'] },
  'system:kube-scheduler': { subjects: ['u:system:kube-scheduler'] },
  'system:volume-scheduler': { subjects: ['u:system:kube-scheduler'] },
  // The Node authorizer does this role's work; the binding stays, without subjects.
  'system:node': { subjects: [] },
  'system:service-account-issuer-discovery': { subjects: ['g:system:serviceaccounts'] },
};
