import { fieldErrorText } from '#machinery/field/field-error.ts';
import { describe, expect, test } from 'vitest';
import type { Container, Pod, PodSpec, PodStatus } from '../../../../generated/types.ts';
import { createErrors, defaulted, update } from '../../../../testing/kit.ts';
import { podWarnings } from '../warnings.ts';
import { validatePodResize } from './resize.ts';
import { validatePodStatusUpdate } from './status-update.ts';

function pod(spec: Partial<PodSpec> = {}, container: Partial<Container> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'web', image: 'nginx', ...container }], ...spec },
  };
}

function annotated(annotations: Record<string, string>, spec: Partial<PodSpec> = {}): Pod {
  const plain = pod(spec);
  return { ...plain, metadata: { ...plain.metadata, annotations } };
}

const labels = { labelSelector: { matchLabels: { a: 'b' } } };
const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', ...labels };
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };

describe('what a pod may not ask for', () => {
  const cases: [string, Pod, string[]][] = [
    [
      'restart rules without a policy',
      pod({}, { restartPolicyRules: [{ action: 'Stop' }] }),
      [
        'spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used',
        'spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart", "RestartAllContainers"',
        'spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified',
      ],
    ],
    [
      'a resize that restarts what never restarts',
      pod({ restartPolicy: 'Never' }, { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }),
      [
        "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'",
      ],
    ],
    [
      'an operating system of its own',
      pod({ os: { name: 'plan9' } }),
      ['spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'],
    ],
    [
      'a Linux user on Windows',
      pod({ os: { name: 'windows' }, securityContext: { runAsUser: 1 } }),
      ['spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod'],
    ],
    [
      'Windows options on Linux',
      pod({ os: { name: 'linux' } }, { securityContext: { windowsOptions: { runAsUserName: 'a' } } }),
      ['spec.containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod'],
    ],
    [
      'a host process in a network of its own',
      pod({ securityContext: { windowsOptions: { hostProcess: true } } }),
      ['spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers'],
    ],
    [
      'user and host namespaces',
      pod({ hostUsers: false, hostPID: true }),
      ['spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false'],
    ],
    [
      'the whole of /proc',
      pod({}, { securityContext: { procMount: 'Unmasked' } }),
      [
        'spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
      ],
    ],
    [
      'a claim of no name',
      pod({ resourceClaims: [{ name: 'gpu' }] }, { resources: { claims: [{ name: 'other' }] } }),
      [
        'spec.resourceClaims[0]: Invalid value: {"name":"gpu"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
        'spec.containers[0].resources.claims[0]: Not found: "other": must be one of the names in pod.spec.resourceClaims: gpu',
      ],
    ],
    [
      'less than its containers',
      pod({ resources: { requests: { cpu: '1' } } }, { resources: { requests: { cpu: '2' } } }),
      [
        'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
      ],
    ],
    [
      'half a huge page',
      pod({}, { resources: { limits: { cpu: '1', 'hugepages-2Mi': '3Mi' } } }),
      ['limits', 'requests'].map(
        (side) =>
          `spec.containers[0].resources.${side}[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
      ),
    ],
    [
      'one spread twice',
      pod({ topologySpreadConstraints: [spread, spread] }),
      ['spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"'],
    ],
    [
      'two gates of one name',
      pod({ schedulingGates: [{ name: 'a' }, { name: 'a' }] }),
      ['spec.schedulingGates[1]: Duplicate value: "a"'],
    ],
    [
      'a gate and a node',
      pod({ schedulingGates: [{ name: 'a' }], nodeName: 'n' }),
      ['spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared'],
    ],
    [
      'an ephemeral volume of no mode',
      pod({
        volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: { ...claimSpec, accessModes: [] } } } }],
      }),
      [
        'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required',
      ],
    ],
    [
      'the claim of its own ephemeral volume',
      pod({
        volumes: [
          { name: 'v', ephemeral: { volumeClaimTemplate: { spec: claimSpec } } },
          { name: 'w', persistentVolumeClaim: { claimName: 'web-v' } },
        ],
      }),
      [
        'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "web-v": must not reference a PVC that gets created for an ephemeral volume',
      ],
    ],
    [
      'a target of no known format',
      pod({ volumes: [{ name: 'v', iscsi: { targetPortal: '1.2.3.4', iqn: 'abc', lun: 256 } }] }),
      [
        'spec.volumes[0].iscsi.iqn: Invalid value: "abc": must be valid format starting with iqn, eui, or naa',
        'spec.volumes[0].iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive',
      ],
    ],
    [
      'a fibre channel without a number',
      pod({ volumes: [{ name: 'v', fc: { targetWWNs: ['a'] } }] }),
      ['spec.volumes[0].fc.lun: Required value: lun is required if targetWWNs is specified'],
    ],
    [
      'an image of no name',
      pod({ volumes: [{ name: 'v', image: {} }] }),
      ['spec.volumes[0].image.reference: Required value'],
    ],
    [
      'two ways to a sub path',
      pod(
        { volumes: [{ name: 'v', emptyDir: {} }] },
        { volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a', subPathExpr: 'b' }] },
      ),
      [
        'spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive',
      ],
    ],
    [
      'a host port of its own in the network of its host',
      pod({ hostNetwork: true }, { ports: [{ containerPort: 80, hostPort: 81 }] }),
      [
        'spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true',
      ],
    ],
    [
      'kernel parameters of its host',
      pod({ hostNetwork: true, securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '1' }] } }),
      [
        'spec.securityContext.sysctls[0].name: Invalid value: "net.core.somaxconn": may not be specified when \'hostNetwork\' is true',
      ],
    ],
    [
      'a mirror of nowhere',
      annotated({ 'kubernetes.io/config.mirror': 'x' }),
      [
        'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set',
      ],
    ],
    [
      'a cost that is no number',
      annotated({ 'controller.kubernetes.io/pod-deletion-cost': '01' }),
      [
        'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "01": must be a 32bit integer',
      ],
    ],
    [
      'a profile in two words',
      annotated(
        { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' },
        { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } },
      ),
      ['spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match'],
    ],
    ['a grace that is negative', pod({ terminationGracePeriodSeconds: -1 }), []],
  ];

  test.each(cases)('%s', (_name, object, errors) => {
    expect(createErrors(object)).toEqual(errors);
  });
});

describe('a pod that waits at a gate', () => {
  const gated = pod({ schedulingGates: [{ name: 'a' }], nodeSelector: { a: 'b' } });

  test('may be narrowed', () => {
    const { errors } = update(gated, ({ spec }) => {
      spec.nodeSelector = { a: 'b', c: 'd' };
      spec.schedulingGates = [];
    });
    expect(errors).toEqual([]);
  });

  test('may not be widened, nor wait for more', () => {
    const { errors } = update(gated, ({ spec }) => {
      spec.nodeSelector = {};
      spec.schedulingGates = [{ name: 'b' }];
    });
    expect(errors).toEqual([
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'",
      'spec.nodeSelector: Invalid value: {}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
    ]);
  });
});

describe('a resize', () => {
  const resources = { requests: { cpu: '1', memory: '1Gi' } };
  const before = defaulted(pod({}, { resources }));
  const resize = (container: Partial<Container>): string[] =>
    validatePodResize(defaulted(pod({}, { resources, ...container })), before).map(fieldErrorText);

  const cases: [string, Partial<Container>, string[]][] = [
    ['changes amounts', { resources: { requests: { cpu: '2', memory: '1Gi' } } }, []],
    [
      'takes nothing away',
      { resources: { requests: { cpu: '1' } } },
      ['spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed'],
    ],
    ['changes nothing else', { image: 'x' }, ['spec: Forbidden: only cpu and memory resources are mutable']],
    [
      'keeps the class of service',
      { resources: { limits: { cpu: '1', memory: '1Gi' } } },
      ['spec: Invalid value: "": Pod QOS Class may not change as a result of resizing'],
    ],
  ];
  test.each(cases)('%s', (_name, container, errors) => {
    expect(resize(container)).toEqual(errors);
  });
});

describe('a status', () => {
  const status = (after: PodStatus, before: PodStatus = {}): string[] =>
    validatePodStatusUpdate(
      { ...pod({ restartPolicy: 'Never' }), status: after },
      {
        ...pod({ restartPolicy: 'Never' }),
        status: before,
      },
    ).map(fieldErrorText);
  const ended = { name: 'web', image: '', imageID: '', ready: false, restartCount: 0 };

  const cases: [string, PodStatus, PodStatus, string[]][] = [
    ['has addresses of two families', { podIPs: [{ ip: '1.2.3.4' }, { ip: 'fd00::1' }] }, {}, []],
    [
      'has one address of a family',
      { podIPs: [{ ip: '1.2.3.4' }, { ip: '1.2.3.5' }] },
      {},
      [
        'status.podIPs: Invalid value: [{"ip":"1.2.3.4"},{"ip":"1.2.3.5"}]: may specify no more than one IP for each IP family',
      ],
    ],
    [
      'keeps its class of service',
      { qosClass: 'Guaranteed' },
      { qosClass: 'BestEffort' },
      ['status.qosClass: Invalid value: "Guaranteed": field is immutable'],
    ],
    [
      'keeps what ended',
      { containerStatuses: [{ ...ended, state: { running: {} } }] },
      { containerStatuses: [{ ...ended, state: { terminated: { exitCode: 1 } } }] },
      ['status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state'],
    ],
  ];
  test.each(cases)('%s', (_name, after, before, errors) => {
    expect(status(after, before)).toEqual(errors);
  });
});

describe('warnings', () => {
  const cases: [string, Pod, string[]][] = [
    [
      'old labels of nodes',
      pod({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' } }),
      ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
    ],
    [
      'parts of bytes',
      pod({}, { resources: { limits: { memory: '100m' } } }),
      ['spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer'],
    ],
    [
      'a hidden variable',
      pod({}, { env: [{ name: 'A' }, { name: 'A', value: '$(A)b' }, { name: 'A', value: 'c' }] }),
      ['spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply'],
    ],
    [
      'volumes that are gone',
      pod({ volumes: [{ name: 'v', gitRepo: { repository: 'x' } }] }),
      ['spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+'],
    ],
    [
      'two hosts of one address',
      pod({ hostAliases: [{ ip: '1.2.3.4' }, { ip: '1.2.3.4' }], imagePullSecrets: [{ name: '' }] }),
      ['spec.hostAliases[1].ip: duplicate ip "1.2.3.4"', 'spec.imagePullSecrets[0].name: invalid empty name ""'],
    ],
    [
      'one port twice',
      pod(
        {},
        {
          ports: [
            { containerPort: 80, protocol: 'TCP' },
            { containerPort: 80, protocol: 'TCP' },
          ],
        },
      ),
      ['spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]'],
    ],
  ];
  test.each(cases)('%s', (_name, object, warnings) => {
    expect(podWarnings(object)).toEqual(warnings);
  });
});
