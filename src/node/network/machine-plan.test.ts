import { describe, expect, test } from 'vitest';
import { chooseRange, overlaps, planMachineNetwork } from './machine-plan.ts';

describe('overlaps', () => {
  test.each([
    ['10.0.0.0/8', '10.244.0.0/16', true],
    ['10.244.0.0/16', '10.245.0.0/16', false],
    ['172.30.0.0/24', '172.30.0.7', true],
    ['0.0.0.0/0', '192.0.2.1', true],
    ['fe80::/64', '10.0.0.0/8', false],
  ])('%s and %s: %s', (left, right, expected) => {
    expect(overlaps(left, right)).toBe(expected);
    expect(overlaps(right, left)).toBe(expected);
  });
});

describe('planMachineNetwork', () => {
  const options = {
    clusterId: '/var/lib/tiphys',
    nodeNames: ['a', 'b'],
    podCidr: '10.244.0.0/16',
    serviceCidr: '10.96.0.0/16',
    usedPrefixes: ['172.30.0.1/24', '192.0.2.0/24'],
  };

  test('takes a free subnet and gives every node an address', () => {
    const plan = planMachineNetwork(options);
    expect(plan.subnet).toBe('172.30.1.0/24');
    expect(plan.nodes.map((node) => node.ip)).toEqual(['172.30.1.10', '172.30.1.11']);
  });

  test('interface names fit the kernel and differ between clusters', () => {
    const plan = planMachineNetwork(options);
    const other = planMachineNetwork({ ...options, clusterId: '/elsewhere' });
    expect(plan.bridge).not.toBe(other.bridge);
    for (const name of [plan.bridge, ...plan.nodes.map((node) => node.link)]) expect(name.length).toBeLessThan(16);
  });

  test('refuses more nodes than the subnet has room for', () => {
    const nodeNames = Array.from({ length: 201 }, (_, index) => `n${index}`);
    expect(() => planMachineNetwork({ ...options, nodeNames })).toThrow('at most 200');
  });
});

test('chooseRange takes the first that touches nothing', () => {
  expect(chooseRange(['10.96.0.0/16', '10.97.0.0/16'], ['10.96.3.0/24'])).toBe('10.97.0.0/16');
  expect(() => chooseRange(['10.96.0.0/16'], ['10.0.0.0/8'])).toThrow('no free address range');
});
