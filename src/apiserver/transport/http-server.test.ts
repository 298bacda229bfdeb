import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { forbidden } from '#machinery/errors/status-error.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { jsonResponse, type ApiRequest, type ApiResponse, type WatchFrame } from '../pipeline/types.ts';
import { issueCertificate } from '../pki/certificate.ts';
import { ensurePki, type Pki } from '../pki/pki.ts';
import { listenHttps, type HttpServer } from './http-server.ts';

const clock = new RealClock();
const random = new SystemRandom();
let dataDir: string;
let pki: Pki;
let server: HttpServer | undefined;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tiphys-https-'));
  pki = await ensurePki(dataDir, {}, { clock, random });
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function serve(handle: (request: ApiRequest) => Promise<ApiResponse> | ApiResponse, limits = {}) {
  server = await listenHttps({
    server: { handle: async (request) => handle(request) },
    host: '127.0.0.1',
    port: 0,
    clock,
    log: silentLogger,
    certificate: pki.serving.certificate,
    key: pki.serving.key,
    clientCas: [pki.ca.certificate, pki.frontProxyCa.certificate],
    limits,
  });
  return server.port;
}

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

function call(port: number, options: RequestOptions & { body?: string | Buffer } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: '127.0.0.1', port, path: '/', ca: pki.ca.certificate, agent: new Agent(), ...rest },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const frame = (text: string): WatchFrame => ({
  type: 'ADDED',
  bytes: [Buffer.from(text)],
  object: { apiVersion: 'v1', kind: 'Pod', metadata: {} },
});

