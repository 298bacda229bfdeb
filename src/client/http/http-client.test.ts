import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { CONFIG_MAPS, DEPLOYMENTS, NODES } from '#api/generated/resources.ts';
import type { ConfigMap } from '#api/generated/types.ts';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { isExpired, StatusError } from '#machinery/errors/status-error.ts';
import { ConnectionError } from '../client.ts';
import { AUTHORITY, CLIENT_CERTIFICATE, CLIENT_KEY, SERVER_CERTIFICATE, SERVER_KEY } from '../testing/test-pki.ts';
import type { ClientConfig } from './client-config.ts';
import { HttpClient } from './http-client.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (request: Seen, response: ServerResponse) => void;

const directory = mkdtempSync(join(tmpdir(), 'tiphys-client-'));
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const echo = configMap('echo');

/** A client of a server that answers as told, and what the server saw. */
async function connect(answer: Answer, config: Partial<ClientConfig> = {}, clock = new VirtualClock()) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => handle({ request, response, seen, answer }));
  const port = await listen(server);
  const client = new HttpClient({ server: `http://127.0.0.1:${port}`, ...config }, { clock });
  cleanups.push(() => client.close());
  return { client, seen, clock, server };
}

function handle(options: { request: IncomingMessage; response: ServerResponse; seen: Seen[]; answer: Answer }): void {
  const { request, response, seen, answer } = options;
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    seen.push(one);
    answer(one, response);
  });
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  // Safe: it listens on a port.
  return (server.address() as AddressInfo).port;
}

function json(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
}

function configMap(name: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'ns' } };
}

describe('HttpClient requests', () => {
  test.each<[string, (client: HttpClient) => Promise<unknown>, string, string?]>([
    ['get', (c) => c.get(CONFIG_MAPS, { namespace: 'ns', name: 'a' }), 'GET /api/v1/namespaces/ns/configmaps/a'],
    ['get of a cluster object', (c) => c.get(NODES, { name: 'n1' }), 'GET /api/v1/nodes/n1'],
    [
      'get of a subresource',
      (c) => c.get(DEPLOYMENTS, { namespace: 'ns', name: 'a' }, { subresource: 'scale' }),
      'GET /apis/apps/v1/namespaces/ns/deployments/a/scale',
    ],
    ['list of everything', (c) => c.list(CONFIG_MAPS), 'GET /api/v1/configmaps'],
    [
      'list with options',
      (c) => c.list(CONFIG_MAPS, { namespace: 'ns', labelSelector: 'a in (b,c)', limit: 5, continue: 'x=' }),
      'GET /api/v1/namespaces/ns/configmaps?labelSelector=a+in+%28b%2Cc%29&limit=5&continue=x%3D',
    ],
    [
      'create',
      (c) => c.create(CONFIG_MAPS, echo, { dryRun: true, fieldManager: 'me', fieldValidation: 'Strict' }),
      'POST /api/v1/namespaces/ns/configmaps?dryRun=All&fieldManager=me&fieldValidation=Strict',
      JSON.stringify(echo),
    ],
    [
      'update of status',
      (c) => c.update(CONFIG_MAPS, echo, { subresource: 'status' }),
      'PUT /api/v1/namespaces/ns/configmaps/echo/status',
      JSON.stringify(echo),
    ],
    [
      'delete with options',
      (c) =>
        c.delete(
          CONFIG_MAPS,
          { namespace: 'ns', name: 'a' },
          { gracePeriodSeconds: 0, propagationPolicy: 'Foreground', preconditions: { uid: 'u' }, dryRun: true },
        ),
      'DELETE /api/v1/namespaces/ns/configmaps/a',
      '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"propagationPolicy":"Foreground",' +
        '"preconditions":{"uid":"u"},"dryRun":["All"]}',
    ],
    [
      'delete of a collection',
      (c) => c.deleteCollection(CONFIG_MAPS, { namespace: 'ns', labelSelector: 'a=b' }),
      'DELETE /api/v1/namespaces/ns/configmaps?labelSelector=a%3Db',
      '{"kind":"DeleteOptions","apiVersion":"v1"}',
    ],
    [
      'create of a subresource',
      (c) => c.createSubresource(CONFIG_MAPS, { namespace: 'ns', name: 'a' }, 'eviction', echo),
      'POST /api/v1/namespaces/ns/configmaps/a/eviction',
      JSON.stringify(echo),
    ],
  ])('sends a %s', async (_, act, line, body = '') => {
    const { client, seen } = await connect(json(echo));
    await act(client);
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([line]);
    expect(seen[0]?.body).toBe(body);
    expect(seen[0]?.headers['accept']).toBe('application/json');
    expect(seen[0]?.headers['user-agent']).toBe('tiphys');
    expect(seen[0]?.headers['content-type']).toBe(body === '' ? undefined : 'application/json');
  });

  test.each([
    [{ type: 'json', operations: [{ op: 'remove', path: '/a' }] } as const, 'application/json-patch+json', ''],
    [{ type: 'merge', body: { a: 1 } } as const, 'application/merge-patch+json', ''],
    [{ type: 'strategic', body: { a: 1 } } as const, 'application/strategic-merge-patch+json', ''],
    [{ type: 'apply', body: { a: 1 } } as const, 'application/apply-patch+yaml', '&force=true'],
  ])('sends a patch %o as %s', async (patch, contentType, extra) => {
    const { client, seen } = await connect(json(echo));
    await client.patch(CONFIG_MAPS, { namespace: 'ns', name: 'a' }, patch, { fieldManager: 'me', force: true });
    expect(seen[0]).toMatchObject({
      method: 'PATCH',
      url: `/api/v1/namespaces/ns/configmaps/a?fieldManager=me${extra}`,
      headers: { 'content-type': contentType },
      body: JSON.stringify('body' in patch ? patch.body : patch.operations),
    });
  });

  test('keeps connections', async () => {
    let connections = 0;
    const { client, server } = await connect(json(echo));
    server.on('connection', () => connections++);
    for (let i = 0; i < 5; i++) await client.get(CONFIG_MAPS, { namespace: 'ns', name: 'a' });
    expect(connections).toBe(1);
  });

  test('puts a path of the server in front', async () => {
    const { seen, server } = await connect(json(echo));
    // Safe: it listens on a port.
    const { port } = server.address() as AddressInfo;
    const client = new HttpClient({ server: `http://127.0.0.1:${port}/k8s/c1/` }, { clock: new VirtualClock() });
    cleanups.push(() => client.close());
    await client.get(NODES, { name: 'a' });
    expect(seen[0]?.url).toBe('/k8s/c1/api/v1/nodes/a');
  });

  test('gives up when its signal fires', async () => {
    const stop = new AbortController();
    const { client } = await connect(() => stop.abort(new Error('no longer wanted')));
    const request = client.get(CONFIG_MAPS, { namespace: 'ns', name: 'a' }, { signal: stop.signal });
    await expect(request).rejects.toThrow('no longer wanted');
  });
});

