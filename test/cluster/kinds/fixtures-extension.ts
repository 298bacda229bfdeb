import { SAMPLE_AUTHORITY, SAMPLE_REQUEST } from '#api/certificates/testing/samples.ts';
import type { Fixture } from './fixture.ts';

const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }];
const webhooks = [
  {
    name: 'hook.example.com',
    clientConfig: { url: 'https://example.com/hook' },
    rules,
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    failurePolicy: 'Ignore',
    namespaceSelector: { matchLabels: { nowhere: 'at-all' } },
  },
];
const resourceRules = [
  { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['none'] },
];
const mutatingPolicy: Fixture = {
  body: {
    spec: {
      matchConstraints: { resourceRules },
      reinvocationPolicy: 'Never',
      mutations: [
        { patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{metadata: Object.metadata{}}' } },
      ],
    },
  },
  change: { spec: { failurePolicy: 'Ignore' } },
};
const mutatingBinding: Fixture = {
  body: { spec: { policyName: 'policy' } },
  change: { spec: { matchResources: { matchPolicy: 'Exact' } } },
};
const definition = (plural: string, kind: string) => ({
  spec: {
    group: 'kinds.example.com',
    scope: 'Namespaced',
    names: { plural, singular: kind.toLowerCase(), kind },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
});
const apiService = (version: string) => ({
  spec: {
    group: 'other.example.com',
    version,
    groupPriorityMinimum: 100,
    versionPriority: 10,
    service: {
      name: 'api',
      namespace: 'default',
    },
    insecureSkipTLSVerify: true,
  },
});

/** Kinds that extend or guard the API. */
export const extensionFixtures: Readonly<Record<string, Fixture>> = {
  'admissionregistration.k8s.io/v1/mutatingadmissionpolicies': mutatingPolicy,
  'admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings': mutatingBinding,
  'admissionregistration.k8s.io/v1alpha1/mutatingadmissionpolicies': mutatingPolicy,
  'admissionregistration.k8s.io/v1alpha1/mutatingadmissionpolicybindings': mutatingBinding,
  'admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies': mutatingPolicy,
  'admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicybindings': mutatingBinding,
  'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': {
    body: { webhooks },
    change: { webhooks: [{ ...webhooks[0], timeoutSeconds: 3 }] },
  },
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': {
    body: { spec: { matchConstraints: { resourceRules }, validations: [{ expression: 'true' }] } },
    change: { spec: { failurePolicy: 'Ignore' } },
  },
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': {
    body: { spec: { policyName: 'policy', validationActions: ['Deny'] } },
    change: { spec: { validationActions: ['Warn'] } },
  },
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': {
    body: { webhooks },
    change: { webhooks: [{ ...webhooks[0], timeoutSeconds: 3 }] },
  },
  'apiextensions.k8s.io/v1/customresourcedefinitions': {
    name: 'widgets.kinds.example.com',
    body: definition('widgets', 'Widget'),
    second: 'gadgets.kinds.example.com',
    secondBody: definition('gadgets', 'Gadget'),
    change: { spec: { names: { shortNames: ['wi'] } } },
  },
  'apiregistration.k8s.io/v1/apiservices': {
    name: 'v1.other.example.com',
    body: apiService('v1'),
    second: 'v2.other.example.com',
    secondBody: apiService('v2'),
  },
  'certificates.k8s.io/v1/certificatesigningrequests': {
    body: {
      spec: {
        request: Buffer.from(SAMPLE_REQUEST).toString('base64'),
        signerName: 'example.com/signer',
        usages: ['client auth'],
      },
    },
  },
  'certificates.k8s.io/v1alpha1/clustertrustbundles': { body: { spec: { trustBundle: SAMPLE_AUTHORITY } } },
  'certificates.k8s.io/v1beta1/clustertrustbundles': { body: { spec: { trustBundle: SAMPLE_AUTHORITY } } },
  'certificates.k8s.io/v1beta1/podcertificaterequests': {
    body: {
      spec: {
        signerName: 'example.com/signer',
        podName: 'p',
        podUID: 'p-1',
        serviceAccountName: 'default',
        serviceAccountUID: 's-1',
        nodeName: 'n',
        nodeUID: 'n-1',
        pkixPublicKey: 'YQ==',
        proofOfPossession: 'YQ==',
      },
    },
  },
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': {
    body: { spec: { priorityLevelConfiguration: { name: 'global-default' } } },
    change: { spec: { matchingPrecedence: 77 } },
  },
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': {
    body: { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
    change: { spec: { limited: { nominalConcurrencyShares: 7 } } },
  },
  'internal.apiserver.k8s.io/v1alpha1/storageversions': {
    name: 'example.com.widgets',
    second: 'example.com.gadgets',
    body: { spec: {} },
  },
  'rbac.authorization.k8s.io/v1/clusterrolebindings': {
    body: {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'User', name: 'jane' }],
    },
  },
  'rbac.authorization.k8s.io/v1/clusterroles': {
    body: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  },
  'rbac.authorization.k8s.io/v1/rolebindings': {
    body: {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
    },
  },
  'rbac.authorization.k8s.io/v1/roles': { body: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] } },
  'storagemigration.k8s.io/v1beta1/storageversionmigrations': {
    body: { spec: { resource: { group: 'apps', resource: 'deployments' } } },
    isFixed: true,
  },
};
