import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PODS } from '#api/generated/resources.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { NodeFiles } from '../../host/node-files.ts';
import { FakeHost } from '../../host/fake-host.ts';
import { formatLogLine } from '../logs/cri-log.ts';
import {
  API_SERVER_CERTIFICATE as apiServer,
  OTHER_CERTIFICATE as somebody,
  SERVING_CERTIFICATE,
  TEST_AUTHORITY,
  type TestCertificate,
} from '../testing/test-certificates.ts';
import { startTestNode, type TestNode, testPod } from '../testing/test-node.ts';
import type { FoundContainer } from './find.ts';
import type { Upgrade } from './answer.ts';
import { KubeletServer } from './kubelet-server.ts';

let node: TestNode;
let server: KubeletServer;
let port: number;
let directory: string;
const upgrades: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-kubelet-'));
  const host = Object.assign(new FakeHost({ addresses: ['192.168.0.1'] }), { files: new NodeFiles() });
  node = await startTestNode({
    deps: {
      host,
      options: {
        identity: { name: 'node-1', labels: {}, taints: [], podCidr: '10.244.1.0/24' },
        paths: { pods: join(directory, 'pods'), podLogs: join(directory, 'logs') },
        clusterDns: [],
        clusterDomain: 'cluster.local',
        cgroupRoot: '',
        podsMax: 110,
        port: () => port,
        isSimulated: true,
      },
    },
  });
  await node.api.create(PODS, testPod('web'));
  await node.executor.settle();
  const logs = join(directory, 'logs/default_web_uid-web/main');
  await mkdir(logs, { recursive: true });
  const lines = ['one', 'two'].map((text) => formatLogLine('2026-01-01T00:00:00Z', 'stdout', text));
  await writeFile(join(logs, '0.log'), lines.join(''));
  const answer = (what: string) => async (upgrade: Upgrade, found: Partial<FoundContainer>) => {
    upgrades.push(`${what} ${found.worker?.pod.metadata.name ?? ''} ${found.containerId?.length ?? 0}`);
    upgrade.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  };
  server = new KubeletServer({
    kubelets: () => [node.kubelet],
    tls: { ...SERVING_CERTIFICATE, clientCa: TEST_AUTHORITY },
    clock: new RealClock(),
    logDirectory: join(directory, 'logs'),
    log: silentLogger,
    auth: {
      authenticate: async (token) => (token === 'good' ? { name: 'metrics', groups: [] } : undefined),
      authorize: async (user, action) => user.name === 'metrics' && action.subresource === 'stats',
    },
    streams: {
      exec: answer('exec'),
      attach: answer('attach'),
      portForward: answer('portForward'),
      refuse: (upgrade, status, text) =>
        upgrade.socket.end(
          `HTTP/1.1 ${status} No\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
        ),
    },
  });
  port = await server.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await server.close();
  await node.kubelet.stop();
  await rm(directory, { recursive: true, force: true });
});

function ask(
  path: string,
  options: { as?: TestCertificate; token?: string; upgrade?: boolean } = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.upgrade === true ? { connection: 'Upgrade', upgrade: 'SPDY/3.1' } : {}),
    };
    const call = request(
      { host: '127.0.0.1', port, path, headers, agent: false, rejectUnauthorized: false, ...options.as },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    call.on('error', reject);
    call.end();
  });
}

describe('KubeletServer', () => {
  test('knows nobody without a certificate or a good token', async () => {
    expect(await ask('/pods')).toEqual({ status: 401, body: 'Unauthorized' });
    expect(await ask('/pods', { token: 'bad' })).toEqual({ status: 401, body: 'Unauthorized' });
  });

  test('refuses whom the authorizer does not know, in upstream words', async () => {
    expect(await ask('/pods', { as: somebody })).toEqual({
      status: 403,
      body: 'Forbidden (user=somebody, verb=get, resource=nodes, subresource(s)=[pods proxy])\n',
    });
  });

  test('lets the authorizer decide by subresource', async () => {
    expect((await ask('/stats/summary', { token: 'good' })).status).toBe(200);
    expect((await ask('/pods', { token: 'good' })).status).toBe(403);
  });

  test('serves the pods with their present status', async () => {
    const { body } = await ask('/pods', { as: apiServer });
    const list: unknown = JSON.parse(body);
    expect(list).toMatchObject({
      kind: 'PodList',
      items: [{ metadata: { name: 'web' }, status: { phase: 'Running' } }],
    });
    expect(await ask('/healthz', { as: apiServer })).toEqual({ status: 200, body: 'ok' });
  });

  test.each([
    ['all of it', '/containerLogs/default/web/main', 200, 'one\ntwo\n'],
    ['its end', '/containerLogs/default/web/main?tailLines=1', 200, 'two\n'],
    [
      'a container that is not there',
      '/containerLogs/default/web/other',
      404,
      'container "other" not found in pod "web"',
    ],
    ['a pod that is not there', '/containerLogs/default/other/main', 404, 'pod does not exist'],
    [
      'an attempt before',
      '/containerLogs/default/web/main?previous=true',
      400,
      'previous terminated container "main" in pod "web" not found',
    ],
    ['nonsense', '/containerLogs/default/web/main?tailLines=x', 400, 'invalid tailLines: "x"'],
  ])('serves the log: %s', async (_name, path, status, body) => {
    expect(await ask(path, { as: apiServer })).toEqual({ status, body });
  });

  test('hands upgrades to the streams with what they are for', async () => {
    upgrades.length = 0;
    await ask('/exec/default/web/main?command=ls&output=1', { as: apiServer, upgrade: true });
    await ask('/attach/default/web/uid-web/main?output=1', { as: apiServer, upgrade: true });
    await ask('/portForward/default/web', { as: apiServer, upgrade: true });
    expect(upgrades).toEqual(['exec web 64', 'attach web 64', 'portForward web 0']);
    expect(await ask('/exec/default/web/none', { as: apiServer, upgrade: true })).toEqual({
      status: 404,
      body: 'container not found ("none")',
    });
    expect((await ask('/exec/default/web/main', { as: somebody, upgrade: true })).status).toBe(403);
  });

  test('lists and serves the files of the log directory, and nothing beside it', async () => {
    const list = await ask('/logs/', { as: apiServer });
    expect(list.status).toBe(200);
    expect(list.body).toContain('<a href="default_web_uid-web/">default_web_uid-web/</a>');
    expect((await ask('/logs/default_web_uid-web/main', { as: apiServer })).status).toBe(301);
    const file = await ask('/logs/default_web_uid-web/main/0.log', { as: apiServer });
    expect(file.body).toContain('stdout F two');
    await symlink('/etc', join(directory, 'logs/out'));
    for (const path of ['/logs/none', '/logs/%2e%2e/x', '/logs/..%2fx', '/logs/out/passwd', '/logs/%00']) {
      expect([400, 404], path).toContain((await ask(path, { as: apiServer })).status);
    }
    expect((await ask('/logs/', { token: 'good' })).status).toBe(403);
  });

  test('gives usage to autoscalers', async () => {
    const { body } = await ask('/metrics/resource', { as: apiServer });
    expect(body).toContain('container_memory_working_set_bytes{container="main",namespace="default",pod="web"} 0');
    expect(body).toContain('resource_scrape_error 0');
    expect(await ask('/nothing', { as: apiServer })).toEqual({ status: 404, body: '404 page not found' });
    expect((await ask('/exec/%zz/web/main', { as: apiServer })).status).toBe(404);
  });
});
