import { describe, expect, test } from 'vitest';
import type { Container, EnvVar, Pod, Service } from '#api/generated/types.ts';
import { testContainer, testPod } from '../testing/test-node.ts';
import { containerEnvironment } from './environment.ts';
import { expandVariables } from './expansion.ts';
import { hostsFile, parseResolvConf, podDns, podHostname } from './network-files.ts';
import { containerResources, podCgroupLimits, podCgroupPath } from './resources.ts';
import { containerSecurity } from './security.ts';

const GIB = 1024 ** 3;

describe('expandVariables', () => {
  test.each([
    ['$(A) and $(B)', '1 and $(B)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$A ${A} $', '$A ${A} $'],
    ['$(A', '$(A'],
  ])('%s', (text, expected) => {
    expect(expandVariables(text, (name) => (name === 'A' ? '1' : undefined))).toBe(expected);
  });
});

describe('containerEnvironment', () => {
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'my-db', namespace: 'default' },
    spec: { clusterIP: '10.96.0.7', ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] },
  };
  const api: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] },
  };

  async function environment(container: Partial<Container>, pod: Partial<Pod['spec']> = {}, services: Service[] = []) {
    const main = testContainer('main', container);
    const made = await containerEnvironment({
      pod: testPod('web', { containers: [main], serviceAccountName: 'robot', ...pod }, { labels: { app: 'x' } }),
      container: main,
      objects: {
        configMap: async (_, name) =>
          name === 'cm' ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data: { a: '1', b: '2' } } : undefined,
        secret: async (_, name) =>
          name === 's' ? { apiVersion: 'v1', kind: 'Secret', metadata: {}, data: { p: 'c2VjcmV0' } } : undefined,
        services: async () => services,
      },
      addresses: { podIps: ['10.1.0.2'], hostIps: ['192.168.0.1'] },
      node: { cpuMillis: 4000, memoryBytes: 8 * GIB, ephemeralBytes: 0 },
    });
    return Object.fromEntries(made);
  }

  test('takes variables from all sources, later ones winning', async () => {
    const env: EnvVar[] = [
      { name: 'P_a', value: 'own' },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'p' } } },
      { name: 'BOTH', value: '$(P_a)-$(SECRET)-$(MISSING)' },
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'ACCOUNT', valueFrom: { fieldRef: { fieldPath: 'spec.serviceAccountName' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'requests.memory', divisor: '1Mi' } } },
      { name: 'OPTIONAL', valueFrom: { configMapKeyRef: { name: 'none', key: 'x', optional: true } } },
      { name: 'EMPTY' },
    ];
    const resources = { requests: { memory: '100M' } };
    const made = await environment({ env, resources, envFrom: [{ prefix: 'P_', configMapRef: { name: 'cm' } }] });
    expect(made).toEqual({
      P_a: 'own',
      P_b: '2',
      SECRET: 'secret',
      BOTH: 'own-secret-$(MISSING)',
      NAME: 'web',
      LABEL: 'x',
      IP: '10.1.0.2',
      ACCOUNT: 'robot',
      CPU: '4',
      MEMORY: '96',
      EMPTY: '',
    });
  });

  test('names services as Docker links did', async () => {
    expect(await environment({}, {}, [service, api])).toMatchObject({
      MY_DB_SERVICE_HOST: '10.96.0.7',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL: '5432',
      MY_DB_PORT: 'tcp://10.96.0.7:5432',
      MY_DB_PORT_5432_TCP: 'tcp://10.96.0.7:5432',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
      MY_DB_PORT_5432_TCP_PORT: '5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.0.7',
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
    });
    const unlinked = await environment({}, { enableServiceLinks: false }, [service, api]);
    expect(unlinked['MY_DB_SERVICE_HOST']).toBeUndefined();
    expect(unlinked['KUBERNETES_SERVICE_PORT_HTTPS']).toBe('443');
  });

  test.each<[Partial<Container>, string]>([
    [{ env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'x' } } }] }, 'secret "none" not found'],
    [
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'x' } } }] },
      "couldn't find key x in ConfigMap default/cm",
    ],
    [{ envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
  ])('says what is missing: %j', async (container, message) => {
    await expect(environment(container)).rejects.toThrow(message);
  });
});

describe('resources', () => {
  const container = (requests: Record<string, string>, limits: Record<string, string> = {}) =>
    testContainer('main', { resources: { requests, limits } });

  test.each<[string, Container, object]>([
    ['nothing asked for', testContainer('main'), { cpuShares: 2, oomScoreAdj: 1000 }],
    ['requests', container({ cpu: '500m', memory: '1Gi' }), { cpuShares: 512, oomScoreAdj: 875 }],
    [
      'limits',
      container({ cpu: '1', memory: '1Gi' }, { cpu: '2', memory: '2Gi' }),
      { cpuShares: 1024, cpuQuota: 200_000, memoryLimitInBytes: 2 * GIB },
    ],
    ['guaranteed', container({ cpu: '1', memory: '1Gi' }, { cpu: '1', memory: '1Gi' }), { oomScoreAdj: -997 }],
    ['hardly any processor', container({}, { cpu: '1m' }), { cpuQuota: 1000, cpuShares: 2 }],
  ])('of a container with %s', (_name, main, expected) => {
    expect(containerResources(testPod('p', { containers: [main] }), main, 8 * GIB)).toMatchObject(expected);
  });

  test('of a pod: its group, and limits where all containers have them', () => {
    const one = container({ cpu: '250m', memory: '64Mi' }, { cpu: '500m', memory: '128Mi' });
    const pod = testPod('p', { containers: [one, { ...one, name: 'other' }] });
    expect(podCgroupPath(pod, '/root')).toBe('/root/kubepods/burstable/poduid-p');
    expect(podCgroupPath(testPod('p'), '')).toBe('/kubepods/besteffort/poduid-p');
    expect(podCgroupLimits(pod)).toEqual({
      cpuShares: 512,
      cpuQuotaMicros: 100_000,
      cpuPeriodMicros: 100_000,
      memoryBytes: 256 * 1024 * 1024,
    });
    expect(podCgroupLimits(testPod('p', { containers: [one, testContainer('free')] }))).toEqual({ cpuShares: 256 });
  });
});

