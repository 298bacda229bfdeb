import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES } from '#api/generated/resources.ts';
import type { CustomResourceDefinition } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { issueCertificate } from '../pki/certificate.ts';
import { type TestServer, startTestServer } from '../testing/test-server.ts';

interface Stable extends KubeObject {
  hostPort?: string;
  host?: string;
  port?: string;
}

type Change = (object: Stable, version: string) => Stable;

const CRON_TABS: ResourceType<Stable> = {
  group: 'stable.example.com',
  version: 'v1',
  resource: 'crontabs',
  kind: 'CronTab',
  namespaced: true,
};
const V2 = { ...CRON_TABS, version: 'v2' };

let server: TestServer;
let webhook: Server;
let calls = 0;
let change: Change = hostPort;

/** Version 1 has `hostPort`, version 2 has `host` and `port`. */
function hostPort(object: Stable, version: string): Stable {
  const { hostPort: joined, host, port, ...rest } = object;
  const apiVersion = version;
  if (version.endsWith('v2')) {
    const [first = '', second = ''] = (joined ?? '').split(':');
    return { ...rest, apiVersion, host: first, port: second };
  }
  return { ...rest, apiVersion, hostPort: `${host ?? ''}:${port ?? ''}` };
}

interface Review {
  apiVersion: string;
  kind: string;
  request: { uid: string; desiredAPIVersion: string; objects: Stable[] };
}

function answer({ apiVersion, kind, request }: Review): object {
  try {
    const convertedObjects = request.objects.map((object) => change(object, request.desiredAPIVersion));
    return { apiVersion, kind, response: { uid: request.uid, convertedObjects, result: { status: 'Success' } } };
  } catch (error) {
    return { apiVersion, kind, response: { uid: request.uid, result: { status: 'Failed', message: String(error) } } };
  }
}

beforeAll(async () => {
  const executor = new RealExecutor();
  const { clock, random } = executor;
  const times = { notBeforeMs: clock.now() - 60_000, notAfterMs: clock.now() + 3_600_000 };
  const authority = issueCertificate({ commonName: 'webhooks', use: 'ca', ...times }, { random });
  const { certificate, key } = issueCertificate(
    { commonName: 'webhook', use: 'server', alternativeNames: ['127.0.0.1', 'localhost'], ...times },
    { issuer: authority, random },
  );
  webhook = createServer({ cert: certificate, key }, (request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => {
      body += bytes.toString();
    });
    request.on('end', () => {
      calls += 1;
      // Safe: the server under test sends reviews.
      response.end(JSON.stringify(answer(JSON.parse(body) as Review)));
    });
  });
  await new Promise<void>((resolve) => {
    webhook.listen(0, '127.0.0.1', resolve);
  });
  // Safe: it listens on a port.
  const { port } = webhook.address() as AddressInfo;
  server = await startTestServer(executor);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' }, spec: {} };
  await server.client.create(NAMESPACES, namespace);
  await server.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition(port, authority.certificate));
  await vi.waitUntil(() => server.client.list(CRON_TABS, {}).catch(() => undefined));
});

afterAll(async () => {
  await server.close();
  webhook.closeAllConnections();
  await new Promise((resolve) => webhook.close(resolve));
});

function definition(port: number, authority: string): CustomResourceDefinition {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab' },
      conversion: {
        strategy: 'Webhook',
        webhook: {
          conversionReviewVersions: ['v1'],
          clientConfig: {
            url: `https://127.0.0.1:${port}/convert`,
            caBundle: Buffer.from(authority).toString('base64'),
          },
        },
      },
      versions: [
        { name: 'v1', served: true, storage: true, schema },
        { name: 'v2', served: true, storage: false, schema },
      ],
    },
  };
}

function object(name: string, fields: Partial<Stable>, version = 'v1'): Stable {
  const metadata = { name, namespace: 'default' };
  return { apiVersion: `stable.example.com/${version}`, kind: 'CronTab', metadata, ...fields };
}

describe('A conversion webhook', () => {
  test('is asked for every version that is not the stored one', async () => {
    const { client } = server;
    await client.create(CRON_TABS, object('a', { hostPort: 'localhost:1234' }));
    const name = { namespace: 'default', name: 'a' };
    expect(await client.get(V2, name)).toMatchObject({ host: 'localhost', port: '1234' });
    await client.create(V2, object('b', { host: 'other', port: '80' }, 'v2'));
    expect(await client.get(CRON_TABS, { ...name, name: 'b' })).toMatchObject({ hostPort: 'other:80' });
    const changed = await client.patch(V2, name, { type: 'merge', body: { port: '99' } });
    expect([changed.apiVersion, changed.port]).toEqual(['stable.example.com/v2', '99']);
    expect((await client.get(CRON_TABS, name)).hostPort).toBe('localhost:99');
  });

  test('converts a list in one call', async () => {
    const { client } = server;
    await client.create(CRON_TABS, object('c', { hostPort: 'c:1' }));
    await client.create(CRON_TABS, object('d', { hostPort: 'd:1' }));
    const before = calls;
    const { items } = await client.list(V2, { namespace: 'default' });
    expect(items.every((item) => item.apiVersion === 'stable.example.com/v2' && item.host !== undefined)).toBe(true);
    expect(calls - before).toBeLessThanOrEqual(1);
  });

  test('serves watches', async () => {
    const controller = new AbortController();
    const events = server.client.watch(V2, { namespace: 'default', signal: controller.signal, resourceVersion: '' });
    for await (const { object: shown } of events) {
      expect(shown.apiVersion).toBe('stable.example.com/v2');
      break;
    }
    controller.abort();
  });

  test.each<[string, Change, string]>([
    [
      'fails',
      () => {
        throw new Error('no');
      },
      'conversion webhook for stable.example.com/v1, Kind=CronTab failed: Error: no',
    ],
    [
      'renames',
      (given, version) => ({ ...hostPort(given, version), metadata: { ...given.metadata, name: 'x' } }),
      'returned invalid object: must have the same name',
    ],
    [
      'keeps the version',
      (given) => given,
      'invalid groupVersion (expected stable.example.com/v2, received stable.example.com/v1)',
    ],
    [
      'changes the kind',
      (given, version) => ({ ...hostPort(given, version), kind: 'Other' }),
      'invalid kind (expected CronTab, received Other)',
    ],
  ])('that %s is an error', async (title, wrong, message) => {
    const name = title.replaceAll(' ', '-');
    await server.client.create(CRON_TABS, object(name, { hostPort: 'x:1' }));
    change = wrong;
    try {
      await expect(server.client.get(V2, { namespace: 'default', name })).rejects.toThrow(message);
    } finally {
      change = hostPort;
    }
  });
});
