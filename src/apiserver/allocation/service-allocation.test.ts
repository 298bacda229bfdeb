import { describe, expect, test } from 'vitest';
import type { Service, ServiceSpec } from '#api/generated/types.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { FakeViews } from '../admission/fake-views.ts';
import { AddressRange } from './address-range.ts';
import { Allocator } from './allocator.ts';
import { serviceAllocation } from './service-allocation.ts';

function service(name: string, spec: ServiceSpec = {}): Service {
  return { kind: 'Service', apiVersion: 'v1', metadata: { name, namespace: 'a' }, spec };
}

function setUp(options: { serviceCidrs?: string[]; nodePortRange?: { first: number; last: number } } = {}) {
  const views = new FakeViews();
  const random = new SeededRandom('services');
  const hook = serviceAllocation({ services: views.view('', 'services'), random, ...options });
  const write = (object: Service, oldObject?: Service) => {
    const operation = oldObject === undefined ? 'CREATE' : 'UPDATE';
    return hook({ operation, object, dryRun: false, ...(oldObject && { oldObject }) });
  };
  const store = (object: Service, oldObject?: Service) => {
    const end = write(object, oldObject);
    views.put('', 'services', structuredClone(object));
    end?.('committed');
    return object.spec ?? {};
  };
  return { views, write, store };
}

const port = (fields: object = {}) => ({ port: 80, protocol: 'TCP', ...fields });

describe('AddressRange', () => {
  test('counts from the first usable address, without network and broadcast', () => {
    const range = new AddressRange('10.96.0.0/16');
    expect([range.size, range.at(0), range.at(9), range.at(65_533)]).toEqual([
      65_534,
      '10.96.0.1',
      '10.96.0.10',
      '10.96.255.254',
    ]);
    expect(range.positionOf('10.96.255.255')).toBeUndefined();
    expect(range.positionOf('10.97.0.1')).toBeUndefined();
    const six = new AddressRange('fd00:10:96::/112');
    expect([six.family, six.at(0), six.positionOf('fd00:10:96:0::a')]).toEqual(['IPv6', 'fd00:10:96::1', 9]);
    expect(() => new AddressRange('10.0.0.0')).toThrow(RangeError);
  });
});

describe('Allocator', () => {
  test('leaves the lower band for last and ends when full', () => {
    const allocator = new Allocator({ size: 20, bandStart: 16 });
    const random = new SeededRandom(1);
    const first = Array.from({ length: 4 }, () => allocator.takeAny(random));
    expect(new Set(first)).toEqual(new Set([16, 17, 18, 19]));
    expect(Array.from({ length: 16 }, () => allocator.takeAny(random)).every((value) => (value ?? 99) < 16)).toBe(true);
    expect(allocator.takeAny(random)).toBeUndefined();
    allocator.release(3);
    expect(allocator.takeAny(random)).toBe(3);
  });
});

