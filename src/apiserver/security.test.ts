import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NODES, PODS, ROLE_BINDINGS, SERVICE_ACCOUNTS, SERVICES } from '#api/generated/resources.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { ensureBootstrapObjects, ensureSystemNamespaces } from './allocation/bootstrap-objects.ts';
import { signingKey } from './authentication/jwt.ts';
import { ensureBootstrapPolicy } from './authorization/bootstrap/bootstrap-policy.ts';
import { jsonResponse, textResponse, type ApiRequest, type ApiResponse } from './pipeline/types.ts';
import { ensurePki, type Pki } from './pki/pki.ts';
import { createSecurity } from './security.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';
import { listenHttps, type HttpServer } from './transport/http-server.ts';

const executor = new RealExecutor();
const { clock, random } = executor;
const AUDIENCE = 'https://kubernetes.default.svc.cluster.local';
let dataDir: string;
let pki: Pki;
let api: TestServer;
let security: ReturnType<typeof createSecurity>;
let server: HttpServer;
let kubelet: HttpServer;
/** What the fake kubelet was asked last. */
let asked: ApiRequest | undefined;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tiphys-security-'));
  pki = await ensurePki(dataDir, {}, { clock, random });
  security = createSecurity({
    signingKey: signingKey(pki.serviceAccount.privateKey),
    clientCa: pki.ca.certificate,
    frontProxyCa: pki.frontProxyCa.certificate,
    kubeletClient: pki.kubeletClient,
    kubeletCa: pki.ca.certificate,
    kubeletFor: (nodeName) =>
      nodeName === 'local' ? { handle: async () => textResponse(200, 'local log\n') } : undefined,
  });
  api = await startTestServer(executor, security);
  await ensureSystemNamespaces(api.client);
  await ensureBootstrapPolicy(api.client);
  await ensureBootstrapObjects(api.client, {
    advertiseAddress: '192.0.2.1',
    port: 6443,
    clientCa: pki.ca.certificate,
    frontProxyCa: pki.frontProxyCa.certificate,
  });
  const tls = { host: '127.0.0.1', port: 0, clock, log: silentLogger };
  const certificate = { certificate: pki.serving.certificate, key: pki.serving.key, clientCas: [pki.ca.certificate] };
  server = await listenHttps({
    ...tls,
    ...certificate,
    clientCas: [pki.ca.certificate, pki.frontProxyCa.certificate],
    server: api.server,
  });
  kubelet = await listenHttps({ ...tls, ...certificate, server: { handle: (request) => serveKubelet(request) } });
  await createWorkloads();
});

