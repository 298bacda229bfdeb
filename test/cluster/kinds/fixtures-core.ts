import type { Fixture } from './fixture.ts';

export const labels = { app: 'kinds' };
export const podSpec = { containers: [{ name: 'c', image: 'img:1' }] };
export const template = { metadata: { labels }, spec: podSpec };
const selector = { matchLabels: labels };

/** A valid object of each kind of the core and workload groups, and a change that raises the generation. */
export const coreFixtures: Readonly<Record<string, Fixture>> = {
  '/v1/configmaps': { body: { data: { k: 'v' } } },
  '/v1/endpoints': { body: { subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80 }] }] } },
  '/v1/events': {
    body: {
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      reason: 'R',
      message: 'm',
      type: 'Normal',
    },
  },
  '/v1/limitranges': { body: { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } } },
  '/v1/namespaces': { body: {} },
  '/v1/nodes': { body: {} },
  '/v1/persistentvolumeclaims': {
    body: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  },
  '/v1/persistentvolumes': {
    body: { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } },
  },
  '/v1/pods': {
    body: { spec: podSpec },
    change: { spec: { containers: [{ name: 'c', image: 'img:2' }] } },
    changeType: 'application/strategic-merge-patch+json',
  },
  '/v1/podtemplates': { body: { template }, change: { template: { spec: { hostname: 'h' } } } },
  '/v1/replicationcontrollers': { body: { spec: { selector: labels, template } }, change: { spec: { replicas: 3 } } },
  '/v1/resourcequotas': { body: { spec: { hard: { pods: '100' } } } },
  '/v1/secrets': { body: { stringData: { k: 'v' } } },
  '/v1/serviceaccounts': { body: {} },
  '/v1/services': { body: { spec: { selector: labels, ports: [{ port: 80 }] } } },
  'apps/v1/controllerrevisions': { body: { data: { a: 1 }, revision: 1 } },
  'apps/v1/daemonsets': { body: { spec: { selector, template } }, change: { spec: { minReadySeconds: 3 } } },
  'apps/v1/deployments': { body: { spec: { selector, template } }, change: { spec: { replicas: 3 } } },
  'apps/v1/replicasets': { body: { spec: { selector, template } }, change: { spec: { replicas: 3 } } },
  'apps/v1/statefulsets': {
    body: { spec: { selector, template, serviceName: 'web' } },
    change: { spec: { replicas: 3 } },
  },
  'autoscaling/v1/horizontalpodautoscalers': {
    body: { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 } },
  },
  'autoscaling/v2/horizontalpodautoscalers': {
    body: { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 } },
  },
  'batch/v1/cronjobs': {
    body: {
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
      },
    },
    change: { spec: { suspend: true } },
  },
  'batch/v1/jobs': {
    body: { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
    change: { spec: { parallelism: 2 } },
  },
  'policy/v1/poddisruptionbudgets': {
    body: { spec: { minAvailable: 1, selector } },
    change: { spec: { minAvailable: 2 } },
  },
};
