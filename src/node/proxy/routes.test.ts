import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '#api/generated/types.ts';
import { routesOf } from './routes.ts';

function service(spec: NonNullable<Service['spec']>): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec };
}

function slice(endpoints: NonNullable<EndpointSlice['endpoints']>, port = 8080, portName = 'http'): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: portName, port, protocol: 'TCP' }],
  };
}

const CLUSTER_IP = { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ports: [{ name: 'http', port: 80 }] };

describe('routesOf', () => {
  test('routes a cluster IP to ready endpoints, sorted', () => {
    const slices = [
      slice([
        { addresses: ['10.244.0.9'], nodeName: 'a', conditions: { ready: true } },
        { addresses: ['10.244.0.3'], nodeName: 'b', conditions: { ready: true } },
        { addresses: ['10.244.0.4'], nodeName: 'b', conditions: { ready: false } },
      ]),
    ];
    const [route] = routesOf(service(CLUSTER_IP), slices, 'a');
    expect(route?.id).toBe('default/web:http');
    expect(route?.endpoints.map(({ ip, port }) => `${ip}:${port}`)).toEqual(['10.244.0.3:8080', '10.244.0.9:8080']);
  });

  test('falls back to endpoints that still serve while they terminate', () => {
    const slices = [
      slice([
        { addresses: ['10.244.0.3'], conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['10.244.0.4'], conditions: { ready: false, serving: false, terminating: true } },
      ]),
    ];
    const [route] = routesOf(service(CLUSTER_IP), slices, 'a');
    expect(route?.endpoints.map(({ ip }) => ip)).toEqual(['10.244.0.3']);
  });

  test('keeps to the own node where a traffic policy is Local', () => {
    const slices = [
      slice([
        { addresses: ['10.244.0.3'], nodeName: 'a' },
        { addresses: ['10.244.1.3'], nodeName: 'b' },
      ]),
    ];
    const spec = { ...CLUSTER_IP, internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' };
    const [route] = routesOf(service(spec), slices, 'b');
    expect(route?.endpoints.map(({ ip }) => ip)).toEqual(['10.244.1.3']);
    expect(route?.externalEndpoints.map(({ ip }) => ip)).toEqual(['10.244.1.3']);
    expect(route?.keepsSource).toBe(true);
  });

  test.each([
    ['a headless service', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ port: 80 }] }],
    ['an external name', { type: 'ExternalName', externalName: 'example.com' }],
    ['a service without an address yet', { ports: [{ port: 80 }] }],
  ])('has no route for %s', (_name, spec) => {
    expect(routesOf(service(spec), [], 'a')).toEqual([]);
  });

  test('takes the affinity time, with its default', () => {
    const sticky = { ...CLUSTER_IP, sessionAffinity: 'ClientIP' };
    expect(routesOf(service(sticky), [], 'a')[0]?.affinitySeconds).toBe(10_800);
    const shorter = { ...sticky, sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
    expect(routesOf(service(shorter), [], 'a')[0]?.affinitySeconds).toBe(60);
  });
});
