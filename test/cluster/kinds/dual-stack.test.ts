import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { type Answer, Requests } from './requests.ts';

let cluster: Cluster;
let requests: Requests;
const ask: Requests['ask'] = (...given) => requests.ask(...given);

beforeAll(async () => {
  cluster = await createCluster({
    nodes: 0,
    controllers: [],
    scheduler: false,
    serviceCidr: '10.96.0.0/16,fd00::/108',
  });
  requests = await Requests.of(cluster);
});
afterAll(() => cluster.stop());

const SERVICES = '/api/v1/namespaces/default/services';
const make = (name: string, spec: object) =>
  ask('POST', SERVICES, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });
const change = (name: string, spec: object) =>
  ask('PATCH', `${SERVICES}/${name}`, { spec }, { type: 'application/merge-patch+json' });
const v4 = expect.stringMatching(/^10\.96\./);
const v6 = expect.stringMatching(/^fd00::/);

function expectSpec({ body, code, message }: Answer, spec: object): void {
  expect([message, code < 300]).toEqual(['', true]);
  expect(body['spec']).toMatchObject(spec);
}

test('a service gets a second family and gives it back; the first stays', async () => {
  expectSpec(await make('a', {}), { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIPs: [v4] });
  const both = { ipFamilies: ['IPv4', 'IPv6'], clusterIPs: [v4, v6] };
  expectSpec(await change('a', { ipFamilyPolicy: 'PreferDualStack' }), both);
  expectSpec(await change('a', { ipFamilyPolicy: 'RequireDualStack' }), both);
  expectSpec(await change('a', { ipFamilyPolicy: 'SingleStack' }), { ipFamilies: ['IPv4'], clusterIPs: [v4] });
  const refused = await change('a', { ipFamilies: ['IPv6'] });
  expect(refused.message).toContain('spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set');
  expectSpec(await make('six', { ipFamilies: ['IPv6'] }), { ipFamilyPolicy: 'SingleStack', clusterIPs: [v6] });
});

test('of two that race for one address one is told why not; a change of type gives it back', async () => {
  const clusterIP = '10.96.7.8';
  const answers = await Promise.all([make('b', { clusterIP }), make('c', { clusterIP })]);
  const lost = answers.find(({ code }) => code === 422);
  expect(answers.map(({ code }) => code).toSorted()).toEqual([201, 422]);
  expect(lost?.message).toContain(
    'spec.clusterIPs: Invalid value: ["10.96.7.8"]: failed to allocate IP 10.96.7.8: provided IP is already allocated',
  );
  const winner = answers[0]?.code === 201 ? 'b' : 'c';
  const external = { type: 'ExternalName', externalName: 'x.example.com', clusterIP: null, clusterIPs: null };
  expect((await change(winner, external)).body['spec']).not.toHaveProperty('clusterIP');
  expectSpec(await make('d', { clusterIP }), { clusterIPs: [clusterIP] });
  expectSpec(await change(winner, { type: 'ClusterIP', externalName: null }), { clusterIPs: [v4] });
});

test('TCP and UDP of one service share a node port, which nobody else has until they go', async () => {
  const ports = [
    { name: 't', port: 53, nodePort: 30_100, protocol: 'TCP' },
    { name: 'u', port: 53, nodePort: 30_100, protocol: 'UDP' },
  ];
  expectSpec(await make('e', { type: 'NodePort', ports }), { ports });
  const other = { type: 'NodePort', ports: [{ port: 53, nodePort: 30_100, protocol: 'UDP' }] };
  expect((await make('f', other)).message).toBe(
    'Service "f" is invalid: spec.ports[0].nodePort: Invalid value: 30100: provided port is already allocated',
  );
  expect((await make('f', { type: 'NodePort', ports: [{ port: 53, nodePort: 80 }] })).message).toBe(
    'Service "f" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  );
  await ask('DELETE', `${SERVICES}/e`);
  expectSpec(await make('f', other), { ports: other.ports });
});

test('a health check port belongs to load balancers with local traffic', async () => {
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_112 };
  expect((await make('g', { healthCheckNodePort: 30_112 })).message).toContain(
    "spec.healthCheckNodePort: Invalid value: 30112: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
  );
  expectSpec(await make('g', local), local);
  expect((await make('h', local)).code).toBe(422);
  expect((await change('g', { type: 'NodePort' })).body['spec']).not.toHaveProperty('healthCheckNodePort');
  expectSpec(await make('h', local), local);
});
