import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '#api/generated/types.ts';
import { answerQuestion, type ZoneView } from './zone.ts';

const WEB: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
};
const DB: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'db', namespace: 'default' },
  spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] },
};
const OUTSIDE: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'outside', namespace: 'default' },
  spec: { type: 'ExternalName', externalName: 'example.com' },
};
const DB_SLICE: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'db-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  endpoints: [
    { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.244.0.6'], conditions: { ready: true } },
    { addresses: ['10.244.0.7'], conditions: { ready: false } },
  ],
};

const services = new Map([WEB, DB, OUTSIDE].map((item) => [item.metadata.name, item]));
const view: ZoneView = {
  service: (namespace, name) => (namespace === 'default' ? services.get(name) : undefined),
  hasNamespace: (namespace) => namespace === 'default',
  slices: (_namespace, name) => (name === 'db' ? [DB_SLICE] : []),
  serviceByIp: (ip) => (ip === '10.96.0.7' ? WEB : undefined),
  endpointByIp: (ip) => (ip === '10.244.0.5' ? { slice: DB_SLICE, hostname: 'db-0' } : undefined),
};

function ask(name: string, type = 'A') {
  const answer = answerQuestion({ name, type }, { view, domain: 'cluster.local' });
  if (answer.type !== 'records') return answer.type;
  return answer.answers.map((record) =>
    record.type === 'SRV' ? `SRV ${record.data.target}:${record.data.port}` : `${record.type} ${record.data}`,
  );
}

describe('the cluster zone', () => {
  test.each([
    ['web.default.svc.cluster.local', 'A', ['A 10.96.0.7']],
    ['WEB.Default.svc.cluster.local.', 'A', ['A 10.96.0.7']],
    ['web.default.svc.cluster.local', 'AAAA', 'noData'],
    ['db.default.svc.cluster.local', 'A', ['A 10.244.0.5', 'A 10.244.0.6']],
    ['db-0.db.default.svc.cluster.local', 'A', ['A 10.244.0.5']],
    ['10-244-0-6.db.default.svc.cluster.local', 'A', ['A 10.244.0.6']],
    ['db-9.db.default.svc.cluster.local', 'A', 'noName'],
    ['_http._tcp.web.default.svc.cluster.local', 'SRV', ['SRV web.default.svc.cluster.local:80']],
    ['_http._udp.web.default.svc.cluster.local', 'SRV', 'noName'],
    [
      '_sql._tcp.db.default.svc.cluster.local',
      'SRV',
      ['SRV db-0.db.default.svc.cluster.local:5432', 'SRV 10-244-0-6.db.default.svc.cluster.local:5432'],
    ],
    ['outside.default.svc.cluster.local', 'A', 'alias'],
    ['none.default.svc.cluster.local', 'A', 'noName'],
    ['web.elsewhere.svc.cluster.local', 'A', 'noName'],
    ['10-244-0-5.default.pod.cluster.local', 'A', ['A 10.244.0.5']],
    ['300-1-1-1.default.pod.cluster.local', 'A', 'noName'],
    ['default.svc.cluster.local', 'A', 'noData'],
    ['svc.cluster.local', 'A', 'noData'],
    ['cluster.local', 'A', 'noData'],
    ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
    ['example.com', 'A', 'notOurs'],
    ['web.default.svc.cluster.local.example.com', 'A', 'notOurs'],
    ['7.0.96.10.in-addr.arpa', 'PTR', ['PTR web.default.svc.cluster.local']],
    ['5.0.244.10.in-addr.arpa', 'PTR', ['PTR db-0.db.default.svc.cluster.local']],
    ['1.1.1.1.in-addr.arpa', 'PTR', 'notOurs'],
  ])('%s %s', (name, type, expected) => {
    expect(ask(name, type)).toEqual(expected);
  });
});
