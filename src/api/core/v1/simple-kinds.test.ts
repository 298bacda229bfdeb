import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Endpoints, EndpointSubset, EventsV1Event, Secret } from '../../generated/types.ts';
import { createErrors, defaulted, definitionOf, row, update } from '../../testing/kit.ts';

const metadata = { name: 'a', namespace: 'default' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const badIp = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

function object<T extends KubeObject = KubeObject>(apiVersion: string, kind: string, fields: object): T {
  return { apiVersion, kind, metadata, ...fields } as unknown as T; // Safe: the caller says which kind it makes.
}

function secret(type: string, data: Record<string, string> = {}): Secret {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
  return object<Secret>('v1', 'Secret', { type, data: encoded });
}

describe('errors of a new secret', () => {
  const redacted = 'Invalid value: "<secret contents redacted>"';
  const cases: [string, Secret, string[]][] = [
    ['of a type of its own', secret('example.com/x', { 'a.b_c-d': 'x' }), []],
    ['for a registry', secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths":{}}' }), []],
    ['half a password', secret('kubernetes.io/basic-auth', { username: 'a' }), []],
    [
      'no password',
      secret('kubernetes.io/basic-auth'),
      ['data[username]: Required value', 'data[password]: Required value'],
    ],
    ['no key', secret('kubernetes.io/ssh-auth', { 'ssh-privatekey': '' }), ['data[ssh-privatekey]: Required value']],
    ['no pair', secret('kubernetes.io/tls'), ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
    ['no registry', secret('kubernetes.io/dockercfg'), ['data[.dockercfg]: Required value']],
    [
      'no JSON',
      secret('kubernetes.io/dockercfg', { '.dockercfg': 'x' }),
      [`data[.dockercfg]: ${redacted}: invalid character 'x' looking for beginning of value`],
    ],
    [
      'no object',
      secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '[]' }),
      [
        `data[.dockerconfigjson]: ${redacted}: json: cannot unmarshal array into Go value of type map[string]interface {}`,
      ],
    ],
    ['too much', secret('Opaque', { a: 'x'.repeat(1048577) }), ['data: Too long: may not be more than 1048576 bytes']],
  ];

  test.each(cases)('%s', (_name, created, errors) => {
    expect(createErrors(created)).toEqual(errors);
  });
});

test('the type of a secret is immutable', () => {
  const { errors } = update(secret('Opaque'), (next) => {
    next.type = 'example.com/x';
  });
  expect(errors).toEqual(['type: Invalid value: "example.com/x": field is immutable']);
});

describe('warnings of a secret with a certificate', () => {
  const pem = (type: string): string => `-----BEGIN ${type}-----\nAAAA\n-----END ${type}-----\n`;
  test.each([
    ['', '', 'tls: failed to find any PEM data in certificate input'],
    [
      pem('RSA PRIVATE KEY'),
      '',
      'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
    ],
    [
      pem('X') + pem('Y'),
      '',
      'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [X Y]',
    ],
    [pem('CERTIFICATE'), '', 'tls: failed to find any PEM data in key input'],
    [
      pem('CERTIFICATE'),
      pem('CERTIFICATE'),
      'tls: found a certificate rather than a key in the PEM for the private key',
    ],
  ])('%#', (certificate, key, warning) => {
    const next = secret('kubernetes.io/tls', { 'tls.crt': certificate, 'tls.key': key });
    expect(definitionOf(next).strategy.warnings?.(next, undefined)).toEqual([warning]);
  });
});

describe('a config map', () => {
  test('has no key twice', () => {
    const next = object('v1', 'ConfigMap', { data: { a: '' }, binaryData: { a: '' } });
    expect(createErrors(next)).toEqual(['data[a]: Invalid value: "a": duplicate of key present in binaryData']);
  });

  test('stays as it is once it is immutable', () => {
    const { errors } = update(object('v1', 'ConfigMap', { immutable: true, data: { a: '' } }), (next) => {
      Object.assign(next, { immutable: false, data: {}, binaryData: { b: '' } });
    });
    const detail = 'Forbidden: field is immutable when `immutable` is set';
    expect(errors).toEqual([`immutable: ${detail}`, `data: ${detail}`, `binaryData: ${detail}`]);
  });
});

test('numbers of rows are numbers', () => {
  const options = { nowMs: 0 };
  expect(row(object('v1', 'ConfigMap', { data: { a: '' }, binaryData: { b: '' } }), options)[1]).toBe(2);
  expect(row(secret('Opaque', { a: '' }), options)[2]).toBe(1);
  expect(row(object('v1', 'ServiceAccount', { secrets: [{ name: 'x' }] }), options)[1]).toBe(1);
});

describe('a service account', () => {
  const key = 'kubernetes.io/enforce-mountable-secrets';
  const warning = `metadata.annotations[${key}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`;

  test('keeps names of secrets only', () => {
    const { next } = update(object('v1', 'ServiceAccount', {}), (account) => {
      Object.assign(account, { secrets: [{ name: 'x', namespace: 'y', uid: 'z' }] });
    });
    expect(next).toMatchObject({ secrets: [{ name: 'x' }] });
    expect(next).not.toMatchObject({ secrets: [{ namespace: 'y' }] });
  });

  test('warns of an old annotation when it comes', () => {
    const next = object('v1', 'ServiceAccount', { metadata: { ...metadata, annotations: { [key]: 'true' } } });
    const { warnings } = definitionOf(next).strategy;
    expect(warnings?.(next, undefined)).toEqual([warning]);
    expect(warnings?.(next, object('v1', 'ServiceAccount', {}))).toEqual([warning]);
    expect(warnings?.(next, next)).toEqual([]);
  });
});

describe('errors of new endpoints', () => {
  const at = 'subsets[0].addresses[0]';
  const ports = [{ port: 80, protocol: 'TCP' }];
  const cases: [string, EndpointSubset, string[]][] = [
    ['none', { addresses: [{ ip: '10.0.0.1', hostname: 'a', nodeName: 'n.1' }], ports }, []],
    ['of this machine', { notReadyAddresses: [{ ip: '127.0.0.1' }], ports }, []],
    [
      'no address',
      { addresses: [{ ip: 'x' }] },
      [`${at}.ip: Invalid value: "x": ${badIp}`, `${at}.ip: Invalid value: "x": must be a valid IP address`],
    ],
    [
      'an address of no machine',
      { addresses: [{ ip: '0.0.0.0' }, { ip: '169.254.0.1' }] },
      [
        `${at}.ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)`,
        'subsets[0].addresses[1].ip: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      ],
    ],
    [
      'names',
      { addresses: [{ ip: '10.0.0.1', hostname: 'a.b', nodeName: '' }] },
      [
        `${at}.hostname: Invalid value: "a.b": must not contain dots`,
        `${at}.nodeName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
      ],
    ],
    [
      'ports',
      {
        addresses: [{ ip: '10.0.0.1' }],
        ports: [{ port: 0 }, { name: 'a', port: 1, protocol: 'X', appProtocol: 'a b' }],
      },
      [
        'subsets[0].ports[0].name: Required value',
        'subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'subsets[0].ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        "subsets[0].ports[1].appProtocol: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
  ];

  test.each(cases)('%s', (_name, subset, errors) => {
    expect(createErrors(object('v1', 'Endpoints', { subsets: [subset] }))).toEqual(errors);
  });

  test('an address in an old form stays, with a warning', () => {
    const current = object<Endpoints>('v1', 'Endpoints', { subsets: [{ addresses: [{ ip: '010.0.0.1' }] }] });
    expect(createErrors(current)).toEqual([`${at}.ip: Invalid value: "010.0.0.1": must not have leading 0s`]);
    const { next, errors } = update(current, ({ metadata: meta }) => {
      meta.labels = { a: 'b' };
    });
    expect(errors).toEqual([]);
    expect(definitionOf(next).strategy.warnings?.(next, current)).toEqual([
      `${at}.ip: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"`,
    ]);
  });
});

describe('events', () => {
  const event = object<EventsV1Event>('events.k8s.io/v1', 'Event', {
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/c',
    reportingInstance: 'c-1',
    action: 'Try',
    reason: 'Tried',
    type: 'Normal',
    regarding: { kind: 'Pod', namespace: 'default', name: 'p' },
  });

  test('of the newer version are whole', () => {
    expect(createErrors(event)).toEqual([]);
    const bad = {
      ...event,
      type: 'Odd',
      series: { count: 1 },
      deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
      deprecatedLastTimestamp: '2026-01-01T00:00:00Z',
      deprecatedCount: 1,
      deprecatedSource: { component: 'x' },
      note: 'x'.repeat(1025),
    } as unknown as KubeObject; // Safe: a test of a bad object.
    expect(createErrors(bad)).toEqual([
      'message: Invalid value: "": can have at most 1024 characters',
      'series.count: Invalid value: "": should be at least 2',
      'series.lastObservedTime: Required value',
      'type: Invalid value: "": has invalid value: Odd',
      'firstTimestamp: Invalid value: "": needs to be unset',
      'lastTimestamp: Invalid value: "": needs to be unset',
      'count: Invalid value: "": needs to be unset',
      'source: Invalid value: "": needs to be unset',
    ]);
  });

  test('of the newer version change only in their series', () => {
    const series = { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' };
    expect(update(event, (next) => Object.assign(next, { series })).errors).toEqual([]);
    const { errors } = update(event, (next) => Object.assign(next, { note: 'b', action: 'c' }));
    expect(errors).toEqual([
      'message: Invalid value: "b": field is immutable',
      'action: Invalid value: "c": field is immutable',
    ]);
  });

  test('of the older version change as they like', () => {
    const old = object('v1', 'Event', { involvedObject: { namespace: 'default' }, reason: 'a' });
    expect(update(old, (next) => Object.assign(next, { reason: 'b', count: 3 })).errors).toEqual([]);
    const next = defaulted(
      object('v1', 'Event', { metadata: { name: 'a', namespace: 'A' }, involvedObject: { namespace: 'A' } }),
    );
    const found = definitionOf(next).strategy.validate?.(next) ?? [];
    expect(found.map(fieldErrorText)[0]).toMatch(/^namespace: Invalid value: "A": a lowercase RFC 1123 subdomain/);
  });
});