afterAll(async () => {
  await server.close();
  await kubelet.close();
  security.close();
  await api[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

async function serveKubelet(request: ApiRequest): Promise<ApiResponse> {
  asked = request;
  if (request.clientCertificate === undefined) return textResponse(401, 'Unauthorized');
  if (request.path.endsWith('/waiting')) {
    return textResponse(400, 'container "waiting" in pod "web" is waiting to start: ContainerCreating');
  }
  if (request.upgrade === undefined) return textResponse(200, 'a line\n');
  const { socket } = request.upgrade;
  return {
    type: 'upgrade',
    accept: async () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n\r\n');
      socket.pipe(socket);
    },
  };
}

async function createWorkloads(): Promise<void> {
  await api.client.create(SERVICE_ACCOUNTS, {
    kind: 'ServiceAccount',
    apiVersion: 'v1',
    metadata: { name: 'default', namespace: 'default' },
  });
  const nodes = [
    ['n1', '127.0.0.1', kubelet.port],
    ['dead', '127.0.0.1', 1],
  ] as const;
  for (const [name, address, port] of nodes) {
    const node = await api.client.create(NODES, { kind: 'Node', apiVersion: 'v1', metadata: { name }, spec: {} });
    node.status = {
      addresses: [{ type: 'InternalIP', address }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    };
    await api.client.update(NODES, node, { subresource: 'status' });
  }
  const places = { web: 'n1', far: 'dead', near: 'local' };
  for (const [name, nodeName] of Object.entries(places)) {
    await api.client.create(PODS, {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name, namespace: 'default' },
      spec: { nodeName, containers: ['c', 'waiting'].map((container) => ({ name: container, image: 'i' })) },
    });
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly json: Record<string, unknown>;
}

function call(target: string, options: RequestOptions & { body?: unknown } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...(bytes !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }),
    ...(rest.headers as Record<string, string>),
  };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: server.port,
        path: target,
        ca: pki.ca.certificate,
        agent: new Agent(),
        ...rest,
        headers,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const json = text.startsWith('{') ? JSON.parse(text) : {};
          resolve({ status: response.statusCode ?? 0, body: text, json });
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}

const admin = () => ({ cert: pki.admin.certificate, key: pki.admin.key });
const post = (body: object) => ({ method: 'POST', body });
const POD_PATH = '/api/v1/namespaces/default/pods';

describe('a server with security', () => {
  test('lets the admin in by certificate and tells anonymous what it may not', async () => {
    expect((await call('/api/v1/nodes', admin())).status).toBe(200);
    const refused = await call(POD_PATH);
    expect(refused.status).toBe(403);
    expect(refused.json).toMatchObject({
      reason: 'Forbidden',
      message:
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default"',
    });
    expect((await call('/version')).status).toBe(200);
  });

  test('answers 401 to credentials that are no good', async () => {
    const answer = await call('/version', { headers: { authorization: 'Bearer nonsense' } });
    expect(answer.status).toBe(401);
    expect(answer.json).toMatchObject({ kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized' });
  });

  test('issues tokens bound to pods, which work until the pod is gone', async () => {
    const body = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web' } },
    };
    const target = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const issued = await call(target, { ...admin(), ...post(body) });
    expect(issued.status).toBe(201);
    // Checked by the requests below.
    const { token } = issued.json['status'] as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    const review = await call('/apis/authentication.k8s.io/v1/selfsubjectreviews', { ...post({}), headers });
    expect(review.json).toMatchObject({
      kind: 'SelfSubjectReview',
      status: {
        userInfo: {
          username: 'system:serviceaccount:default:default',
          groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
          extra: { 'authentication.kubernetes.io/pod-name': ['web'] },
        },
      },
    });
    const tokenReview = { spec: { token, audiences: [AUDIENCE] } };
    const reviewed = await call('/apis/authentication.k8s.io/v1/tokenreviews', { ...admin(), ...post(tokenReview) });
    expect(reviewed.json).toMatchObject({ status: { authenticated: true, audiences: [AUDIENCE] } });
    const short = await call(target, { ...admin(), ...post({ spec: { expirationSeconds: 60 } }) });
    expect(short.status).toBe(422);
    expect(short.json).toMatchObject({
      message: expect.stringContaining('may not specify a duration less than 10 minutes'),
    });
    expect((await call(target, admin())).status).toBe(405);
  });

  test('publishes how its tokens are verified', async () => {
    const configuration = await call('/.well-known/openid-configuration', admin());
    expect(configuration.json).toMatchObject({ issuer: AUDIENCE, id_token_signing_alg_values_supported: ['ES256'] });
    const keys = await call('/openid/v1/jwks', admin());
    expect(keys.json).toMatchObject({ keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' }] });
  });

  test('answers access reviews', async () => {
    const question = { resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'default' } };
    const target = '/apis/authorization.k8s.io/v1';
    const self = await call(`${target}/selfsubjectaccessreviews`, { ...admin(), ...post({ spec: question }) });
    expect(self.json).toMatchObject({
      status: {
        allowed: true,
        reason:
          'RBAC: allowed by ClusterRoleBinding "kubeadm:cluster-admins" of ClusterRole "cluster-admin" to Group "kubeadm:cluster-admins"',
      },
    });
    const other = await call(`${target}/subjectaccessreviews`, {
      ...admin(),
      ...post({ spec: { ...question, user: 'nobody' } }),
    });
    expect(other.json).toMatchObject({ status: { allowed: false } });
    const invalid = await call(`${target}/subjectaccessreviews`, { ...admin(), ...post({ spec: { user: 'x' } }) });
    expect(invalid.status).toBe(422);
    const rules = await call(`${target}/selfsubjectrulesreviews`, {
      ...admin(),
      ...post({ spec: { namespace: 'a' } }),
    });
    expect(rules.json).toMatchObject({ status: { incomplete: false } });
  });

  test('follows bindings at once', async () => {
    const client = api.clientFor({ username: 'carol', groups: ['system:authenticated'] });
    await expect(client.list(PODS, { namespace: 'default' })).rejects.toMatchObject({ code: 403 });
    await api.client.create(ROLE_BINDINGS, {
      kind: 'RoleBinding',
      apiVersion: 'rbac.authorization.k8s.io/v1',
      metadata: { name: 'carol', namespace: 'default' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'carol' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    });
    expect((await client.list(PODS, { namespace: 'default' })).items.length).toBe(3);
  });

  test('gives services their addresses and keeps kubernetes.default', async () => {
    const service = await api.client.get(SERVICES, { name: 'kubernetes', namespace: 'default' });
    expect(service.spec).toMatchObject({ clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'] });
    const created = await api.client.create(SERVICES, {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { name: 'web', namespace: 'default' },
      spec: { ports: [{ port: 80 }], type: 'NodePort' },
    });
    expect(created.spec?.clusterIP).toMatch(/^10\.96\./);
    expect(created.spec?.ports?.[0]?.nodePort).toBeGreaterThanOrEqual(30_000);
  });

  test('bootstraps without a write the second time', async () => {
    expect(await ensureBootstrapPolicy(api.client)).toEqual({ written: 0 });
  });
});

describe('pod streams', () => {
  test('read logs from the node’s kubelet, with its certificate and all options', async () => {
    const answer = await call(`${POD_PATH}/web/log?container=c&follow=true&tailLines=5&timestamps=false`, admin());
    expect([answer.status, answer.body]).toEqual([200, 'a line\n']);
    expect(asked?.path).toBe('/containerLogs/default/web/c');
    expect([...(asked?.query ?? [])]).toEqual([
      ['follow', 'true'],
      ['tailLines', '5'],
    ]);
    expect((await call(`${POD_PATH}/near/log?container=c`, admin())).body).toBe('local log\n');
  });

  test.each([
    [
      'an unnamed container of two',
      'web/log',
      400,
      'a container name must be specified for pod web, choose one of: [c waiting]',
    ],
    ['an unknown container', 'web/log?container=x', 400, 'container x is not valid for pod web'],
    [
      'a container that waits',
      'web/log?container=waiting',
      400,
      'container "waiting" in pod "web" is waiting to start: ContainerCreating',
    ],
    ['a pod that is not there', 'no/log', 404, 'pods "no" not found'],
    [
      'a wrong option',
      'web/log?container=c&tailLines=-1',
      422,
      'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'a dead kubelet',
      'far/log?container=c',
      500,
      'error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused',
    ],
    ['exec without an upgrade', 'web/exec?container=c&command=ls', 400, 'Upgrade request required'],
  ])('say what is wrong with %s', async (_name, target, status, message) => {
    const answer = await call(`${POD_PATH}/${target}`, admin());
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ kind: 'Status', message });
  });

  test('tunnel exec byte for byte', async () => {
    const target = `${POD_PATH}/web/exec?container=c&stdin=true&stdout=true&command=cat&command=-`;
    const echoed = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest({
        host: '127.0.0.1',
        port: server.port,
        method: 'POST',
        path: target,
        ca: pki.ca.certificate,
        agent: new Agent(),
        headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' },
        ...admin(),
      });
      request.on('error', reject);
      request.on('response', (response) => reject(new Error(`status ${response.statusCode}`)));
      request.on('upgrade', (_response, socket) => {
        socket.write('ping');
        socket.once('data', (chunk: Buffer) => {
          socket.end();
          resolve(chunk.toString());
        });
      });
      request.end();
    });
    expect(echoed).toBe('ping');
    expect(asked?.path).toBe('/exec/default/web/c');
    expect(asked?.query.toString()).toBe('input=1&output=1&command=cat&command=-');
    expect(asked?.headers['x-stream-protocol-version']).toBe('v4.channel.k8s.io');
  });
});

describe('HTTP proxies', () => {
  test('reach the kubelet through nodes/proxy', async () => {
    const answer = await call('/api/v1/nodes/n1/proxy/stats/summary?x=1', admin());
    expect([answer.status, answer.body]).toEqual([200, 'a line\n']);
    expect(asked?.path).toBe('/stats/summary');
    expect(asked?.query.get('x')).toBe('1');
  });

  test('reach pods and services by address', async () => {
    const web = await listenHttps({
      host: '127.0.0.1',
      port: 0,
      clock,
      log: silentLogger,
      certificate: pki.serving.certificate,
      key: pki.serving.key,
      clientCas: [],
      server: {
        handle: async (request) =>
          jsonResponse(200, {
            method: request.method,
            path: request.path,
            body: Buffer.from(await request.readBody(1000)).toString(),
            authorization: request.headers['authorization'] ?? '',
          }),
      },
    });
    try {
      const pod = await api.client.get(PODS, { name: 'web', namespace: 'default' });
      pod.status = { ...pod.status, podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] };
      await api.client.update(PODS, pod, { subresource: 'status' });
      const answer = await call(`${POD_PATH}/https:web:${web.port}/proxy/a/b%20c/`, { ...admin(), ...post({ a: 1 }) });
      expect(answer.json).toEqual({ method: 'POST', path: '/a/b c/', body: '{"a":1}', authorization: '' });
      const redirect = await call(`${POD_PATH}/https:web:${web.port}/proxy?x=1`, admin());
      expect(redirect.status).toBe(301);
      const none = await call('/api/v1/namespaces/default/services/web/proxy/', admin());
      expect(none.status).toBe(503);
      expect(none.json).toMatchObject({ message: 'no endpoints available for service "web"' });
    } finally {
      await web.close();
    }
  });
});