describe('serviceAllocation', () => {
  test('gives an address out of the dynamic band, and families', () => {
    const { store } = setUp();
    const spec = store(service('web'));
    expect(spec.clusterIP).toMatch(/^10\.96\./);
    expect(new AddressRange('10.96.0.0/16').positionOf(spec.clusterIP ?? '')).toBeGreaterThanOrEqual(256);
    expect(spec).toMatchObject({ clusterIPs: [spec.clusterIP], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
  });

  test('takes the address asked for, once', () => {
    const { views, write, store } = setUp();
    const first = service('dns', { clusterIP: '10.96.0.10' });
    expect(store(first).clusterIPs).toEqual(['10.96.0.10']);
    expect(() => write(service('thief', { clusterIP: '10.96.0.10' }))).toThrow(
      'Service "thief" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: ' +
        'provided IP is already allocated',
    );
    expect(() => write(service('far', { clusterIP: '10.1.0.1' }))).toThrow(
      'the provided IP (10.1.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    );
    views.remove('', 'services', first);
    expect(store(service('heir', { clusterIP: '10.96.0.10' })).clusterIP).toBe('10.96.0.10');
  });

  test('gives back what a failed write reserved', () => {
    const { write } = setUp();
    write(service('x', { clusterIP: '10.96.0.10' }))?.('failed');
    expect(() => write(service('y', { clusterIP: '10.96.0.10' }))).not.toThrow();
  });

  test('headless and external services get none', () => {
    const { store } = setUp();
    expect(store(service('h', { clusterIP: 'None', selector: { a: 'b' } }))).toMatchObject({
      clusterIP: 'None',
      clusterIPs: ['None'],
      ipFamilyPolicy: 'SingleStack',
    });
    expect(store(service('n', { clusterIP: 'None' }))).toMatchObject({
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    });
    expect(store(service('e', { type: 'ExternalName', externalName: 'x.test' })).clusterIP).toBeUndefined();
  });

  test('node ports: any, this one, taken, out of range, shared between protocols', () => {
    const { write, store } = setUp();
    const spec = store(service('web', { type: 'NodePort', ports: [port()] }));
    const given = spec.ports?.[0]?.nodePort ?? 0;
    expect(given).toBeGreaterThanOrEqual(30_086);
    expect(given).toBeLessThanOrEqual(32_767);
    const taken = service('x', { type: 'NodePort', ports: [port({ nodePort: given })] });
    expect(() => write(taken)).toThrow(
      `Service "x" is invalid: spec.ports[0].nodePort: Invalid value: ${given}: provided port is already allocated`,
    );
    expect(() => write(service('x', { type: 'NodePort', ports: [port({ nodePort: 80 })] }))).toThrow(
      'provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
    const dns = store(
      service('dns', { type: 'NodePort', ports: [port({ port: 53 }), port({ port: 53, protocol: 'UDP' })] }),
    );
    expect(dns.ports?.[0]?.nodePort).toBe(dns.ports?.[1]?.nodePort);
  });

  test('an update keeps what was allocated, a change of type gives it back', () => {
    const { write, store } = setUp();
    const old = service('web', { type: 'NodePort', ports: [port()] });
    const before = structuredClone(store(old));
    const same = service('web', { type: 'NodePort', ports: [port()] });
    expect(store(same, old)).toEqual(before);
    const inner = service('web', { ...structuredClone(before), type: 'ClusterIP' });
    const after = store(inner, same);
    expect(after.ports?.[0]?.nodePort).toBeUndefined();
    expect(after.clusterIP).toBe(before.clusterIP);
    const nodePort = before.ports?.[0]?.nodePort ?? 0;
    write(service('other', { type: 'NodePort', ports: [port({ nodePort })] }));
    const outer = service('web', { ...structuredClone(after), type: 'ExternalName', externalName: 'x.test' });
    expect(store(outer, inner).clusterIP).toBeUndefined();
    write(service('heir', { clusterIP: before.clusterIP ?? '' }));
  });

  test('says when a range is full', () => {
    const { store } = setUp({ serviceCidrs: ['10.0.0.0/30'], nodePortRange: { first: 30_000, last: 30_000 } });
    store(service('a', { type: 'NodePort', ports: [port()] }));
    store(service('b'));
    expect(() => store(service('c'))).toThrow('Internal error occurred: failed to allocate a serviceIP: range is full');
  });

  test('refuses families that the cluster does not have', () => {
    const { write } = setUp();
    expect(() => write(service('six', { ipFamilies: ['IPv6'] }))).toThrow(
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    );
    const two = setUp({ serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] });
    const spec = two.store(service('both', { ipFamilyPolicy: 'PreferDualStack' }));
    expect(spec.ipFamilies).toEqual(['IPv4', 'IPv6']);
    expect(spec.clusterIPs?.[1]).toMatch(/^fd00:10:96::/);
  });

  test('is rebuilt from the stored services', () => {
    const { views } = setUp();
    views.put('', 'services', service('old', { clusterIP: '10.96.0.77', clusterIPs: ['10.96.0.77'] }));
    const hook = serviceAllocation({ services: views.view('', 'services'), random: new SeededRandom(1) });
    const thief = service('thief', { clusterIP: '10.96.0.77' });
    expect(() => hook({ operation: 'CREATE', object: thief, dryRun: false })).toThrow('already allocated');
  });
});
