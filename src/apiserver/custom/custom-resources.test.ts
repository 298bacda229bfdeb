import { describe, expect, test } from 'vitest';
import { CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES } from '#api/generated/resources.ts';
import type { CustomResourceDefinition } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { type TestServer, startTestServer, underVirtualTime } from '../testing/test-server.ts';

interface CronTab extends KubeObject {
  spec: { cronSpec?: string; image?: string; replicas?: number; [extra: string]: unknown };
  status?: Record<string, unknown>;
}

const CRON_TABS: ResourceType<CronTab> = {
  group: 'stable.example.com',
  version: 'v1',
  resource: 'crontabs',
  kind: 'CronTab',
  namespaced: true,
};

function definition(change: (crd: CustomResourceDefinition) => void = () => {}): CustomResourceDefinition {
  const crd: CustomResourceDefinition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab', shortNames: ['ct'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
          },
          additionalPrinterColumns: [{ name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  required: ['cronSpec'],
                  properties: {
                    cronSpec: { type: 'string', pattern: String.raw`^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$` },
                    image: { type: 'string', default: 'busybox' },
                    replicas: { type: 'integer', minimum: 1, maximum: 10 },
                  },
                },
                status: { type: 'object', properties: { replicas: { type: 'integer' } } },
              },
            },
          },
        },
      ],
    },
  };
  change(crd);
  return crd;
}

function cronTab(name: string, spec: CronTab['spec']): CronTab {
  return { apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name, namespace: 'default' }, spec };
}

async function served(steps: (server: TestServer) => Promise<void>): Promise<void> {
  await underVirtualTime('custom resources', async (executor) => {
    await using server = await startTestServer(executor);
    await server.client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'default' },
      spec: {},
    });
    await server.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition());
    await executor.clock.sleep(10);
    await steps(server);
  });
}

const MIDNIGHT = '0 0 * * *';

describe('Custom resources', () => {
  test('are served once their definition is established', () =>
    served(async ({ client }) => {
      const crd = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'crontabs.stable.example.com' });
      expect(crd.status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual([
        ['NamesAccepted', 'True', 'NoConflicts'],
        ['Established', 'True', 'InitialNamesAccepted'],
      ]);
      expect(crd.status?.acceptedNames).toEqual({
        kind: 'CronTab',
        listKind: 'CronTabList',
        plural: 'crontabs',
        shortNames: ['ct'],
        singular: 'crontab',
      });
      const created = await client.create(CRON_TABS, cronTab('a', { cronSpec: MIDNIGHT, unknown: 1 }));
      expect(created.spec).toEqual({ cronSpec: MIDNIGHT, image: 'busybox' });
      expect(created.metadata.generation).toBe(1);
      const listed = await client.list(CRON_TABS, { namespace: 'default' });
      expect(listed.items).toHaveLength(1);
    }));

  test('are validated in upstream words', () =>
    served(async ({ client }) => {
      const bad = cronTab('bad', { cronSpec: 'x', replicas: 11 });
      await expect(client.create(CRON_TABS, bad)).rejects.toThrow(
        'CronTab.stable.example.com "bad" is invalid: [spec.cronSpec: Invalid value: "x": spec.cronSpec in body ' +
          String.raw`should match '^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$', ` +
          'spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10]',
      );
      await expect(client.create(CRON_TABS, cronTab('bad', {}))).rejects.toThrow(
        'CronTab.stable.example.com "bad" is invalid: spec.cronSpec: Required value',
      );
    }));

  test('keep their kind, whatever a patch says', () =>
    served(async ({ client }) => {
      await client.create(CRON_TABS, cronTab('kept', { cronSpec: MIDNIGHT }));
      const name = { name: 'kept', namespace: 'default' };
      await expect(client.patch(CRON_TABS, name, { type: 'merge', body: { kind: 'Other' } })).rejects.toMatchObject({
        code: 422,
        message: 'Other.stable.example.com "kept" is invalid: kind: Invalid value: "Other": must be CronTab',
      });
    }));

  test('have a status of definitions that the server itself wrote', () =>
    served(async ({ client }) => {
      const crd = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'crontabs.stable.example.com' });
      const managers = crd.metadata.managedFields?.filter(({ subresource }) => subresource === 'status');
      expect(managers?.map(({ manager }) => manager)).toEqual(['kube-apiserver']);
    }));

  test('go with their definition', () =>
    served(async ({ client, executor }) => {
      await client.create(CRON_TABS, cronTab('a', { cronSpec: MIDNIGHT }));
      await client.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: 'crontabs.stable.example.com' });
      await executor.clock.sleep(10);
      await expect(client.list(CRON_TABS, {})).rejects.toThrow('the server could not find the requested resource');
      const { items } = await client.list(CUSTOM_RESOURCE_DEFINITIONS, {});
      expect(items).toEqual([]);
    }));
});

