import { describe, expect, test } from 'vitest';
import { PODS } from '#api/generated/resources.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import { ADMIN, ALLOW_ALL, startTestServer, underVirtualTime } from '../testing/test-server.ts';
import type { ApiServerDeps } from '../server-parts.ts';
import type { ApiRequest, ApiResponse, Authorizer, Handler } from './types.ts';

const DENY: Authorizer = { ...ALLOW_ALL, authorize: () => ({ type: 'noOpinion', reason: '' }) };

function request(path: string, init: Partial<ApiRequest> = {}): ApiRequest {
  const url = new URL(path, 'https://server');
  return {
    method: 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: {},
    readBody: () => Promise.resolve(new Uint8Array(0)),
    signal: new AbortController().signal,
    ...init,
  };
}

async function ask(deps: Partial<ApiServerDeps>, ...requests: ApiRequest[]): Promise<ApiResponse[]> {
  await using test = await startTestServer(new RealExecutor(), deps);
  return await Promise.all(requests.map((one) => test.server.handle(one)));
}

function bodyOf(response: ApiResponse | undefined): Record<string, unknown> {
  if (response?.type !== 'bytes') throw new Error(`no bytes but ${response?.type}`);
  return JSON.parse(Buffer.concat(response.body).toString());
}

describe('the pipeline', () => {
  test.each<[string, string, string]>([
    [
      'a namespace',
      '/api/v1/namespaces/a/pods',
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "a"',
    ],
    [
      'an object',
      '/apis/apps/v1/namespaces/a/deployments/b',
      'deployments.apps "b" is forbidden: User "system:anonymous" cannot get resource "deployments" in API group "apps" in the namespace "a"',
    ],
    [
      'the cluster',
      '/api/v1/nodes',
      'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'a subresource',
      '/api/v1/nodes/n/status',
      'nodes "n" is forbidden: User "system:anonymous" cannot get resource "nodes/status" in API group "" at the cluster scope',
    ],
    ['a path', '/metrics', 'forbidden: User "system:anonymous" cannot get path "/metrics"'],
  ])('refuses %s in upstream words', async (_, path, message) => {
    const [response] = await ask({ authorizer: DENY }, request(path));
    expect(response).toMatchObject({ status: 403 });
    expect(bodyOf(response)).toMatchObject({ kind: 'Status', reason: 'Forbidden', code: 403, message });
  });

  test('answers 401 where anonymous requests are off', async () => {
    const [response] = await ask({ options: { anonymous: false } }, request('/api/v1/pods'));
    expect(bodyOf(response)).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Unauthorized',
      reason: 'Unauthorized',
      code: 401,
    });
  });

  test('acts as another user where impersonation is allowed', async () => {
    const seen: string[] = [];
    const authorizer: Authorizer = {
      ...ALLOW_ALL,
      authorize: ({ user, verb, resource, name }) => {
        seen.push(`${user.username} ${verb} ${resource} ${name}`);
        return { type: 'allow', reason: '' };
      },
    };
    const headers = { 'impersonate-user': 'jane', 'impersonate-group': 'devs' };
    await ask({ authorizer }, request('/api/v1/pods', { headers, localUser: ADMIN }));
    expect(seen).toEqual(['admin impersonate users jane', 'admin impersonate groups devs', 'jane list pods ']);
  });

  test('refuses impersonation in upstream words', async () => {
    const headers = { 'impersonate-user': 'jane' };
    const [response] = await ask({ authorizer: DENY }, request('/api/v1/pods', { headers, localUser: ADMIN }));
    expect(bodyOf(response)['message']).toBe(
      'users "jane" is forbidden: User "admin" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
  });

  test('isolates a handler that throws, and names the audit id', async () => {
    const broken: Handler = () => {
      throw new TypeError('broken');
    };
    const [response, next] = await ask(
      { paths: new Map([['/broken', broken]]) },
      request('/broken'),
      request('/version'),
    );
    expect(bodyOf(response)).toMatchObject({
      code: 500,
      reason: 'InternalError',
      message: 'Internal error occurred: broken',
    });
    expect(response).toMatchObject({ headers: { 'audit-id': expect.stringMatching(/^[0-9a-f-]{36}$/) } });
    expect(next).toMatchObject({ status: 200 });
  });

  test('lets waiting requests in one by one, and refuses more than it can hold', async () => {
    let running = 0;
    let most = 0;
    const slow: Handler = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => void Promise.resolve().then(resolve));
      running--;
      return { type: 'bytes', status: 200, headers: {}, body: [] };
    };
    const requests = Array.from({ length: 20 }, () => request('/slow'));
    const responses = await ask({ paths: new Map([['/slow', slow]]), options: { maxReadsInFlight: 3 } }, ...requests);
    expect(responses.map((response) => ('status' in response ? response.status : 0))).toEqual(requests.map(() => 200));
    expect(most).toBeLessThanOrEqual(3);
  });

  test('ends a request that takes too long with 504', async () => {
    const response = await underVirtualTime('deadline', async (executor) => {
      const stuck: Handler = () => new Promise(() => {});
      const { server } = await startTestServer(executor, { paths: new Map([['/stuck', stuck]]) });
      return server.handle(request('/stuck'));
    });
    expect(bodyOf(response)).toMatchObject({
      code: 504,
      reason: 'Timeout',
      message: 'Timeout: request did not complete within the allotted timeout',
    });
  });

  test('sends warnings as headers', async () => {
    await using server = await startTestServer(new RealExecutor());
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, colour: 'blue' };
    const response = await server.server.handle(
      request('/api/v1/namespaces/default/configmaps', {
        method: 'POST',
        localUser: ADMIN,
        readBody: () => Promise.resolve(Buffer.from(JSON.stringify(body))),
      }),
    );
    expect(response).toMatchObject({ status: 201, headers: { warning: '299 - "unknown field \\"colour\\""' } });
  });

  test.each([
    ['/api/v1/nothing', 404, undefined],
    ['/apis/none/v1/things', 404, undefined],
    ['/api/v1/namespaces/a/nodes', 404, undefined],
    ['/api/v1/namespaces/a/pods/b/nothing', 404, undefined],
  ])('knows no %s', async (path, status) => {
    const [response] = await ask({}, request(path));
    expect(response).toMatchObject({ status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
  });

  test('answers 405 to verbs that a resource lacks', async () => {
    const [response] = await ask({}, request('/api/v1/pods', { method: 'POST', localUser: ADMIN }));
    expect(bodyOf(response)).toMatchObject({
      code: 405,
      reason: 'MethodNotAllowed',
      message: 'the server does not allow this method on the requested resource',
    });
  });

  test('runs mutating admission, then validating admission, and lets it refuse', async () => {
    const calls: string[] = [];
    const refusal = new StatusError({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      code: 403,
      message: 'no',
    });
    await using server = await startTestServer(new RealExecutor(), {
      admission: [
        {
          name: 'labels',
          mutate: ({ object }) => {
            calls.push('mutate');
            if (object !== undefined) object.metadata.labels = { added: 'yes' };
          },
          validate: ({ object }) => {
            calls.push(`validate ${object?.metadata.labels?.['added']}`);
            throw refusal;
          },
        },
      ],
    });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    };
    await expect(server.client.create(PODS, pod)).rejects.toThrow('no');
    expect(calls).toEqual(['mutate', 'validate yes']);
  });
});
