import { describe, expect, test } from 'vitest';
import { deepCopy } from '#machinery/codec/deep.ts';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { createErrors, defaulted, definitionOf, row, update } from '../../testing/kit.ts';

const object = (kind: string, spec: object, version = 'v1'): KubeObject & { spec: object } => ({
  apiVersion: `resource.k8s.io/${version}`,
  kind,
  metadata: { name: 'a', namespace: 'default' },
  spec,
});
const exactly = { deviceClassName: 'gpu.example.com' };
const claim = (devices: object = { requests: [{ name: 'gpu', exactly }] }) => object('ResourceClaim', { devices });
const request = (fields: object) => claim({ requests: [{ name: 'gpu', ...fields }] });
const slice = (spec: object = {}) =>
  object('ResourceSlice', {
    driver: 'gpu.example.com',
    pool: { name: 'n', generation: 1, resourceSliceCount: 1 },
    nodeName: 'n',
    devices: [{ name: 'gpu-0' }],
    ...spec,
  });
const devices = (device: object) => slice({ devices: [{ name: 'gpu-0', ...device }] });

describe('claims, classes and slices of devices', () => {
  test.each([
    ['a claim', claim(), []],
    [
      'a request of no kind',
      request({}),
      ['spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required'],
    ],
    [
      'a request without a class',
      request({ exactly: { deviceClassName: '' } }),
      ['spec.devices.requests[0].exactly.deviceClassName: Required value'],
    ],
    [
      'a negative count',
      request({ exactly: { ...exactly, count: -1 } }),
      ['spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero'],
    ],
    [
      'a count of all',
      request({ exactly: { ...exactly, allocationMode: 'All', count: 2 } }),
      ["spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"],
    ],
    [
      'an empty selector',
      request({ exactly: { ...exactly, selectors: [{}] } }),
      ['spec.devices.requests[0].exactly.selectors[0].cel: Required value'],
    ],
    [
      'a selector',
      request({
        exactly: {
          ...exactly,
          selectors: [{ cel: { expression: 'device.attributes["a.io"].b == "x" && device.driver == "d"' } }],
        },
      }),
      [],
    ],
    [
      'a selector that is no condition',
      request({ exactly: { ...exactly, selectors: [{ cel: { expression: 'device.driver' } }] } }),
      [
        'spec.devices.requests[0].exactly.selectors[0].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string',
      ],
    ],
    [
      'a constraint on nothing',
      claim({ requests: [{ name: 'gpu', exactly }], constraints: [{ requests: ['cpu'], matchAttribute: 'a.io/b' }] }),
      [
        `spec.devices.constraints[0].requests[0]: Invalid value: "cpu": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`,
      ],
    ],
    [
      'an attribute without a domain',
      claim({ requests: [{ name: 'gpu', exactly }], constraints: [{ matchAttribute: 'b' }] }),
      ['spec.devices.constraints[0].matchAttribute: Invalid value: "b": must include a domain'],
    ],
    [
      'a configuration of nothing',
      claim({ requests: [{ name: 'gpu', exactly }], config: [{}] }),
      ['spec.devices.config[0].opaque: Required value'],
    ],
    [
      'a class of a resource of Kubernetes itself',
      object('DeviceClass', { extendedResourceName: 'kubernetes.io/x' }),
      ['spec.extendedResourceName: Invalid value: "kubernetes.io/x": must be a valid extended resource name'],
    ],
    ['a slice', slice(), []],
    [
      'a slice of nowhere',
      object('ResourceSlice', { driver: 'd', pool: { name: 'n', generation: 1, resourceSliceCount: 1 } }),
      [
        'spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required',
      ],
    ],
    [
      'a slice of everywhere and one node',
      slice({ allNodes: true }),
      [
        'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
      ],
    ],
    [
      'a device twice',
      slice({ devices: [{ name: 'a' }, { name: 'a' }] }),
      ['spec.devices[1].name: Duplicate value: "a"'],
    ],
    [
      'an attribute of two values',
      devices({ attributes: { a: { int: 1, bool: true } } }),
      ['spec.devices[0].attributes[a]: Invalid value: {"int":1,"bool":true}: exactly one value must be specified'],
    ],
    [
      'a version that is none',
      devices({ attributes: { a: { version: '1' } } }),
      [
        'spec.devices[0].attributes[a].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
      ],
    ],
    [
      'a taint without an effect',
      devices({ taints: [{ key: 'a' }] }),
      ['spec.devices[0].taints[0].effect: Required value'],
    ],
  ])('%s', (_name, given, errors) => {
    const known = (text: string): string => text.replace('{"bool":true,"int":1}', '{"int":1,"bool":true}');
    expect(createErrors(given).map(known)).toEqual(errors);
  });

  test('a request is for one device unless it says more', () => {
    expect(defaulted(claim()).spec).toMatchObject({
      devices: { requests: [{ exactly: { allocationMode: 'ExactCount', count: 1 } }] },
    });
  });

  test('the spec of a claim stays', () => {
    const { errors } = update(claim(), (next) => Object.assign(next.spec, { devices: {} }));
    expect(errors[0]).toMatch(/^spec: Invalid value: .*: field is immutable$/);
  });

  const statusErrors = (status: object, before: object = {}) => {
    const current = { ...defaulted(claim()), status: before };
    const next = { ...deepCopy(current), status };
    return (definitionOf(next).strategy.validateStatusUpdate?.(next, current) ?? []).map(fieldErrorText);
  };
  const result = { request: 'gpu', driver: 'gpu.example.com', pool: 'n', device: 'gpu-0' };
  const allocation = { devices: { results: [result] } };
  const pod = { resource: 'pods', name: 'p', uid: '1' };

  test('an allocation is made once, of what was asked for', () => {
    expect(statusErrors({ allocation, reservedFor: [pod] })).toEqual([]);
    expect(statusErrors({ reservedFor: [pod] })).toEqual([
      'status.reservedFor: Forbidden: may not be specified when `allocated` is not set',
    ]);
    const other = { devices: { results: [{ ...result, device: 'gpu-1' }] } };
    expect(statusErrors({ allocation: other }, { allocation })[0]).toMatch(/status\.allocation: .*field is immutable$/);
    const unknown = { devices: { results: [{ ...result, request: 'cpu' }] } };
    expect(statusErrors({ allocation: unknown })[0]).toMatch(/^status\.allocation\.devices\.results\[0\]\.request: /);
  });

  test('a claim shows what became of it', () => {
    const shown = { ...claim(), status: { allocation, reservedFor: [pod] } };
    expect(row(shown, { nowMs: 0 })[1]).toBe('allocated,reserved');
    expect(row(claim(), { nowMs: 0 })[1]).toBe('pending');
  });
});

