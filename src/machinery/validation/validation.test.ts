import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '../field/field-error.ts';
import { FieldPath } from '../field/field-path.ts';
import type { ObjectMeta } from '../meta/types.ts';
import { cidrContains, formatIp, parseCidr, parseIp } from './addresses.ts';
import { immutableField, validateAnnotations, validateObjectMeta, validateObjectMetaUpdate } from './metadata.ts';

import {
  isCIdentifier,
  isCidr,
  isConfigMapKey,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isEnvVarName,
  isHttpHeaderName,
  isIpAddress,
  isPathSegmentName,
  isPercent,
  isPortName,
  isPortNumber,
  isQualifiedName,
  isRelaxedEnvVarName,
  isValidLabelValue,
} from './names.ts';

const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
  "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

describe('names', () => {
  test.each([
    [isDns1123Label, 'a-1', []],
    [isDns1123Label, 'A', [LABEL_RULE]],
    [isDns1123Label, '', [LABEL_RULE]],
    [isDns1123Label, 'a.b', ['must not contain dots']],
    [isDns1123Label, 'a'.repeat(64), ['must be no more than 63 characters']],
    [isDns1123Subdomain, 'a.b-c.d', []],
    [isDns1035Label, 'a1', []],
    [isQualifiedName, 'example.com/My_name.1', []],
    [isQualifiedName, '/x', ['prefix part must be non-empty']],
    [isValidLabelValue, '', []],
    [isValidLabelValue, 'a'.repeat(64), ['must be no more than 63 bytes']],
    [isConfigMapKey, '..data', ["must not start with '..'"]],
    [isConfigMapKey, '.', ["must not be '.'"]],
    [isEnvVarName, 'MY_ENV.x-y', []],
    [isRelaxedEnvVarName, 'any thing!', []],
    [isRelaxedEnvVarName, '', ['environment variable name must be non-empty']],
    [isPortName, 'http-2', []],
    [
      isPortName,
      '-1--2',
      [
        'must contain at least one letter (a-z)',
        'must not contain consecutive hyphens',
        'must not begin or end with a hyphen',
      ],
    ],
    [isPercent, '50%', []],
    [isHttpHeaderName, 'X-A', []],
    [isCIdentifier, '_a1', []],
    [isIpAddress, '10.0.0.1', []],
    [isIpAddress, '10.0.0.01', ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']],
    [isCidr, 'fd00::/8', []],
    [isCidr, '10.0.0.0/33', ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']],
    [isPathSegmentName, 'a/b%', ["may not contain '/'", "may not contain '%'"]],
    [isPathSegmentName, '..', ["may not be '..'"]],
  ] as const)('%o accepts or refuses %j', (check, text, expected) => {
    expect(check(text)).toEqual(expected);
  });

  test.each([isDns1123Subdomain, isDns1035Label, isQualifiedName, isValidLabelValue, isCIdentifier])(
    '%o refuses what is out of form with its pattern',
    (check) => {
      const [message] = check('-a b-');
      expect(message).toMatch(/must .*\(e\.g\. '.*regex used for validation is '.*'\)$/);
    },
  );

  test('isPortNumber', () => {
    expect(isPortNumber(443)).toEqual([]);
    expect(isPortNumber(0)).toEqual(['must be between 1 and 65535, inclusive']);
  });
});

describe('addresses', () => {
  test.each(['10.1.2.3', '::', '::1', '2001:db8::1', 'fe80::1:2:3:4', '1:2:3:4:5:6:7:8', '::ffff:a00:1'])(
    '%s',
    (text) => {
      const family = text.includes(':') ? 'IPv6' : 'IPv4';
      expect(formatIp(parseIp(text) ?? -1n, family)).toBe(text);
    },
  );

  test('knows what lies in a range', () => {
    const cidr = parseCidr('10.96.0.0/12');
    expect(cidr && cidrContains(cidr, parseIp('10.111.255.255') ?? 0n, 'IPv4')).toBe(true);
    expect(cidr && cidrContains(cidr, parseIp('10.112.0.0') ?? 0n, 'IPv4')).toBe(false);
    expect(parseIp('::ffff:10.0.0.1')).toBe(parseIp('::ffff:a00:1'));
    expect(parseIp('x')).toBeUndefined();
  });
});

describe('validateObjectMeta', () => {
  const texts = (meta: ObjectMeta, namespaced = true): string[] =>
    validateObjectMeta(meta, { namespaced }).map(fieldErrorText);

  test('accepts plain metadata', () => {
    expect(texts({ name: 'a', namespace: 'b', labels: { x: 'y' }, annotations: { 'EXAMPLE.com/X': '' } })).toEqual([]);
  });

  test('demands a name and a namespace, or no namespace', () => {
    expect(texts({})).toEqual([
      'metadata.name: Required value: name or generateName is required',
      'metadata.namespace: Required value',
    ]);
    expect(texts({ name: 'a', namespace: 'b' }, false)).toEqual([
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
  });

  test('allows generateName to end in a dash', () => {
    expect(texts({ name: 'a-x', generateName: 'a-', namespace: 'b' })).toEqual([]);
  });

  test('checks owners, finalizers and managedFields', () => {
    const owner = { apiVersion: 'v1', kind: 'A', name: 'a', uid: '1', controller: true };
    const found = texts({
      name: 'a',
      namespace: 'b',
      ownerReferences: [owner, { ...owner, uid: '' }],
      finalizers: ['orphan', 'foregroundDeletion', 'bad finalizer'],
      managedFields: [{ operation: 'Update', manager: 'bad\n' }],
    });
    expect(found.map((text) => text.slice(0, text.indexOf(':')))).toEqual([
      'metadata.ownerReferences.uid',
      'metadata.ownerReferences',
      'metadata.finalizers',
      'metadata.finalizers',
      'metadata.managedFields[0].manager',
    ]);
    expect(found[1]).toContain('Found "true" in references for A/a and A/a');
    expect(found[4]).toContain('invalid character U+000A (at position 3)');
  });

  test('limits annotations', () => {
    const errors = validateAnnotations({ a: 'x'.repeat(262_144) }, new FieldPath('metadata').child('annotations'));
    expect(errors.map(fieldErrorText)).toEqual(['metadata.annotations: Too long: may not be more than 262144 bytes']);
  });
});

describe('validateObjectMetaUpdate', () => {
  const current: ObjectMeta = { name: 'a', namespace: 'b', uid: '1', resourceVersion: '5', generation: 2 };

  test('refuses changes of what is immutable', () => {
    const next = { ...current, uid: '2', generation: 1, resourceVersion: '' };
    expect(validateObjectMetaUpdate(next, current).map(fieldErrorText)).toEqual([
      'metadata.resourceVersion: Invalid value: "": must be specified for an update',
      'metadata.generation: Invalid value: 1: must not be decremented',
      'metadata.uid: Invalid value: "2": field is immutable',
    ]);
  });

  test('refuses new finalizers while the object is being deleted', () => {
    const deleting = { ...current, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x/a'] };
    const [error] = validateObjectMetaUpdate({ ...deleting, finalizers: ['x/b', 'x/a'] }, deleting);
    expect(error && fieldErrorText(error)).toBe(
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, ' +
        'found new finalizers []string{"x/b"}',
    );
  });

  test('immutableField compares deeply', () => {
    expect(immutableField({ a: [1] }, { a: [1] }, new FieldPath('x'))).toEqual([]);
    expect(immutableField({ a: [1] }, { a: [2] }, new FieldPath('x'))).toHaveLength(1);
  });
});
