import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { Service, ServiceSpec } from '../../../generated/types.ts';
import { createErrors, defaulted, definitionOf, row, update } from '../../../testing/kit.ts';

function service(spec: ServiceSpec = {}, annotations?: Record<string, string>): Service {
  const metadata = { name: 'web', namespace: 'default', ...(annotations === undefined ? {} : { annotations }) };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }], ...spec } };
}

const first = { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'] };
const both = { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5', 'fd00::5'], ipFamilies: ['IPv4', 'IPv6'] };
const onlyBalancer = "Forbidden: may only be used when `type` is 'LoadBalancer'";
const badIp = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

describe('errors of a new service', () => {
  const cases: [string, Service, string[]][] = [
    ['plain', service(), []],
    ['headless without ports', service({ ports: [], clusterIP: 'None' }), []],
    ['two families', service({ ...both, ipFamilyPolicy: 'RequireDualStack' }), []],
    [
      'everything of a balancer',
      service({
        type: 'LoadBalancer',
        loadBalancerClass: 'example.com/x',
        loadBalancerSourceRanges: [' 10.0.0.0/8'],
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30000,
        sessionAffinity: 'ClientIP',
        trafficDistribution: 'PreferSameZone',
      }),
      [],
    ],
    ['the port of the kubelet', service({ type: 'LoadBalancer', ports: [{ port: 10250 }] }), []],
    ['a name with a dot at its end', service({ type: 'ExternalName', externalName: 'a.example.com.' }), []],
    [
      'topology annotations that differ',
      service({}, { 'service.kubernetes.io/topology-aware-hints': 'auto', 'service.kubernetes.io/topology-mode': 'x' }),
      [
        'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "x": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
      ],
    ],
    [
      'a headless balancer',
      service({ type: 'LoadBalancer', clusterIP: 'None' }),
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services'],
    ],
    [
      'a headless node port',
      service({ type: 'NodePort', clusterIP: 'None' }),
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
    ],
    [
      'addresses of an external name',
      service({
        type: 'ExternalName',
        externalName: 'a',
        ...first,
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      }),
      [
        'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
        'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
        'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
      ],
    ],
    [
      'names of ports',
      service({
        ports: [
          { name: 'a', port: 1 },
          { name: 'a', port: 2 },
        ],
      }),
      ['spec.ports[1].name: Duplicate value: "a"'],
    ],
    [
      'the same port twice',
      service({
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 1 },
          { name: 'c', port: 1, protocol: 'UDP' },
        ],
      }),
      [
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,"NodePort":0}',
      ],
    ],
    [
      'the same node port twice',
      service({
        type: 'NodePort',
        ports: [
          { name: 'a', port: 1, nodePort: 30001 },
          { name: 'b', port: 2, nodePort: 30001 },
        ],
      }),
      ['spec.ports[1].nodePort: Duplicate value: 30001'],
    ],
    [
      'a protocol',
      service({ ports: [{ port: 1, protocol: 'ICMP' }] }),
      ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      'an affinity',
      service({ sessionAffinity: 'Cookie' }),
      ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
    ],
    [
      'the time of an affinity',
      service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } }),
      [
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
      ],
    ],
    [
      'the plural alone',
      service({ clusterIPs: ['10.96.0.5'] }),
      ['spec.clusterIPs: Invalid value: ["10.96.0.5"]: must be empty when `clusterIP` is not specified'],
    ],
    [
      'two addresses that differ',
      service({ clusterIP: '10.96.0.6', clusterIPs: ['10.96.0.5'] }),
      ['spec.clusterIPs: Invalid value: ["10.96.0.5"]: first value must match `clusterIP`'],
    ],
    [
      'families',
      service({ ipFamilies: ['IPv4', 'IPv4', 'IPv5'] }),
      [
        'spec.ipFamilies[1]: Duplicate value: "IPv4"',
        'spec.ipFamilies[2]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
      ],
    ],
    [
      'a policy of families',
      service({ ipFamilyPolicy: 'Two' }),
      [
        'spec.ipFamilyPolicy: Unsupported value: "Two": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
      ],
    ],
    [
      'None and another',
      service({ clusterIP: 'None', clusterIPs: ['None', '10.96.0.5'] }),
      ['spec.clusterIPs: Invalid value: ["None","10.96.0.5"]: \'None\' must be the first and only value'],
    ],
    ['no address', service({ clusterIP: 'x' }), [`spec.clusterIPs[0]: Invalid value: "x": ${badIp}`]],
    [
      'leading zeros',
      service({ clusterIP: '010.96.0.5' }),
      ['spec.clusterIPs[0]: Invalid value: "010.96.0.5": must not have leading 0s'],
    ],
    [
      'three addresses',
      service({ clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5', 'fd00::5', 'fd00::6'] }),
      ['spec.clusterIPs: Invalid value: ["10.96.0.5","fd00::5","fd00::6"]: may only hold up to 2 values'],
    ],
    [
      'two addresses of one family',
      service({ clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5', '10.96.0.6'] }),
      ['spec.clusterIPs: Invalid value: ["10.96.0.5","10.96.0.6"]: may specify no more than one IP for each IP family'],
    ],
    [
      'addresses of other families',
      service({ ...both, ipFamilies: ['IPv6', 'IPv4'] }),
      [
        'spec.clusterIPs[0]: Invalid value: "10.96.0.5": expected an IPv6 value as indicated by `ipFamilies[0]`',
        'spec.clusterIPs[1]: Invalid value: "fd00::5": expected an IPv4 value as indicated by `ipFamilies[1]`',
      ],
    ],
    [
      'external addresses',
      service({ externalIPs: ['x', '127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', 'fe80::1', '::1'] }),
      [
        `spec.externalIPs[0]: Invalid value: "x": ${badIp}`,
        'spec.externalIPs[1]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[2]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
        'spec.externalIPs[3]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        'spec.externalIPs[4]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
        'spec.externalIPs[5]: Invalid value: "fe80::1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        'spec.externalIPs[6]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    [
      'fields of a balancer',
      service({
        loadBalancerClass: 'a',
        loadBalancerSourceRanges: ['10.0.0.1/8'],
        allocateLoadBalancerNodePorts: false,
        healthCheckNodePort: 1,
        externalTrafficPolicy: 'Local',
      }),
      [
        `spec.LoadBalancerSourceRanges: ${onlyBalancer}`,
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
        `spec.allocateLoadBalancerNodePorts: ${onlyBalancer}`,
        `spec.loadBalancerClass: ${onlyBalancer}`,
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        "spec.healthCheckNodePort: Invalid value: 1: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
    [
      'ranges in an annotation',
      service({}, { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8, x' }),
      [
        `metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: ${onlyBalancer}`,
        'metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
    [
      'policies',
      service({
        type: 'NodePort',
        externalTrafficPolicy: 'Global',
        internalTrafficPolicy: 'Near',
        trafficDistribution: 'Far',
      }),
      [
        'spec.externalTrafficPolicy: Unsupported value: "Global": supported values: "Cluster", "Local"',
        'spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"',
        'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, created, errors) => {
    expect(createErrors(created)).toEqual(errors);
  });
});

describe('updates of a service', () => {
  const balancer = service({
    type: 'LoadBalancer',
    ...first,
    loadBalancerClass: 'a/b',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30000,
  });
  const cases: [string, Service, (spec: ServiceSpec) => void, string[]][] = [
    [
      'another address',
      service(first),
      (spec) => {
        spec.clusterIP = '10.96.0.6';
      },
      ['spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set'],
    ],
    [
      'another second address',
      service({ ...both, ipFamilyPolicy: 'PreferDualStack' }),
      (spec) => {
        spec.clusterIPs = ['10.96.0.5', 'fd00::6'];
      },
      ['spec.clusterIPs[1]: Invalid value: ["10.96.0.5","fd00::6"]: may not change once set'],
    ],
    [
      'a second address more',
      service({ ...first, ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }),
      (spec) => {
        Object.assign(spec, both, { ipFamilyPolicy: 'PreferDualStack' });
      },
      [],
    ],
    [
      'the second address goes without a word',
      service({ ...both, ipFamilyPolicy: 'PreferDualStack' }),
      (spec) => {
        spec.clusterIPs = ['10.96.0.5'];
      },
      [
        'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to \'SingleStack\' when releasing the secondary clusterIP',
      ],
    ],
    [
      'the second family goes without a word',
      service({ ...both, ipFamilyPolicy: 'PreferDualStack' }),
      (spec) => {
        spec.ipFamilies = ['IPv4'];
      },
      [
        'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to \'SingleStack\' when releasing the secondary ipFamily',
      ],
    ],
    [
      'the families of a headless service',
      service({ clusterIP: 'None', ipFamilies: ['IPv4'] }),
      (spec) => {
        spec.ipFamilies = ['IPv6'];
      },
      [],
    ],
    [
      'another class',
      balancer,
      (spec) => {
        spec.loadBalancerClass = 'a/c';
      },
      ['spec.loadBalancerClass: Invalid value: "a/c": may not change once set'],
    ],
    [
      'another health check',
      balancer,
      (spec) => {
        spec.healthCheckNodePort = 30001;
      },
      ['spec.healthCheckNodePort: Forbidden: field is immutable'],
    ],
    [
      'an old address stays as it was written',
      service({ ...first, externalIPs: ['010.0.0.1'] }),
      (spec) => {
        spec.selector = { a: 'b' };
      },
      [],
    ],
  ];

  test.each(cases)('%s', (_name, current, change, errors) => {
    expect(update(current, ({ spec }) => change(spec)).errors).toEqual(errors);
  });

  test('a balancer that becomes a cluster service leaves all of it behind', () => {
    const current = { ...balancer, status: { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } } };
    current.spec.ports = [{ name: 'a', port: 80, nodePort: 30080 }];
    const { next, errors } = update<Service>(current, ({ spec }) => {
      spec.type = 'ClusterIP';
    });
    expect(errors).toEqual([]);
    expect(next.spec).toEqual({
      ...first,
      type: 'ClusterIP',
      ports: [{ name: 'a', port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    });
    expect(next.status).toEqual({ loadBalancer: {} });
  });

  test('node ports follow the names of ports', () => {
    const ports = [
      { name: 'a', port: 80, nodePort: 30080 },
      { name: 'b', port: 81, nodePort: 30081 },
    ];
    const { next } = update(service({ type: 'NodePort', ...first, ports }), ({ spec }) => {
      spec.ports = [
        { name: 'b', port: 90 },
        { name: 'a', port: 91 },
        { name: 'c', port: 92 },
      ];
    });
    expect(next.spec.ports?.map(({ nodePort }) => nodePort)).toEqual([30081, 30080, undefined]);
  });
});

describe('what a balancer says', () => {
  const cases: [string, string, object[], string[]][] = [
    ['an address and a name', 'LoadBalancer', [{ ip: '10.0.0.1' }, { hostname: 'a.example.com' }], []],
    [
      'another type',
      'ClusterIP',
      [{}],
      ["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"],
    ],
    ['no address', 'LoadBalancer', [{ ip: 'x' }], [`status.loadBalancer.ingress[0].ip: Invalid value: "x": ${badIp}`]],
    [
      'a way without an address',
      'LoadBalancer',
      [{ ipMode: 'VIP' }],
      ['status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set'],
    ],
    [
      'an unknown way',
      'LoadBalancer',
      [{ ip: '10.0.0.1', ipMode: 'X' }],
      ['status.loadBalancer.ingress[0].ipMode: Unsupported value: "X": supported values: "Proxy", "VIP"'],
    ],
    [
      'an address as a name',
      'LoadBalancer',
      [{ hostname: '10.0.0.1' }],
      ['status.loadBalancer.ingress[0].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
    ],
  ];

  test.each(cases)('%s', (_name, type, ingress, errors) => {
    const current = defaulted(service({ type }));
    const next = defaulted({ ...current, status: { loadBalancer: { ingress } } } as Service);
    const found = definitionOf(next).strategy.validateStatusUpdate?.(next, current) ?? [];
    expect(found.map(fieldErrorText)).toEqual(errors);
  });
});

describe('warnings of a service', () => {
  const cases: [string, Service, string[]][] = [
    ['none', service(first), []],
    [
      'headless',
      service({
        clusterIP: 'None',
        externalIPs: ['10.0.0.1'],
        loadBalancerIP: '10.0.0.2',
        sessionAffinity: 'ClientIP',
      }),
      [
        'spec.loadBalancerIP is ignored for headless services',
        'spec.externalIPs is ignored for headless services',
        'spec.SessionAffinity is ignored for headless services',
      ],
    ],
    [
      'old fields and values',
      service(
        { externalIPs: ['2001:DB8::1'], externalName: 'x', trafficDistribution: 'PreferClose' },
        { 'service.kubernetes.io/topology-aware-hints': 'auto' },
      ),
      [
        'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
        'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
        'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
        'spec.externalName is ignored when spec.type is not "ExternalName"',
        'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
      ],
    ],
    [
      'old forms of addresses',
      service({
        type: 'LoadBalancer',
        loadBalancerIP: '010.0.0.1',
        loadBalancerSourceRanges: ['10.0.0.1/8', '010.0.0.0/8', '2001:DB8::/32'],
      }),
      [
        'spec.loadBalancerIP: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"',
        'spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
        'spec.loadBalancerSourceRanges[1]: non-standard CIDR value "010.0.0.0/8" will be considered invalid in a future Kubernetes release: use "10.0.0.0/8"',
        'spec.loadBalancerSourceRanges[2]: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical format ("2001:db8::/32")',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, created, warnings) => {
    const next = defaulted(created);
    expect(definitionOf(next).strategy.warnings?.(next, undefined)).toEqual(warnings);
  });
});

test('a row of a balancer shows all of a long name', () => {
  const shown = service({ type: 'LoadBalancer', ...first });
  shown.status = { loadBalancer: { ingress: [{ hostname: 'long-name.balancers.example.com' }, { ip: '10.0.0.1' }] } };
  expect(row(shown, { nowMs: 0 })[3]).toBe('10.0.0.1,long-name.balancers.example.com');
});