type Version = CustomResourceDefinition['spec']['versions'][number];

function versionNamed(crd: CustomResourceDefinition, name: string): Version {
  const [first] = crd.spec.versions;
  if (first === undefined) throw new Error('the definition has a version');
  return { ...structuredClone(first), name, storage: false };
}

async function updateDefinition(
  { client, executor }: TestServer,
  change: (crd: CustomResourceDefinition) => void,
): Promise<void> {
  const crd = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'crontabs.stable.example.com' });
  const next = structuredClone(crd);
  change(next);
  await client.update(CUSTOM_RESOURCE_DEFINITIONS, next);
  await executor.clock.sleep(10);
}

function specProperties(crd: CustomResourceDefinition): Record<string, object> {
  return crd.spec.versions[0]?.schema?.openAPIV3Schema?.properties?.['spec']?.properties ?? {};
}

describe('A changed definition', () => {
  test('gives stored objects new defaults and prunes what is no longer known when they are read', () =>
    served(async (server) => {
      const { client } = server;
      await client.create(CRON_TABS, cronTab('a', { cronSpec: MIDNIGHT, replicas: 3 }));
      await updateDefinition(server, (crd) => {
        const properties = specProperties(crd);
        delete properties['replicas'];
        properties['suspend'] = { type: 'boolean', default: true };
        for (const version of crd.spec.versions) delete version.subresources;
      });
      const read = await client.get(CRON_TABS, { namespace: 'default', name: 'a' });
      expect(read.spec).toEqual({ cronSpec: MIDNIGHT, image: 'busybox', suspend: true });
      const { items } = await client.list(CRON_TABS, { namespace: 'default' });
      expect(items[0]?.spec).toEqual(read.spec);
    }));

  test('serves every version from what is stored, and a write without changes migrates', () =>
    served(async (server) => {
      const { client, store } = server;
      const v2 = { ...CRON_TABS, version: 'v2' };
      await client.create(CRON_TABS, cronTab('a', { cronSpec: MIDNIGHT }));
      await updateDefinition(server, (crd) => {
        crd.spec.versions.push({ ...versionNamed(crd, 'v2'), storage: true });
        for (const version of crd.spec.versions) version.storage = version.name === 'v2';
      });
      const key = '/registry/stable.example.com/crontabs/default/a';
      const stored = async () => Buffer.from((await store.get(key)).kv?.value ?? []).toString();
      const inV2 = await client.get(v2, { namespace: 'default', name: 'a' });
      expect(inV2.apiVersion).toBe('stable.example.com/v2');
      expect(await stored()).toContain('"apiVersion":"stable.example.com/v1"');
      const inV1 = await client.get(CRON_TABS, { namespace: 'default', name: 'a' });
      await client.update(CRON_TABS, inV1);
      expect(await stored()).toContain('"apiVersion":"stable.example.com/v2"');
      const crd = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'crontabs.stable.example.com' });
      expect(crd.status?.storedVersions).toEqual(['v1', 'v2']);
      const without = structuredClone(crd);
      without.spec.versions = without.spec.versions.filter(({ name }) => name === 'v2');
      await expect(client.update(CUSTOM_RESOURCE_DEFINITIONS, without)).rejects.toThrow(
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version',
      );
    }));

  test('leaves what was invalid before and did not change alone', () =>
    served(async (server) => {
      const { client } = server;
      await client.create(CRON_TABS, cronTab('a', { cronSpec: MIDNIGHT, replicas: 9 }));
      await updateDefinition(server, (crd) => {
        specProperties(crd)['replicas'] = { type: 'integer', maximum: 5 };
      });
      const read = await client.get(CRON_TABS, { namespace: 'default', name: 'a' });
      read.spec.image = 'other';
      const written = await client.update(CRON_TABS, read);
      expect(written.spec).toEqual({ cronSpec: MIDNIGHT, replicas: 9, image: 'other' });
      written.spec.replicas = 8;
      await expect(client.update(CRON_TABS, written)).rejects.toThrow('should be less than or equal to 5');
    }));
});