describe('listenHttps', () => {
  test('hands over method, decoded path, query, headers and body', async () => {
    const port = await serve(async (request) =>
      jsonResponse(201, {
        method: request.method,
        path: request.path,
        query: [...request.query],
        type: request.headers['content-type'],
        body: Buffer.from(await request.readBody(100)).toString(),
      }),
    );
    const answer = await call(port, {
      method: 'POST',
      path: '/api/v1/a%20b?x=1&x=2',
      headers: { 'content-type': 'application/json' },
      body: '{"a":1}',
    });
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.body)).toEqual({
      method: 'POST',
      path: '/api/v1/a b',
      query: [
        ['x', '1'],
        ['x', '2'],
      ],
      type: 'application/json',
      body: '{"a":1}',
    });
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.body)));
  });

  test('serves HTTP/2 to clients that offer nothing else', async () => {
    const port = await serve(async (request) =>
      jsonResponse(200, {
        path: request.path,
        host: request.headers['host'],
        body: Buffer.from(await request.readBody(100)).toString(),
        hasCertificate: request.clientCertificate !== undefined,
      }),
    );
    const session = connectHttp2(`https://127.0.0.1:${port}`, {
      ca: pki.ca.certificate,
      cert: pki.admin.certificate,
      key: pki.admin.key,
      ALPNProtocols: ['h2'],
    });
    const stream = session.request({ ':method': 'POST', ':path': '/x?y=1' });
    stream.end('hello');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toEqual({
      path: '/x',
      host: `127.0.0.1:${port}`,
      body: 'hello',
      hasCertificate: true,
    });
    await new Promise<void>((resolve) => session.close(resolve));
  });

  test('verifies client certificates and reports, not drops, what is wrong with one', async () => {
    const port = await serve((request) =>
      jsonResponse(200, {
        given: request.clientCertificate !== undefined,
        error: request.clientCertificateError ?? '',
      }),
    );
    const json = async (options: RequestOptions) => JSON.parse((await call(port, options)).body);
    expect(await json({})).toEqual({ given: false, error: '' });
    expect(await json({ cert: pki.admin.certificate, key: pki.admin.key })).toEqual({ given: true, error: '' });
    const proxy = pki.frontProxyClient;
    expect(await json({ cert: proxy.certificate, key: proxy.key })).toEqual({ given: true, error: '' });
    const nowMs = clock.now();
    const stranger = issueCertificate(
      { commonName: 'x', use: 'client', notBeforeMs: nowMs - 1000, notAfterMs: nowMs + 60_000 },
      { random },
    );
    const foreign = await json({ cert: stranger.certificate, key: stranger.key });
    expect(foreign.given).toBe(false);
    expect(foreign.error).not.toBe('');
    const expired = issueCertificate(
      { commonName: 'x', use: 'client', notBeforeMs: nowMs - 9000, notAfterMs: nowMs - 5000 },
      { random, issuer: pki.ca },
    );
    expect((await json({ cert: expired.certificate, key: expired.key })).error).toBe('CERT_HAS_EXPIRED');
  });

  test('turns a StatusError into its Status object', async () => {
    const port = await serve(() => {
      throw forbidden({ group: '', resource: 'pods', name: 'x' }, 'because');
    });
    const answer = await call(port);
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({ kind: 'Status', reason: 'Forbidden', code: 403 });
  });

  test('refuses a body beyond the limit with 413, announced or not', async () => {
    const port = await serve(async (request) => jsonResponse(200, (await request.readBody(1000)).length));
    const body = Buffer.alloc(200_000);
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const answer = await call(port, { method: 'POST', body, headers });
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.body).message).toBe('Request entity too large: limit is 1000');
    }
  });

  test('answers a path with a broken escape with 400', async () => {
    const port = await serve(() => jsonResponse(200, {}));
    expect((await call(port, { path: '/%zz' })).status).toBe(400);
  });

  test('sends large bodies of many slices whole', async () => {
    const slices = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index};`.padEnd(700, '.')));
    const port = await serve(() => ({ type: 'bytes', status: 200, headers: {}, body: slices }));
    const answer = await call(port);
    expect(answer.body).toBe(Buffer.concat(slices).toString());
    expect(answer.headers['content-length']).toBe(String(3000 * 700));
  });

  test('does not ask for the next piece of a body that reuses its memory before the last one is out', async () => {
    const memory = Buffer.alloc(300_000);
    async function* body() {
      for (const letter of 'abcdefgh') yield memory.fill(letter);
    }
    const headers = { 'content-length': String(8 * memory.length) };
    const port = await serve(() => ({ type: 'stream', status: 200, headers, body: body(), reusesMemory: true }));
    const expected = Array.from('abcdefgh', (letter) => letter.repeat(memory.length)).join('');
    expect((await call(port)).body === expected).toBe(true);
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: pki.ca.certificate, ALPNProtocols: ['h2'] });
    const stream = session.request({ ':path': '/' });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString() === expected).toBe(true);
    await new Promise<void>((resolve) => session.close(resolve));
  });

  test('writes a watch batch by batch and closes its source when the client goes', async () => {
    let closed: () => void = () => undefined;
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const batches = [[frame('a\n'), frame('b\n')], [frame('c\n')]];
    const port = await serve(() => ({
      type: 'watch',
      status: 200,
      headers: { 'content-type': 'application/json' },
      watch: {
        next: () => {
          const batch = batches.shift();
          return batch === undefined ? isClosed.then(() => undefined) : Promise.resolve(batch);
        },
        close: () => closed(),
      },
    }));
    const received = await new Promise<string>((resolve, reject) => {
      let text = '';
      const request = httpsRequest(
        { host: '127.0.0.1', port, ca: pki.ca.certificate, agent: new Agent() },
        (response) => {
          response.on('error', () => undefined);
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString();
            if (text === 'a\nb\nc\n') {
              request.destroy();
              resolve(text);
            }
          });
        },
      );
      request.on('error', reject);
      request.end();
    });
    expect(received).toBe('a\nb\nc\n');
    await isClosed;
  });

  test('does not pull from a watch whose reader takes nothing', async () => {
    let pulled = 0;
    const bytes = Buffer.alloc(1 << 20, 'x');
    const port = await serve(
      () => ({
        type: 'watch',
        status: 200,
        headers: {},
        watch: {
          next: async () => {
            pulled += 1;
            return [{ ...frame(''), bytes: [bytes] }];
          },
          close: () => undefined,
        },
      }),
      { drainTimeoutMs: 300, closeGraceMs: 10 },
    );
    const socket = connectTls({ host: '127.0.0.1', port, ca: pki.ca.certificate });
    await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise<void>((resolve) => socket.once('readable', () => resolve()));
    // Nothing is read from here on; the server's patience ends the connection.
    await server?.close();
    expect(pulled).toBeLessThan(64);
    socket.destroy();
    await gone;
  });

  test('aborts the request when the client goes before the answer', async () => {
    let aborted: (reason: unknown) => void = () => undefined;
    const reason = new Promise((resolve) => {
      aborted = resolve;
    });
    let hangUp: () => void = () => undefined;
    const port = await serve(
      (apiRequest) =>
        new Promise((_resolve, reject) => {
          apiRequest.signal.addEventListener('abort', () => {
            aborted(apiRequest.signal.reason);
            reject(new Error('aborted'));
          });
          hangUp();
        }),
    );
    const request = httpsRequest({ host: '127.0.0.1', port, ca: pki.ca.certificate, agent: new Agent() });
    hangUp = () => request.destroy();
    request.on('error', () => undefined);
    request.end();
    expect(String(await reason)).toContain('closed the connection');
  });

  test('hands an upgrade over, or refuses it as HTTP', async () => {
    const port = await serve((request) => {
      if (request.path === '/no') throw forbidden({ group: '', resource: 'pods', name: 'x' }, 'because');
      return {
        type: 'upgrade',
        accept: async () => {
          const socket = request.upgrade?.socket;
          socket?.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n');
          socket?.pipe(socket);
        },
      };
    });
    const headers = { connection: 'Upgrade', upgrade: 'echo' };
    expect((await call(port, { path: '/no', headers })).status).toBe(403);
    const echoed = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest({
        host: '127.0.0.1',
        port,
        path: '/yes',
        ca: pki.ca.certificate,
        agent: new Agent(),
        headers,
      });
      request.on('error', reject);
      request.on('upgrade', (_response, socket) => {
        socket.write('ping');
        socket.once('data', (chunk: Buffer) => {
          socket.destroy();
          resolve(chunk.toString());
        });
      });
      request.end();
    });
    expect(echoed).toBe('ping');
  });

  test('close ends watches and resolves', async () => {
    let end: () => void = () => undefined;
    const ended = new Promise<undefined>((resolve) => {
      end = () => resolve(undefined);
    });
    const port = await serve(() => ({
      type: 'watch',
      status: 200,
      headers: {},
      watch: { next: () => ended, close: () => end() },
    }));
    const answer = new Promise<number>((resolve, reject) => {
      const request = httpsRequest(
        { host: '127.0.0.1', port, ca: pki.ca.certificate, agent: new Agent() },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          void server?.close();
        },
      );
      request.on('error', reject);
      request.end();
    });
    expect(await answer).toBe(200);
    await server?.close();
  });
});