describe('HttpClient errors', () => {
  const get = (client: HttpClient) => client.get(CONFIG_MAPS, { namespace: 'ns', name: 'a' });

  test('raises the Status of an answer', async () => {
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'configmaps "a" not found',
      reason: 'NotFound',
      details: { name: 'a', kind: 'configmaps' },
      code: 404,
    };
    const { client } = await connect(json(status, 404));
    await expect(get(client)).rejects.toSatisfy((error) => error instanceof StatusError);
    await expect(get(client)).rejects.toMatchObject({ status, code: 404, reason: 'NotFound' });
  });

  test.each([
    [404, 'NotFound', 'the server could not find the requested resource'],
    [401, 'Unauthorized', 'the server has asked for the client to provide credentials'],
    [500, 'InternalError', 'an error on the server ("<html>oops</html>") has prevented the request from succeeding'],
    [418, '', 'the server responded with the status code 418 but did not return more information'],
  ])('says what code %i means where the answer does not', async (code, reason, message) => {
    const { client } = await connect((_, response) => response.writeHead(code).end('<html>oops</html>'));
    await expect(get(client)).rejects.toMatchObject({ code, reason, message });
  });

  test('tries again when the server says when', async () => {
    let attempts = 0;
    const { client, clock } = await connect((request, response) => {
      attempts++;
      if (attempts > 2) json(echo)(request, response);
      else {
        json({ kind: 'Status', code: 429, message: 'busy' }, 429, { 'retry-after': '1' })(request, response);
      }
    });
    const slept: number[] = [];
    clock.sleep = async (delayMs) => void slept.push(delayMs);
    expect(await get(client)).toEqual(echo);
    expect(slept).toEqual([1000, 1000]);
  });

  test('raises a ConnectionError where there is no server, no answer or no HTTP', async () => {
    const { client, server } = await connect((_, response) => response.destroy());
    await expect(get(client)).rejects.toThrow(ConnectionError);
    await new Promise((resolve) => server.close(resolve));
    await expect(get(client)).rejects.toThrow(/GET http:.*configmaps\/a: .*ECONNREFUSED/);
    const chatter = createTcpServer((socket) => socket.resume().end('220 hello\r\n'));
    await new Promise<void>((resolve) => chatter.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => chatter.close(() => resolve())));
    // Safe: it listens on a port.
    const { port } = chatter.address() as AddressInfo;
    const other = new HttpClient({ server: `http://127.0.0.1:${port}` }, { clock: new VirtualClock() });
    cleanups.push(() => other.close());
    await expect(get(other)).rejects.toThrow(ConnectionError);
  });

  test('raises a ConnectionError for an answer that is cut off or no JSON', async () => {
    const { client } = await connect((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"kind":');
      response.destroy();
    });
    await expect(get(client)).rejects.toThrow(ConnectionError);
    const { client: other } = await connect((_, response) => response.end('hello'));
    await expect(get(other)).rejects.toThrow(ConnectionError);
  });

  test('answers raw requests, and raises for what is not 2xx', async () => {
    const { client, seen } = await connect((request, response) => {
      if (request.url === '/gone') json({}, 410)(request, response);
      else response.writeHead(201, { 'x-thing': 'yes' }).end('ok');
    });
    const answer = await client.raw({
      method: 'PUT',
      path: '/a?b=c',
      headers: { Accept: 'text/plain' },
      body: Buffer.from('hi'),
    });
    expect(answer).toMatchObject({ status: 201, headers: { 'x-thing': 'yes' } });
    expect(Buffer.from(answer.body).toString()).toBe('ok');
    expect(seen[0]).toMatchObject({ method: 'PUT', url: '/a?b=c', body: 'hi', headers: { accept: 'text/plain' } });
    await expect(client.raw({ method: 'GET', path: '/gone' })).rejects.toSatisfy(isExpired);
  });
});

