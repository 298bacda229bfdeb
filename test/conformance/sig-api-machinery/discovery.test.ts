import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';

interface GroupList {
  readonly kind: string;
  readonly groups: readonly {
    readonly name: string;
    readonly versions: readonly { groupVersion: string; version: string }[];
    readonly preferredVersion: { groupVersion: string; version: string };
  }[];
}

interface ResourceList {
  readonly kind: string;
  readonly groupVersion: string;
  readonly resources: readonly { name: string; kind: string; verbs: readonly string[]; namespaced: boolean }[];
}

interface AggregatedDiscovery {
  readonly apiVersion: string;
  readonly kind: string;
  readonly items: readonly {
    readonly metadata: { name?: string };
    readonly versions: readonly {
      version: string;
      resources: readonly { resource: string; verbs: readonly string[]; scope: string }[];
    }[];
  }[];
}

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

conformanceTest('[sig-api-machinery] server version should find the server version [Conformance]', async ({ api }) => {
  const version = await api.call<Record<string, string>>('GET', '/version');
  expect(Number.parseInt(version['major'] ?? '', 10)).toBeGreaterThanOrEqual(1);
  expect((version['minor'] ?? '').replace(/\D/g, '')).toMatch(/^\d+$/);
});

conformanceTest(
  '[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]',
  async ({ api }) => {
    const { groups } = await api.call<GroupList>('GET', '/apis');
    expect(groups.length).toBeGreaterThan(0);
    for (const { name } of groups) {
      const group = await api.call<GroupList['groups'][number]>('GET', `/apis/${name}`);
      expect(group.preferredVersion.groupVersion).toMatch(new RegExp(`^${name}/`));
      const match = group.versions.find(({ groupVersion }) => groupVersion === group.preferredVersion.groupVersion);
      expect(match, name).toEqual(group.preferredVersion);
    }
  },
);

conformanceTest(
  '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup [Conformance]',
  async ({ api }) => {
    const wanted = [
      ['admissionregistration.k8s.io', 'v1', 'validatingwebhookconfigurations'],
      ['apiextensions.k8s.io', 'v1', 'customresourcedefinitions'],
      ['apiregistration.k8s.io', 'v1', 'apiservices'],
      ['apps', 'v1', 'deployments'],
      ['authentication.k8s.io', 'v1', 'tokenreviews'],
      ['authorization.k8s.io', 'v1', 'selfsubjectaccessreviews'],
      ['autoscaling', 'v1', 'horizontalpodautoscalers'],
      ['autoscaling', 'v2', 'horizontalpodautoscalers'],
      ['batch', 'v1', 'jobs'],
      ['certificates.k8s.io', 'v1', 'certificatesigningrequests'],
      ['coordination.k8s.io', 'v1', 'leases'],
      ['discovery.k8s.io', 'v1', 'endpointslices'],
      ['events.k8s.io', 'v1', 'events'],
      ['networking.k8s.io', 'v1', 'ingresses'],
      ['node.k8s.io', 'v1', 'runtimeclasses'],
      ['policy', 'v1', 'poddisruptionbudgets'],
      ['rbac.authorization.k8s.io', 'v1', 'roles'],
      ['scheduling.k8s.io', 'v1', 'priorityclasses'],
      ['storage.k8s.io', 'v1', 'csinodes'],
    ] as const;
    const { groups } = await api.call<GroupList>('GET', '/apis');
    for (const [group, version, resource] of wanted) {
      const found = groups.find(({ name }) => name === group);
      expect(
        found?.versions.map(({ groupVersion }) => groupVersion),
        group,
      ).toContain(`${group}/${version}`);
      const list = await api.call<ResourceList>('GET', `/apis/${group}/${version}`);
      expect(list.kind).toBe('APIResourceList');
      expect(list.groupVersion).toBe(`${group}/${version}`);
      expect(list.resources.map(({ name }) => name)).toContain(resource);
    }
  },
);

conformanceTest(
  '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]',
  async ({ api }) => {
    const legacy = await api.call<AggregatedDiscovery>('GET', '/api', { accept: AGGREGATED });
    const named = await api.call<AggregatedDiscovery>('GET', '/apis', { accept: AGGREGATED });
    const resourcesOf = (group: string, version: string) => {
      const item = [...legacy.items, ...named.items].find(({ metadata }) => (metadata.name ?? '') === group);
      return item?.versions
        .find((candidate) => candidate.version === version)
        ?.resources.map(({ resource }) => resource);
    };
    expect(resourcesOf('', 'v1')).toEqual(expect.arrayContaining(['namespaces', 'pods', 'configmaps', 'services']));
    expect(resourcesOf('apps', 'v1')).toEqual(
      expect.arrayContaining(['deployments', 'replicasets', 'statefulsets', 'daemonsets']),
    );
    expect(resourcesOf('admissionregistration.k8s.io', 'v1')).toEqual(
      expect.arrayContaining(['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']),
    );
    expect(resourcesOf('apiextensions.k8s.io', 'v1')).toContain('customresourcedefinitions');
    expect(resourcesOf('apiregistration.k8s.io', 'v1')).toContain('apiservices');
  },
);

conformanceTest(
  '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers [Conformance]',
  async ({ api }) => {
    for (const path of ['/api', '/apis']) {
      const answer = await api.raw<AggregatedDiscovery>('GET', path, { accept: AGGREGATED });
      expect(answer.code).toBe(200);
      expect(answer.headers['content-type']).toBe(AGGREGATED);
      expect(answer.body).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
      expect(answer.body.items.length).toBeGreaterThan(0);
      const plain = await api.raw<{ kind: string }>('GET', path, { accept: 'application/json' });
      expect(plain.body.kind).toBe(path === '/api' ? 'APIVersions' : 'APIGroupList');
    }
  },
);

conformanceTest(
  '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata [Conformance]',
  async ({ api }) => {
    const answer = await api.raw('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { namespace: 'default', verb: 'list', resource: 'pods' } },
      },
    });
    expect(answer.code).toBe(406);
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'NotAcceptable' });
  },
);
