import { describe, expect, test } from 'vitest';
import type { Route } from '../routes.ts';
import { NftablesBackend } from './nftables-backend.ts';
import { renderBase, renderChanges } from './render.ts';

const OPTIONS = { clusterCidr: '10.244.0.0/16', localServiceIps: ['10.96.0.10'] };

const ROUTE: Route = {
  id: 'default/web:http',
  protocol: 'tcp',
  clusterIps: ['10.96.0.7'],
  port: 80,
  nodePort: 30_080,
  externalIps: [],
  endpoints: [
    { ip: '10.244.0.2', port: 8080, nodeName: 'a' },
    { ip: '10.244.0.3', port: 8080, nodeName: 'a' },
  ],
  externalEndpoints: [{ ip: '10.244.0.2', port: 8080, nodeName: 'a' }],
  keepsSource: false,
  affinitySeconds: 0,
};

describe('nftables rendering', () => {
  test('the base replaces the table and leaves the DNS address alone', () => {
    const base = renderBase(OPTIONS);
    expect(base).toContain('delete table ip tiphys-proxy');
    expect(base).toContain('set local-service-ips { type ipv4_addr; elements = { 10.96.0.10 }; }');
  });

  test('a new route makes its chains before the map elements that lead to them', () => {
    const lines = renderChanges([{ next: ROUTE }], OPTIONS)
      .trim()
      .split('\n');
    const firstElement = lines.findIndex((line) => line.includes('service-ips {'));
    const lastChain = lines.findLastIndex((line) => line.startsWith('add chain'));
    expect(firstElement).toBeGreaterThan(lastChain);
    expect(lines.find((line) => line.includes('service-ips {'))).toMatch(/\{ 10\.96\.0\.7 \. tcp \. 80 : goto svc-/);
    expect(lines.find((line) => line.includes('node-ports {'))).toMatch(/\{ tcp \. 30080 : goto ext-/);
    expect(lines.filter((line) => line.includes('numgen random mod 2'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('dnat to 10.244.0.3:8080'))).toHaveLength(1);
  });

  test('a route without endpoints is refused, not ignored', () => {
    const script = renderChanges([{ next: { ...ROUTE, endpoints: [], externalEndpoints: [] } }], OPTIONS);
    expect(script).toContain('refused-ips { 10.96.0.7 . tcp . 80 : goto refuse }');
    expect(script).toContain('refused-node-ports { tcp . 30080 : goto refuse }');
    expect(script).not.toContain('add chain');
  });

  test('a route that goes takes back exactly what it added', () => {
    const added = renderChanges([{ next: ROUTE }], OPTIONS)
      .trim()
      .split('\n');
    const removed = renderChanges([{ previous: ROUTE }], OPTIONS)
      .trim()
      .split('\n');
    const names = (lines: string[], verb: string) =>
      lines.flatMap((line) => (line.startsWith(`${verb} chain`) ? (line.split(' ').at(-1) ?? '') : [])).sort();
    expect(names(removed, 'delete')).toEqual(names(added, 'add'));
    expect(names(removed, 'flush')).toEqual(names(added, 'add'));
    expect(removed.filter((line) => line.startsWith('delete element'))).toHaveLength(2);
  });

  test('a changed route is unlinked, removed and made anew in one script', () => {
    const script = renderChanges([{ previous: ROUTE, next: { ...ROUTE, port: 81 } }], OPTIONS);
    expect(script.indexOf('delete element')).toBeLessThan(script.indexOf('delete chain'));
    expect(script.indexOf('delete chain')).toBeLessThan(script.indexOf('add chain'));
  });

  test('endpoints that stay keep their chains and the clients they remember', () => {
    const previous = { ...ROUTE, affinitySeconds: 60 };
    const [first, second] = previous.endpoints;
    const third = { ip: '10.244.0.4', port: 8080, nodeName: 'a' };
    const next = { ...previous, endpoints: [second, third].filter((one) => one !== undefined), externalEndpoints: [] };
    const script = renderChanges([{ previous, next }], OPTIONS);
    const lines = script.split('\n');
    expect(lines.filter((line) => line.startsWith('delete set'))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('add set'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('dnat to'))).toEqual([
      expect.stringContaining(`dnat to ${third.ip}:8080`),
    ]);
    expect(lines.filter((line) => / saddr @aff-/.test(line))).toHaveLength(2);
    expect(first?.ip).toBe('10.244.0.2');
  });

  test('another affinity time makes the endpoints anew', () => {
    const script = renderChanges([{ previous: { ...ROUTE, affinitySeconds: 60 }, next: ROUTE }], OPTIONS);
    expect(script.split('\n').filter((line) => line.startsWith('delete set'))).toHaveLength(2);
    expect(script).not.toContain('add set');
  });

  test('no change renders to nothing', () => {
    expect(renderChanges([], OPTIONS)).toBe('');
  });
});

describe('NftablesBackend', () => {
  test('hairpins hold the addresses of the endpoints there are, and of no others', async () => {
    const scripts: string[] = [];
    const backend = new NftablesBackend({
      run: async (_command, _args, options) => {
        scripts.push(String(options?.input ?? ''));
        return { stdout: '', stderr: '' };
      },
      options: OPTIONS,
    });
    const other = { ...ROUTE, id: 'default/other:http', clusterIps: ['10.96.0.8'], nodePort: 0 };
    await backend.apply([{ next: ROUTE }, { next: other }]);
    expect(scripts.at(-1)).toContain('add element ip tiphys-proxy hairpins { 10.244.0.2 . 10.244.0.2, 10.244.0.3 . 10');
    await backend.apply([{ previous: ROUTE }]);
    expect(scripts.at(-1)).not.toContain('hairpins');
    const next = { ...other, endpoints: other.endpoints.slice(0, 1) };
    await backend.apply([{ previous: other, next }]);
    expect(scripts.at(-1)).toContain('delete element ip tiphys-proxy hairpins { 10.244.0.3 . 10.244.0.3 }');
    await backend.apply([{ previous: next }]);
    expect(scripts.at(-1)).toContain('delete element ip tiphys-proxy hairpins { 10.244.0.2 . 10.244.0.2 }');
  });
});
