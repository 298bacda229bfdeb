import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Sample } from './samples.ts';

const POD = {
  containers: [
    {
      name: 'main',
      image: 'registry.example/app:1',
      command: ['run'],
      args: ['$(A)'],
      env: [
        { name: 'A', value: 'b' },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
      ports: [{ name: 'http', containerPort: 80 }],
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: 1, memory: '1Gi' } },
      readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 5 },
      volumeMounts: [{ name: 'data', mountPath: '/data', subPathExpr: '$(A)' }],
      securityContext: { runAsUser: 1, capabilities: { drop: ['ALL'] } },
    },
  ],
  initContainers: [{ name: 'init', image: 'i', restartPolicy: 'Always' }],
  volumes: [
    { name: 'data', emptyDir: { sizeLimit: '1Gi' } },
    {
      name: 'all',
      projected: {
        sources: [
          { configMap: { name: 'c' } },
          { downwardAPI: { items: [{ path: 'x', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        ],
      },
    },
  ],
  tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'zone', labelSelector: { matchLabels: { a: 'b' } } },
      ],
    },
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'n', operator: 'Gt', values: ['1'] }] }],
      },
    },
  },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
  ],
  hostAliases: [{ ip: '1.2.3.4', hostnames: ['a.b'] }],
  dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x.y'], options: [{ name: 'ndots', value: '2' }] },
};
const SELECTOR = { matchLabels: { app: 'x' }, matchExpressions: [{ key: 'app', operator: 'In', values: ['x', 'y'] }] };
const TEMPLATE = { metadata: { labels: { app: 'x' } }, spec: POD };
const JOB = {
  parallelism: 2,
  completions: 3,
  backoffLimit: 2,
  completionMode: 'Indexed',
  template: { spec: { ...POD, initContainers: [], restartPolicy: 'Never' } },
};
const CLAIM = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const POLICY_RULE = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };

