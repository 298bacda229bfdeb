import type { Deployment, Node, Pod, ReplicaSet, Service } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

/** Objects for the tests of this room, as short as they can be. */

/** 2026-01-01T00:00:00Z, where tests begin. */
export const START_MS = 1_767_225_600_000;
export const START = formatTime(START_MS);

export function testDeployment(name: string, spec: Partial<Deployment['spec']> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1, creationTimestamp: START },
    spec: {
      replicas: 3,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      selector: { matchLabels: { app: name } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: testTemplate(name, 'image:1'),
      ...spec,
    },
  };
}

export function testTemplate(app: string, image: string): Deployment['spec']['template'] {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'main', image }] } };
}

export function testReplicaSet(name: string, replicas: number, options: { owner?: Deployment } = {}): ReplicaSet {
  const { owner } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: START,
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [
              {
                apiVersion: 'apps/v1',
                kind: 'Deployment',
                name: owner.metadata.name ?? '',
                uid: owner.metadata.uid ?? '',
                controller: true,
                blockOwnerDeletion: true,
              },
            ],
          }),
    },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: testTemplate(name, 'image:1') },
    status: { replicas: 0 },
  };
}

interface PodOptions {
  readonly labels?: Record<string, string>;
  readonly node?: string;
  readonly phase?: string;
  readonly isReady?: boolean;
  readonly isTerminating?: boolean;
  readonly ip?: string;
  readonly annotations?: Record<string, string>;
  readonly createdMs?: number;
  readonly readyMs?: number;
  readonly restarts?: number;
  readonly spec?: Partial<Pod['spec']>;
}

export function testPod(name: string, options: PodOptions = {}): Pod {
  const { labels = { app: 'web' }, node, phase = 'Running', isReady = true, ip, annotations } = options;
  const readyTime = formatTime(options.readyMs ?? START_MS);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels,
      creationTimestamp: formatTime(options.createdMs ?? START_MS),
      ...(annotations === undefined ? {} : { annotations }),
      ...(options.isTerminating === true ? { deletionTimestamp: START } : {}),
    },
    spec: {
      containers: [{ name: 'main', image: 'image:1' }],
      ...(node === undefined ? {} : { nodeName: node }),
      ...options.spec,
    },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: readyTime }],
      ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
      containerStatuses: [
        { name: 'main', image: '', imageID: '', ready: isReady, restartCount: options.restarts ?? 0 },
      ],
    },
  };
}

export function testNode(name: string, options: { ready?: string; labels?: Record<string, string> } = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, creationTimestamp: START, labels: options.labels ?? {} },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: options.ready ?? 'True', lastHeartbeatTime: START }] },
  };
}

export function testService(name: string, spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, creationTimestamp: START },
    spec: {
      selector: { app: 'web' },
      clusterIP: '10.96.0.9',
      ipFamilies: ['IPv4'],
      ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
      ...spec,
    },
  };
}
