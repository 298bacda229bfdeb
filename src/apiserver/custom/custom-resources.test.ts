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
