import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import { createErrors, defaulted, row, update } from '../../testing/kit.ts';

const object = (
  kind: string,
  spec: object,
  metadata: object = { name: 'web', namespace: 'default' },
): KubeObject & {
  spec: object;
} => ({ apiVersion: 'networking.k8s.io/v1', kind, metadata, spec });

const backend = { service: { name: 'web', port: { number: 80 } } };
const ingress = (path: object = {}) =>
  object('Ingress', {
    rules: [{ host: 'a.example.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...path }] } }],
  });
const at = 'spec.rules[0].http.paths[0]';

describe('Ingress', () => {
  const cases: [string, KubeObject, string[]][] = [
    ['a valid one', ingress(), []],
    ['only a default backend', object('Ingress', { defaultBackend: backend }), []],
    [
      'nothing',
      object('Ingress', {}),
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'an address as host',
      object('Ingress', { rules: [{ host: '10.0.0.1' }] }),
      ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
    ],
    ['a relative path', ingress({ path: 'x' }), [`${at}.path: Invalid value: "x": must be an absolute path`]],
    ['two slashes', ingress({ path: '/a//b' }), [`${at}.path: Invalid value: "/a//b": must not contain '//'`]],
    ['an end in dots', ingress({ path: '/a/..' }), [`${at}.path: Invalid value: "/a/..": cannot end with '/..'`]],
    [
      'no type of path',
      object('Ingress', { rules: [{ http: { paths: [{ path: '/', backend }] } }] }),
      [`${at}.pathType: Required value: pathType must be specified`],
    ],
    [
      'an unknown type of path',
      ingress({ pathType: 'Glob' }),
      [`${at}.pathType: Unsupported value: "Glob": supported values: "Exact", "ImplementationSpecific", "Prefix"`],
    ],
    [
      'no backend',
      ingress({ backend: {} }),
      [`${at}.backend: Invalid value: "": resource or service backend is required`],
    ],
    [
      'two ports',
      ingress({ backend: { service: { name: 'web', port: { name: 'http', number: 80 } } } }),
      [`${at}.backend: Invalid value: "": cannot set both port name & port number`],
    ],
    [
      'no port',
      ingress({ backend: { service: { name: 'web' } } }),
      [`${at}.backend: Required value: port name or number is required`],
    ],
    [
      'an annotation that contradicts the class',
      object(
        'Ingress',
        { defaultBackend: backend, ingressClassName: 'a' },
        { name: 'web', namespace: 'default', annotations: { 'kubernetes.io/ingress.class': 'b' } },
      ),
      [
        'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are specified',
      ],
    ],
  ];
  test.each(cases)('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('is shown with hosts, addresses and ports', () => {
    const status = { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } };
    const shown = { ...ingress(), status };
    expect(row(shown, { nowMs: 0 }).slice(0, 5)).toEqual(['web', '<none>', 'a.example.com', '10.0.0.1', '80']);
  });
});

describe('IngressClass', () => {
  const one = (spec: object) => object('IngressClass', spec, { name: 'a' });
  test.each([
    ['a valid one', one({ controller: 'example.com/x' }), []],
    ['no controller', one({}), ['spec.controller: Required value']],
    [
      'no domain',
      one({ controller: 'x' }),
      ['spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'a namespace of a cluster-scoped parameter',
      one({ controller: 'a.b/c', parameters: { kind: 'K', name: 'n', namespace: 'x' } }),
      ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
    ],
    [
      'none of a namespaced one',
      one({ controller: 'a.b/c', parameters: { kind: 'K', name: 'n', scope: 'Namespace' } }),
      ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('keeps its controller', () => {
    const { errors } = update(one({ controller: 'a.b/c' }), (next) =>
      Object.assign(next.spec, { controller: 'a.b/d' }),
    );
    expect(errors).toEqual(['spec.controller: Invalid value: "a.b/d": field is immutable']);
  });
});

describe('NetworkPolicy', () => {
  const policy = (spec: object) => object('NetworkPolicy', spec);
  const from = (peer: object) => policy({ ingress: [{ from: [peer] }] });
  test('is for ingress unless it says more', () => {
    expect(defaulted(policy({})).spec).toEqual({ podSelector: {}, policyTypes: ['Ingress'] });
    expect(defaulted(policy({ egress: [{}] })).spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
  });

  test.each([
    ['a valid one', from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }), []],
    ['an empty peer', from({}), ['spec.ingress[0].from[0]: Required value: must specify a peer']],
    [
      'a block and a selector',
      from({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
      ['spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer'],
    ],
    [
      'host bits',
      from({ ipBlock: { cidr: '10.0.0.1/8' } }),
      [
        'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
      ],
    ],
    [
      'an exception outside',
      from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }),
      ['spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`'],
    ],
    [
      'a range of named ports',
      policy({ ingress: [{ ports: [{ port: 'http', endPort: 90 }] }] }),
      ['spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric'],
    ],
    [
      'a range backwards',
      policy({ ingress: [{ ports: [{ port: 90, endPort: 80 }] }] }),
      ['spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`'],
    ],
    [
      'an unknown direction',
      policy({ policyTypes: ['Sideways'] }),
      ['spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"'],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('a range that was stored before the rule may stay', () => {
    const { errors } = update(from({ ipBlock: { cidr: '10.0.0.1/8' } }), (next) =>
      Object.assign(next.metadata, { labels: { a: 'b' } }),
    );
    expect(errors).toEqual([]);
  });
});

describe('ServiceCIDR and IPAddress', () => {
  const range = (cidrs: string[]) => object('ServiceCIDR', { cidrs }, { name: 'a' });
  test.each([
    ['a valid one', range(['10.0.0.0/24', 'fd00::/112']), []],
    ['none', range([]), ['spec.cidrs: Required value: at least one CIDR required']],
    [
      'two of one family',
      range(['10.0.0.0/24', '10.1.0.0/24']),
      [
        'spec.cidrs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
      ],
    ],
    [
      'not canonical',
      range(['FD00::/112']),
      ['spec.cidrs[0]: Invalid value: "FD00::/112": must be in canonical form ("fd00::/112")'],
    ],
    [
      'leading zeros',
      range(['010.0.0.0/24']),
      ['spec.cidrs[0]: Invalid value: "010.0.0.0/24": must not have leading 0s in IP or prefix length'],
    ],
    ['an address without a user', object('IPAddress', {}, { name: '10.0.0.1' }), ['spec.parentRef: Required value']],
    [
      'an address without a resource',
      object('IPAddress', { parentRef: { name: 'a' } }, { name: '10.0.0.1' }),
      ['spec.parentRef.resource: Required value'],
    ],
  ])('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  test('a second family may be added, and nothing else changed', () => {
    const change = (cidrs: string[]) =>
      update(range(['10.0.0.0/24']), (next) => Object.assign(next.spec, { cidrs })).errors;
    expect(change(['10.0.0.0/24', 'fd00::/112'])).toEqual([]);
    expect(change(['10.0.1.0/24'])).toEqual(['spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable']);
  });

  test('an address shows who uses it', () => {
    const parentRef = { resource: 'services', namespace: 'default', name: 'web' };
    expect(row(object('IPAddress', { parentRef }, { name: '10.0.0.1' }), { nowMs: 0 }).slice(0, 2)).toEqual([
      '10.0.0.1',
      'services/default/web',
    ]);
  });
});