describe('names and DNS of a pod', () => {
  const options = {
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    nodeResolvConf: 'nameserver 1.1.1.1\nsearch lan.\noptions edns0',
  };

  test.each<[string, Partial<Pod['spec']>, object]>([
    [
      'ClusterFirst',
      {},
      {
        servers: ['10.96.0.10'],
        searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'],
        options: ['ndots:5'],
      },
    ],
    ['Default', { dnsPolicy: 'Default' }, { servers: ['1.1.1.1'], searches: ['lan'], options: ['edns0'] }],
    [
      'ClusterFirst on the host network',
      { hostNetwork: true },
      { servers: ['1.1.1.1'], searches: ['lan'], options: ['edns0'] },
    ],
    [
      'ClusterFirstWithHostNet',
      { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
      { servers: ['10.96.0.10'] },
    ],
    [
      'None with a configuration',
      {
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['9.9.9.9'], searches: ['x'], options: [{ name: 'ndots', value: '1' }] },
      },
      { servers: ['9.9.9.9'], searches: ['x'], options: ['ndots:1'] },
    ],
    [
      'more options',
      { dnsConfig: { options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] } },
      { options: ['ndots:2', 'edns0'] },
    ],
  ])('%s', (_name, spec, expected) => {
    expect(podDns(testPod('p', spec), options)).toMatchObject(expected);
  });

  test('reads a resolver configuration', () => {
    const text = '# x\nnameserver ::1\nsearch a b\nsearch c\noptions ndots:2 timeout:1\n';
    expect(parseResolvConf(text)).toEqual({ servers: ['::1'], searches: ['c'], options: ['ndots:2', 'timeout:1'] });
  });

  test('writes the hosts file, with aliases', () => {
    const pod = testPod('web-0', { subdomain: 'db', hostAliases: [{ ip: '1.2.3.4', hostnames: ['foo', 'bar'] }] });
    const name = podHostname(pod, 'cluster.local');
    const text = hostsFile(pod, { ips: ['10.1.0.2'], name, nodeHosts: '' });
    expect(text).toMatch(/^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
    expect(text).toContain('10.1.0.2\tweb-0.db.default.svc.cluster.local\tweb-0\n');
    expect(text).toMatch(/# Entries added by HostAliases\.\n1\.2\.3\.4\tfoo\tbar\n$/);
    expect(hostsFile(testPod('p', { hostNetwork: true }), { ips: [], name, nodeHosts: '127.0.0.1 me\n' })).toBe(
      '# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n',
    );
  });

  test('cuts long names and refuses long qualified ones', () => {
    const long = `${'a'.repeat(62)}-b`;
    expect(podHostname(testPod(long), 'cluster.local').hostname).toBe('a'.repeat(62));
    const pod = testPod(long, { subdomain: 'db', setHostnameAsFQDN: true });
    expect(() => podHostname(pod, 'cluster.local')).toThrow('is too long (64 characters is the max');
  });
});

describe('containerSecurity', () => {
  const image = { id: 'i', repoTags: [], repoDigests: [], sizeBytes: 1, username: '', pinned: false };

  test('puts the container before the pod before the image', () => {
    const main = testContainer('main', { securityContext: { runAsUser: 5, allowPrivilegeEscalation: false } });
    const pod = testPod('p', {
      containers: [main],
      securityContext: { runAsUser: 7, runAsGroup: 8, fsGroup: 9, supplementalGroups: [3] },
    });
    expect(containerSecurity(pod, main, { image })).toMatchObject({
      runAsUser: 5,
      runAsGroup: 8,
      supplementalGroups: [3, 9],
      noNewPrivs: true,
      seccomp: { profileType: 'Unconfined' },
      namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
    });
    const plain = testContainer('main');
    expect(containerSecurity(testPod('p'), plain, { image: { ...image, uid: 33 } }).runAsUser).toBe(33);
    expect(containerSecurity(testPod('p'), plain, { image: { ...image, username: 'www' } }).runAsUsername).toBe('www');
  });

  test('shows a privileged container everything', () => {
    const main = testContainer('main', { securityContext: { privileged: true } });
    expect(containerSecurity(testPod('p'), main, { image })).toMatchObject({
      privileged: true,
      maskedPaths: [],
      readonlyPaths: [],
    });
  });
});