describe('Status and scale of custom resources', () => {
  test('are written apart from the spec', () =>
    served(async ({ client }) => {
      const created = await client.create(CRON_TABS, {
        ...cronTab('a', { cronSpec: MIDNIGHT, replicas: 2 }),
        status: { replicas: 1 },
      });
      expect(created.status).toBeUndefined();
      const withStatus = await client.update(
        CRON_TABS,
        { ...created, spec: { cronSpec: '1 * * * *' }, status: { replicas: 4 } },
        { subresource: 'status' },
      );
      expect(withStatus.spec.cronSpec).toBe(MIDNIGHT);
      expect(withStatus.status).toEqual({ replicas: 4 });
      expect(withStatus.metadata.generation).toBe(1);
      const scale = await client.get(CRON_TABS, { namespace: 'default', name: 'a' }, { subresource: 'scale' });
      expect([scale.kind, scale.spec, scale.status]).toEqual(['Scale', { replicas: 2 }, { replicas: 4 }]);
    }));
});

describe('Names of custom resources', () => {
  test('that another definition of the group holds are refused until they are free', () =>
    served(async ({ client, executor }) => {
      const other = definition((crd) => {
        crd.metadata.name = 'tabs.stable.example.com';
        crd.spec.names = { plural: 'tabs', singular: 'tab', kind: 'CronTab', shortNames: ['ct'] };
      });
      await client.create(CUSTOM_RESOURCE_DEFINITIONS, other);
      await executor.clock.sleep(10);
      const refused = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'tabs.stable.example.com' });
      const conditions = refused.status?.conditions?.map(({ type, status, reason, message }) => [
        type,
        status,
        reason,
        message,
      ]);
      expect(conditions).toEqual([
        ['NamesAccepted', 'False', 'ListKindConflict', '"CronTabList" is already in use'],
        ['Established', 'False', 'NotAccepted', 'not all names are accepted'],
      ]);
      await client.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: 'crontabs.stable.example.com' });
      await executor.clock.sleep(10);
      const accepted = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'tabs.stable.example.com' });
      expect(accepted.status?.conditions?.map(({ status }) => status)).toEqual(['True', 'True']);
    }));
});

describe('A watch of custom resources', () => {
  test('shows the version that is watched', () =>
    served(async (server) => {
      const { client } = server;
      await updateDefinition(server, (crd) => {
        crd.spec.versions.push(versionNamed(crd, 'v2'));
      });
      const controller = new AbortController();
      const watch = client.watch({ ...CRON_TABS, version: 'v2' }, { namespace: 'default', signal: controller.signal });
      await client.create(CRON_TABS, cronTab('a', { cronSpec: MIDNIGHT }));
      for await (const event of watch) {
        expect([event.type, event.object.apiVersion]).toEqual(['ADDED', 'stable.example.com/v2']);
        break;
      }
      controller.abort();
    }));
});

describe('OpenAPI', () => {
  test.each([
    ['/openapi/v2', 'definitions'],
    ['/openapi/v3/apis/stable.example.com/v1', 'components.schemas'],
  ])('%s describes custom resources, and no reference leads nowhere', (path, place) =>
    served(async ({ client }) => {
      const { body } = await client.raw({ method: 'GET', path, headers: { accept: 'application/json' } });
      const document = JSON.parse(Buffer.from(body).toString());
      const schemas = place === 'definitions' ? document.definitions : document.components.schemas;
      expect(schemas['com.example.stable.v1.CronTab'].properties.spec.required).toEqual(['cronSpec']);
      expect(schemas['com.example.stable.v1.CronTabList']).toBeDefined();
      const missing = new Set<string>();
      JSON.stringify(document, (key, value: unknown) => {
        const name = key === '$ref' && typeof value === 'string' ? value.split('/').at(-1) : undefined;
        const isSchema = typeof value === 'string' && !value.includes('/parameters/');
        if (name !== undefined && isSchema && schemas[name] === undefined) missing.add(name);
        return value;
      });
      expect([...missing]).toEqual([]);
    }),
  );
});