describe('HttpClient watches', () => {
  const frame = (type: string, name: string) => `${JSON.stringify({ type, object: configMap(name) })}\n`;

  async function collect(client: HttpClient, signal = new AbortController().signal): Promise<string[]> {
    const events: string[] = [];
    for await (const { type, object } of client.watch(CONFIG_MAPS, { namespace: 'ns', resourceVersion: '5', signal })) {
      events.push(`${type} ${object.metadata.name}`);
    }
    return events;
  }

  test('reads frames however they are cut, until the server ends', async () => {
    const text =
      frame('ADDED', 'eins ä') + frame('MODIFIED', 'zwei') + frame('BOOKMARK', 'b') + frame('DELETED', 'drei');
    const bytes = Buffer.from(text);
    for (const size of [1, 7, 100, bytes.length]) {
      const { client, seen } = await connect((_, response) => {
        for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size));
        response.end('{"type":"ADDED","obj');
      });
      expect(await collect(client)).toEqual(['ADDED eins ä', 'MODIFIED zwei', 'BOOKMARK b', 'DELETED drei']);
      expect(seen[0]?.url).toBe('/api/v1/namespaces/ns/configmaps?watch=true&resourceVersion=5');
    }
  });

  test('raises an ERROR event as its Status', async () => {
    const object = { kind: 'Status', apiVersion: 'v1', metadata: {}, code: 410, reason: 'Expired', message: 'too old' };
    const { client } = await connect((_, response) => response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`));
    await expect(collect(client)).rejects.toSatisfy(isExpired);
  });

  test('raises the Status of a watch that does not begin', async () => {
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, code: 410, reason: 'Expired', message: 'too old' };
    const { client } = await connect(json(status, 410));
    await expect(collect(client)).rejects.toSatisfy(isExpired);
  });

  test.each(['not json\n', '{"type":"ODD","object":{}}\n', '[]\n'])('refuses %j as an event', async (text) => {
    const { client } = await connect((_, response) => response.end(text));
    await expect(collect(client)).rejects.toThrow(ConnectionError);
  });

  test('ends quietly when the signal fires, and raises when the connection breaks', async () => {
    const stop = new AbortController();
    const { client } = await connect((_, response) => response.write(frame('ADDED', 'a')));
    const events: string[] = [];
    for await (const event of client.watch(CONFIG_MAPS, { signal: stop.signal })) {
      events.push(event.type);
      stop.abort();
    }
    expect(events).toEqual(['ADDED']);
    const { client: broken } = await connect((_, response) => {
      response.write(frame('ADDED', 'a'));
      response.destroy();
    });
    await expect(collect(broken)).rejects.toThrow(ConnectionError);
  });

  test('lets go of the connection when the consumer stops', async () => {
    const closed = Promise.withResolvers<void>();
    const { client } = await connect((_, response) => {
      response.on('close', () => closed.resolve());
      response.write(frame('ADDED', 'a'));
    });
    for await (const event of client.watch(CONFIG_MAPS, { signal: new AbortController().signal })) {
      expect(event.type).toBe('ADDED');
      break;
    }
    await expect(closed.promise).resolves.toBeUndefined();
  });

  test('reads no faster than its consumer', async () => {
    const chunk = Buffer.from(frame('ADDED', 'x'.repeat(60_000)));
    let sent = 0;
    const { client } = await connect((_, response) => {
      const write = () => {
        while (sent < 2000) {
          sent++;
          if (!response.write(chunk)) {
            response.once('drain', write);
            return;
          }
        }
      };
      write();
    });
    for await (const _ of client.watch(CONFIG_MAPS, { signal: new AbortController().signal })) {
      // Turns enough for a server in this process to send everything, if nothing held it back.
      for (let turn = 0; turn < 3000; turn++) await setImmediate();
      break;
    }
    expect(sent).toBeLessThan(1000);
  });
});

describe('HttpClient credentials', () => {
  const get = (client: HttpClient) => client.get(NODES, { name: 'a' });

  test('sends tokens, passwords, its name, and for whom it acts', async () => {
    const { client, seen } = await connect(json(echo), {
      token: 'secret',
      userAgent: 'kubelet',
      impersonate: { user: 'jane', groups: ['a', 'b'] },
    });
    await get(client);
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer secret',
      'user-agent': 'kubelet',
      'impersonate-user': 'jane',
      'impersonate-group': 'a, b',
    });
    const { client: basic, seen: other } = await connect(json(echo), { username: 'a', password: 'b' });
    await get(basic);
    expect(other[0]?.headers.authorization).toBe(`Basic ${Buffer.from('a:b').toString('base64')}`);
  });

  test('reads a token file again after a minute, and at once when the token is refused', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, 'first\n');
    let refused = 'none';
    const answer: Answer = (request, response) => {
      const isRefused = request.headers.authorization === `Bearer ${refused}`;
      json(isRefused ? { kind: 'Status', code: 401 } : echo, isRefused ? 401 : 200)(request, response);
    };
    const { client, seen, clock } = await connect(answer, { tokenFile });
    const sent = () => seen.map(({ headers }) => headers.authorization);
    await get(client);
    writeFileSync(tokenFile, 'second');
    await get(client);
    clock.advance(61_000);
    await get(client);
    expect(sent()).toEqual(['Bearer first', 'Bearer first', 'Bearer second']);
    writeFileSync(tokenFile, 'third');
    refused = 'second';
    await get(client);
    expect(sent().slice(3)).toEqual(['Bearer second', 'Bearer third']);
    refused = 'third';
    await expect(get(client)).rejects.toMatchObject({ code: 401 });
  });

  test('proves itself by certificate, and trusts only the authority it was given', async () => {
    const names: string[] = [];
    const options = { key: SERVER_KEY, cert: SERVER_CERTIFICATE, ca: AUTHORITY, requestCert: true };
    const server = createSecureServer({ ...options, rejectUnauthorized: false }, (request, response) => {
      // Safe: the server speaks TLS only.
      names.push(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'anonymous'));
      response.end(JSON.stringify(echo));
    });
    const port = await listen(server);
    const connectTo = (config: Omit<ClientConfig, 'server'>) => {
      const client = new HttpClient({ server: `https://127.0.0.1:${port}`, ...config }, { clock: new VirtualClock() });
      cleanups.push(() => client.close());
      return client;
    };
    const trusted = { certificateAuthority: AUTHORITY, tlsServerName: 'server.example.com' };
    await get(connectTo({ ...trusted, clientCertificate: CLIENT_CERTIFICATE, clientKey: CLIENT_KEY }));
    await get(connectTo(trusted));
    await get(connectTo({ insecureSkipTlsVerify: true }));
    expect(names).toEqual(['jane', 'anonymous', 'anonymous']);
    await expect(get(connectTo({}))).rejects.toThrow(ConnectionError);
    await expect(get(connectTo({ certificateAuthority: AUTHORITY }))).rejects.toThrow(/does not match/);
  });
});