/** Objects that pass validation, by `group/resource`; without what all of them have. */
const VALID: Readonly<Record<string, Record<string, unknown>>> = {
  '/configmaps': { data: { a: 'b' }, binaryData: { c: 'AA==' }, immutable: false },
  '/secrets': { type: 'Opaque', data: { a: 'AA==' }, stringData: { b: 'c' } },
  '/pods': { spec: POD },
  '/services': {
    spec: {
      selector: { app: 'x' },
      ports: [{ name: 'http', port: 80, targetPort: 'http' }],
      type: 'NodePort',
      sessionAffinity: 'ClientIP',
    },
  },
  '/namespaces': {},
  '/nodes': {
    spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'], taints: [{ key: 'a', effect: 'NoSchedule' }] },
    status: { capacity: { cpu: '4' } },
  },
  '/serviceaccounts': { secrets: [{ name: 'a' }] },
  '/endpoints': { subsets: [{ addresses: [{ ip: '1.2.3.4' }], ports: [{ port: 80 }] }] },
  '/events': {
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'x' },
    reason: 'r',
    message: 'm',
    type: 'Normal',
  },
  '/persistentvolumeclaims': { spec: CLAIM },
  '/persistentvolumes': {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
  },
  '/replicationcontrollers': { spec: { replicas: 0, selector: { app: 'x' }, template: TEMPLATE } },
  '/resourcequotas': { spec: { hard: { pods: '1000000', 'requests.cpu': '100000' }, scopes: ['NotTerminating'] } },
  '/limitranges': { spec: { limits: [{ type: 'Container', default: { cpu: '1' }, max: { cpu: '100' } }] } },
  '/podtemplates': { template: TEMPLATE },
  'apps/deployments': {
    spec: {
      replicas: 0,
      selector: SELECTOR,
      template: TEMPLATE,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
    },
  },
  'apps/replicasets': { spec: { replicas: 0, selector: SELECTOR, template: TEMPLATE } },
  'apps/statefulsets': {
    spec: {
      replicas: 0,
      serviceName: 's',
      selector: SELECTOR,
      template: TEMPLATE,
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: CLAIM }],
    },
  },
  'apps/daemonsets': { spec: { selector: SELECTOR, template: TEMPLATE, updateStrategy: { type: 'OnDelete' } } },
  'apps/controllerrevisions': { revision: 1, data: { a: { b: 1 } } },
  'batch/jobs': { spec: JOB },
  'batch/cronjobs': { spec: { schedule: '*/5 * * * *', timeZone: 'Europe/Berlin', jobTemplate: { spec: JOB } } },
  'autoscaling/horizontalpodautoscalers': {
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' }, maxReplicas: 3 },
  },
  'networking.k8s.io/ingresses': {
    spec: {
      ingressClassName: 'x',
      rules: [
        {
          host: '*.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { name: 'http' } } } }],
          },
        },
      ],
      tls: [{ hosts: ['a.b'], secretName: 't' }],
    },
  },
  'networking.k8s.io/networkpolicies': {
    spec: {
      podSelector: SELECTOR,
      ingress: [
        { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80, endPort: 90 }] },
      ],
      policyTypes: ['Ingress'],
    },
  },
  'networking.k8s.io/ingressclasses': { spec: { controller: 'a.b/c', parameters: { kind: 'K', name: 'n' } } },
  'networking.k8s.io/servicecidrs': { spec: { cidrs: ['10.200.0.0/16'] } },
  'policy/poddisruptionbudgets': { spec: { minAvailable: '50%', selector: SELECTOR } },
  'rbac.authorization.k8s.io/roles': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'rbac.authorization.k8s.io/clusterroles': {
    rules: [{ nonResourceURLs: ['/x*'], verbs: ['get'] }],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
  },
  'rbac.authorization.k8s.io/rolebindings': {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
    subjects: [{ kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' }],
  },
  'rbac.authorization.k8s.io/clusterrolebindings': {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'x' },
    subjects: [{ kind: 'Group', name: 'u', apiGroup: 'rbac.authorization.k8s.io' }],
  },
  'storage.k8s.io/storageclasses': {
    provisioner: 'a.b/c',
    parameters: { a: 'b' },
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'a', values: ['b'] }] }],
  },
  'storage.k8s.io/csidrivers': { spec: { attachRequired: false, volumeLifecycleModes: ['Ephemeral'] } },
  'storage.k8s.io/csinodes': { spec: { drivers: [{ name: 'a.b', nodeID: 'n', topologyKeys: ['x'] }] } },
  'coordination.k8s.io/leases': {
    spec: { holderIdentity: 'a', leaseDurationSeconds: 1, renewTime: '2024-01-01T00:00:00.000000Z' },
  },
  'discovery.k8s.io/endpointslices': {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['1.2.3.4'], conditions: { ready: true }, zone: 'z' }],
    ports: [{ name: 'p', port: 80, protocol: 'TCP' }],
  },
  'scheduling.k8s.io/priorityclasses': { value: 10, description: 'x' },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    spec: { type: 'Limited', limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } } },
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    spec: { priorityLevelConfiguration: { name: 'exempt' }, matchingPrecedence: 9, rules: [] },
  },
  'apiextensions.k8s.io/customresourcedefinitions': {
    spec: {
      group: 'fuzz.example',
      scope: 'Namespaced',
      names: { plural: 'fuzzes', singular: 'fuzz', kind: 'Fuzz', shortNames: ['fz'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
          },
          additionalPrinterColumns: [{ name: 'X', type: 'string', jsonPath: '.spec.list[0].a' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  required: ['replicas'],
                  'x-kubernetes-validations': [
                    {
                      rule: 'self.replicas <= 5 && self.list.all(x, x.a != "")',
                      messageExpression: '"got more than five"',
                    },
                  ],
                  properties: {
                    replicas: { type: 'integer', minimum: 0, default: 1, format: 'int32' },
                    list: {
                      type: 'array',
                      maxItems: 10,
                      'x-kubernetes-list-type': 'map',
                      'x-kubernetes-list-map-keys': ['a'],
                      items: {
                        type: 'object',
                        required: ['a'],
                        properties: { a: { type: 'string', pattern: '^[a-z]+$', maxLength: 10 } },
                      },
                    },
                    any: { 'x-kubernetes-preserve-unknown-fields': true },
                    port: { 'x-kubernetes-int-or-string': true },
                    map: { type: 'object', additionalProperties: { type: 'number', nullable: true } },
                  },
                },
                status: { type: 'object', properties: { replicas: { type: 'integer' } } },
              },
            },
          },
        },
      ],
    },
  },
  'admissionregistration.k8s.io/validatingadmissionpolicies': {
    spec: {
      matchConstraints: { resourceRules: [POLICY_RULE] },
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      matchConditions: [{ name: 'm', expression: 'request.userInfo.username != "x"' }],
      variables: [{ name: 'v', expression: 'object.metadata.name' }],
      validations: [
        { expression: 'variables.v.startsWith("a") || has(params.data)', messageExpression: '"no " + variables.v' },
      ],
      auditAnnotations: [{ key: 'a', valueExpression: 'string(size(variables.v))' }],
    },
  },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': {
    spec: { policyName: 'p', validationActions: ['Deny'], matchResources: { namespaceSelector: SELECTOR } },
  },
  'admissionregistration.k8s.io/mutatingadmissionpolicies': {
    spec: {
      matchConstraints: { resourceRules: [POLICY_RULE] },
      reinvocationPolicy: 'Never',
      failurePolicy: 'Ignore',
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}' },
        },
        { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "add", path: "/data/x", value: "y"}]' } },
      ],
    },
  },
  'admissionregistration.k8s.io/validatingwebhookconfigurations': {
    webhooks: [
      {
        name: 'a.b.c',
        clientConfig: { url: 'https://127.0.0.1:1/x' },
        rules: [POLICY_RULE],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        matchConditions: [{ name: 'm', expression: 'true' }],
      },
    ],
  },
  'authorization.k8s.io/subjectaccessreviews': {
    spec: {
      user: 'u',
      groups: ['g'],
      resourceAttributes: { verb: 'get', resource: 'pods', fieldSelector: { rawSelector: 'a=b' } },
    },
  },
  'authorization.k8s.io/selfsubjectaccessreviews': { spec: { nonResourceAttributes: { path: '/x', verb: 'get' } } },
  'authentication.k8s.io/tokenreviews': { spec: { token: 'x.y.z', audiences: ['a'] } },
  'resource.k8s.io/resourceclaims': {
    spec: {
      devices: {
        requests: [
          {
            name: 'r',
            exactly: { deviceClassName: 'x', selectors: [{ cel: { expression: 'device.driver == "a"' } }] },
          },
        ],
      },
    },
  },
  'resource.k8s.io/deviceclasses': { spec: { selectors: [{ cel: { expression: 'device.driver == "a"' } }] } },
  'resource.k8s.io/resourceslices': {
    spec: {
      driver: 'a.b',
      nodeName: 'n',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'd', attributes: { x: { int: 1 } }, capacity: { m: { value: '1Gi' } } }],
    },
  },
};

/** The valid object of each of these resources that has one. */
export function validObjects(definitions: readonly ResourceDefinition[]): Sample[] {
  return definitions.flatMap((definition) => {
    const { group, version, resource, kind } = definition;
    const fields = VALID[`${group}/${resource}`];
    // The older versions of devices look different.
    if (fields === undefined || (group === 'resource.k8s.io' && version !== 'v1')) return [];
    const name = resource === 'customresourcedefinitions' ? 'fuzzes.fuzz.example' : 'fuzz';
    const apiVersion = group === '' ? version : `${group}/${version}`;
    const metadata = { name, labels: { app: 'x' }, annotations: { a: 'b' }, finalizers: ['example.com/f'] };
    const isReview = definition.storagePrefix === undefined;
    return [{ definition, object: { apiVersion, kind, metadata: isReview ? {} : metadata, ...fields } }];
  });
}