describe('resource.k8s.io/v1beta1', () => {
  test.each([
    [
      'a request',
      object('ResourceClaim', { devices: { requests: [{ name: 'gpu', deviceClassName: 'c', count: 2 }] } }, 'v1beta1'),
      { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'c', count: 2 } }] } },
    ],
    [
      'alternatives',
      object(
        'ResourceClaim',
        { devices: { requests: [{ name: 'gpu', firstAvailable: [{ name: 'a', deviceClassName: 'c' }] }] } },
        'v1beta1',
      ),
      { devices: { requests: [{ name: 'gpu', firstAvailable: [{ name: 'a', deviceClassName: 'c' }] }] } },
    ],
    [
      'a template',
      object(
        'ResourceClaimTemplate',
        { spec: { devices: { requests: [{ name: 'gpu', deviceClassName: 'c' }] } } },
        'v1beta1',
      ),
      { spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'c' } }] } } },
    ],
    [
      'a device',
      object('ResourceSlice', { devices: [{ name: 'a', basic: { attributes: { x: { int: 1 } } } }] }, 'v1beta1'),
      { devices: [{ name: 'a', attributes: { x: { int: 1 } } }] },
    ],
  ])('%s is stored as in v1, and comes back as it was', (_name, served, spec) => {
    const form = definitionOf(served).storedAs;
    const stored = form?.toStored(served);
    expect(stored).toMatchObject({ apiVersion: 'resource.k8s.io/v1', spec });
    expect(stored === undefined ? undefined : form?.fromStored(stored)).toEqual(served);
  });
});
