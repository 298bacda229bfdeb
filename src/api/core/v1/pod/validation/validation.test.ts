import { describe, expect, test } from 'vitest';
import type { Container, Pod, PodSpec } from '../../../../generated/types.ts';
import { createErrors, update } from '../../../../testing/kit.ts';

function pod(spec: Partial<PodSpec> = {}, container: Partial<Container> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'web', image: 'nginx', ...container }], ...spec },
  };
}

describe('a valid pod', () => {
  const valid: [string, Pod][] = [
    ['with one container', pod()],
    [
      'with ports of all protocols',
      pod({}, { ports: [{ containerPort: 53 }, { containerPort: 53, protocol: 'UDP' }] }),
    ],
    ['with requests below limits', pod({}, { resources: { requests: { cpu: '1m' }, limits: { cpu: '1' } } })],
    ['with an extended resource', pod({}, { resources: { limits: { 'example.com/gpu': '1' } } })],
    [
      'with probes',
      pod({}, { livenessProbe: { exec: { command: ['true'] } }, readinessProbe: { tcpSocket: { port: 'http' } } }),
    ],
    [
      'with volumes of the mounted types',
      pod(
        {
          serviceAccountName: 'default',
          volumes: [
            { name: 'a', emptyDir: {} },
            { name: 'b', configMap: { name: 'x', items: [{ key: 'k', path: 'dir/k' }] } },
            { name: 'c', secret: { secretName: 'x' } },
            { name: 'd', hostPath: { path: '/var' } },
            { name: 'e', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            {
              name: 'f',
              projected: { sources: [{ serviceAccountToken: { path: 'token' } }, { configMap: { name: 'ca' } }] },
            },
            { name: 'g', persistentVolumeClaim: { claimName: 'x' } },
          ],
        },
        { volumeMounts: [{ name: 'a', mountPath: '/a', subPath: 'x/y' }] },
      ),
    ],
    [
      'with a sidecar that has probes',
      pod({
        initContainers: [
          { name: 'side', image: 'x', restartPolicy: 'Always', readinessProbe: { exec: { command: ['x'] } } },
        ],
      }),
    ],
    ['that tolerates everything', pod({ tolerations: [{ operator: 'Exists' }] })],
    ['with any printable name of a variable', pod({}, { env: [{ name: 'a.b-c d', value: 'x' }] })],
    ['in the network of its host', pod({ hostNetwork: true }, { ports: [{ containerPort: 80 }] })],
  ];

  test.each(valid)('%s', (_name, object) => {
    expect(createErrors(object)).toEqual([]);
  });
});

describe('an invalid pod gets the words of Kubernetes', () => {
  const probe = { failureThreshold: -1, exec: { command: ['x'] } };
  const cases: [string, Pod, string[]][] = [
    ['no containers', pod({ containers: [] }), ['spec.containers: Required value']],
    ['no image', pod({}, { image: '' }), ['spec.containers[0].image: Required value']],
    [
      'image with blanks',
      pod({}, { image: ' nginx' }),
      ['spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace'],
    ],
    [
      'bad container name',
      pod({}, { name: 'Web_1' }),
      [
        `spec.containers[0].name: Invalid value: "Web_1": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      ],
    ],
    [
      'two containers of one name',
      pod({
        containers: [
          { name: 'a', image: 'x' },
          { name: 'a', image: 'x' },
        ],
      }),
      ['spec.containers[1].name: Duplicate value: "a"'],
    ],
    [
      'restart policy',
      pod({ restartPolicy: 'Sometimes' }),
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      'pull policy',
      pod({}, { imagePullPolicy: 'Maybe' }),
      [
        'spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
      ],
    ],
    [
      'port out of range',
      pod({}, { ports: [{ containerPort: 70000 }] }),
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'no port',
      pod({}, { ports: [{ containerPort: 0 }] }),
      ['spec.containers[0].ports[0].containerPort: Required value'],
    ],
    [
      'one host port twice',
      pod({
        containers: [
          { name: 'a', image: 'x', ports: [{ containerPort: 80, hostPort: 80 }] },
          { name: 'b', image: 'x', ports: [{ containerPort: 81, hostPort: 80 }] },
        ],
      }),
      ['spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"'],
    ],
    [
      'protocol',
      pod({}, { ports: [{ containerPort: 80, protocol: 'HTTP' }] }),
      ['spec.containers[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      'mount of no volume',
      pod({}, { volumeMounts: [{ name: 'x', mountPath: '/x' }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "x"'],
    ],
    [
      'sub path that leaves',
      pod({ volumes: [{ name: 'v' }] }, { volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../etc' }] }),
      [`spec.containers[0].volumeMounts.subPath: Invalid value: "../etc": must not contain '..'`],
    ],
    [
      'request above limit',
      pod({}, { resources: { requests: { memory: '2Gi' }, limits: { memory: '1Gi' } } }),
      [
        'spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
      ],
    ],
    [
      'negative request',
      pod({}, { resources: { requests: { cpu: '-1' } } }),
      ['spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    [
      'unknown resource',
      pod({}, { resources: { limits: { gpu: '1' } } }),
      [
        'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
        'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      ],
    ],
    [
      'half a device',
      pod({}, { resources: { limits: { 'example.com/gpu': '500m' } } }),
      [
        'spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
        'spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
      ],
    ],
    [
      'probe without a handler',
      pod({}, { livenessProbe: {} }),
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'probe with two handlers',
      pod({}, { livenessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 1 } } }),
      ['spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
    ],
    [
      'negative threshold',
      pod({}, { readinessProbe: probe }),
      ['spec.containers[0].readinessProbe.failureThreshold: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'liveness that needs two successes',
      pod({}, { livenessProbe: { exec: { command: ['x'] }, successThreshold: 2 } }),
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'init container with a probe',
      pod({ initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['x'] } } }] }),
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'ephemeral container',
      pod({ ephemeralContainers: [{ name: 'e', image: 'x' }] }),
      ['spec.ephemeralContainers: Forbidden: cannot be set on create'],
    ],
    [
      'variable with value and source',
      pod({}, { env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      'variable of an unknown field',
      pod({}, { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nope' } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nope": error converting fieldPath: field label not supported: spec.nope',
      ],
    ],
    [
      'volume of two types',
      pod({ volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] }),
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'host path that goes back',
      pod({ volumes: [{ name: 'v', hostPath: { path: '/a/../b' } }] }),
      [`spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain '..'`],
    ],
    [
      'short token',
      pod({
        serviceAccountName: 'default',
        volumes: [
          { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 60 } }] } },
        ],
      }),
      [
        'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
      ],
    ],
    [
      'toleration without a key',
      pod({ tolerations: [{ operator: 'Equal', value: 'x' }] }),
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'toleration of no known effect',
      pod({ tolerations: [{ key: 'a', operator: 'Exists', effect: 'Run' }] }),
      [
        'spec.tolerations[0].effect: Unsupported value: "Run": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      'affinity without terms',
      pod({
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
      }),
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
      ],
    ],
    [
      'spread without skew',
      pod({ topologySpreadConstraints: [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] }),
      ['spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero'],
    ],
    [
      'dns without servers',
      pod({ dnsPolicy: 'None' }),
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      'deadline',
      pod({ activeDeadlineSeconds: 0 }),
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [
      'user',
      pod({ securityContext: { runAsUser: -1 } }),
      ['spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive'],
    ],
  ];

  test.each(cases)('%s', (_name, object, errors) => {
    expect(createErrors(object)).toEqual(errors);
  });
});

describe('an update of a pod', () => {
  test('may change images and add tolerations', () => {
    const { errors } = update(pod(), (next) => {
      next.spec.containers[0]!.image = 'nginx:2';
      next.spec.tolerations = [{ key: 'a', operator: 'Exists' }];
    });
    expect(errors).toEqual([]);
  });

  test('may change nothing else', () => {
    const { errors } = update(pod(), (next) => {
      next.spec.containers[0]!.command = ['sh'];
    });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n',
    );
    expect(errors[0]).toContain('+ spec.containers[0].command: ["sh"]');
  });

  test('may not add containers', () => {
    const { errors } = update(pod(), (next) => {
      next.spec.containers.push({ name: 'b', image: 'x' });
    });
    expect(errors).toEqual(['spec.containers: Forbidden: pod updates may not add or remove containers']);
  });

  test('may not take tolerations away', () => {
    const { errors } = update(pod({ tolerations: [{ key: 'a', operator: 'Exists' }] }), (next) => {
      delete next.spec.tolerations;
    });
    expect(errors).toEqual([
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
    ]);
  });

  test('keeps the status', () => {
    const { next } = update({ ...pod(), status: { phase: 'Running' } }, (changed) => {
      changed.status = { phase: 'Failed' };
    });
    expect(next.status).toEqual({ phase: 'Running' });
  });
});
