import { connect as connectHttp2, constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepKnownObjects, type KnownObjects } from './support/known-objects.ts';
import { HttpsTarget } from './support/https-target.ts';
import { Dice, FUZZ_FACTOR, FUZZ_SEED } from './support/run.ts';
import { FuzzTarget, TOKEN } from './support/target.ts';
import { mutatedBytes } from './support/values.ts';

// Bytes on the wire that no proper client sends: the server answers or hangs up, and goes on for everybody else.

let target: FuzzTarget;
let https: HttpsTarget;
let known: KnownObjects;

beforeAll(async () => {
  target = await FuzzTarget.start();
  known = await keepKnownObjects(target);
  https = await HttpsTarget.start(target, {
    headersTimeoutMs: 1_000,
    requestTimeoutMs: 2_000,
    keepAliveTimeoutMs: 1_500,
    headerBytesMax: 16_384,
  });
});

afterAll(async () => {
  await https[Symbol.asyncDispose]();
  await target.close();
});

const AUTHORIZATION = `Authorization: Bearer ${TOKEN}\r\n`;
const GET = `GET /api/v1/namespaces/known/configmaps/known-1 HTTP/1.1\r\nHost: x\r\n${AUTHORIZATION}\r\n`;

/** A request as text, with its parts. */
function http1(line: string, headers: readonly string[] = [], body = ''): Buffer {
  const lines = [line, 'Host: x', `Authorization: Bearer ${TOKEN}`, ...headers, '', body];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

function statusOf(answer: Buffer): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer.toString('latin1'))?.[1] ?? '0');
}

const CREATE = 'POST /api/v1/namespaces/default/configmaps?dryRun=All HTTP/1.1';
const MAP = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}';
const JSON_TYPE = 'Content-Type: application/json';

/** The preface and empty settings: what every connection begins with. */
const PREFACE = Buffer.from(
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000\u0000\u0004\u0000\u0000\u0000\u0000\u0000',
  'latin1',
);

describe('HTTP/1.1 on the wire', () => {
  test.each<[name: string, bytes: Buffer, statuses: readonly number[]]>([
    ['a proper request', Buffer.from(GET), [200]],
    ['a path that is not escaped rightly', http1('GET /api/v1/%zz HTTP/1.1'), [400]],
    ['a path with a zero byte in it', http1('GET /api/v1/namespaces/a%00b/pods HTTP/1.1'), [200, 400, 404]],
    ['a path with escaped slashes', http1('GET /api/v1/namespaces/known%2fconfigmaps HTTP/1.1'), [200, 404]],
    ['no path', http1('GET HTTP/1.1'), [400]],
    ['an address as path', http1('GET http://x/api HTTP/1.1'), [200, 404]],
    ['a star as path', http1('OPTIONS * HTTP/1.1'), [400, 403, 404]],
    ['an unknown method', http1('FROBNICATE /api HTTP/1.1'), [400]],
    ['HTTP/0.9', Buffer.from('GET /\r\n\r\n'), [400, 403]],
    ['HTTP/3.0', Buffer.from('GET / HTTP/3.0\r\nHost: x\r\n\r\n'), [400, 505]],
    ['no host', Buffer.from('GET /healthz HTTP/1.1\r\n\r\n'), [400]],
    ['too many bytes of headers', http1('GET /healthz HTTP/1.1', [`X: ${'x'.repeat(20_000)}`]), [431]],
    [
      'too many headers',
      http1(
        'GET /healthz HTTP/1.1',
        Array.from({ length: 4_000 }, (_, i) => `X${i}: 1`),
      ),
      [431],
    ],
    ['a path that is too long', http1(`GET /${'x'.repeat(20_000)} HTTP/1.1`), [414, 431]],
    ['two lengths', http1(CREATE, [JSON_TYPE, 'Content-Length: 3', 'Content-Length: 4'], MAP), [400]],
    ['a length and chunks', http1(CREATE, [JSON_TYPE, 'Content-Length: 3', 'Transfer-Encoding: chunked'], MAP), [400]],
    ['a length below zero', http1(CREATE, [JSON_TYPE, 'Content-Length: -1'], MAP), [400]],
    ['a length that is too short', http1(CREATE, [JSON_TYPE, 'Content-Length: 10'], MAP), [400]],
    ['a length of more than is taken', http1(CREATE, [JSON_TYPE, 'Content-Length: 99999999'], MAP), [413]],
    ['broken chunks', http1(CREATE, [JSON_TYPE, 'Transfer-Encoding: chunked'], 'zz\r\n{}\r\n'), [400]],
    [
      'a chunk too long to be true',
      http1(CREATE, [JSON_TYPE, 'Transfer-Encoding: chunked'], 'ffffffffffffffff\r\n{'),
      [400, 408],
    ],
    ['an encoding that is not known', http1(CREATE, [JSON_TYPE, 'Transfer-Encoding: gzip'], MAP), [400, 501]],
    ['a line break within a header', http1('GET /healthz HTTP/1.1', ['X: a\rb']), [400]],
    ['a header without a name', http1('GET /healthz HTTP/1.1', [': x']), [400]],
    ['a header with a zero byte', http1('GET /healthz HTTP/1.1', ['X: \u0000']), [400]],
    ['an upgrade that nobody handles', http1('GET /healthz HTTP/1.1', ['Connection: upgrade', 'Upgrade: x']), [200]],
    [
      'an upgrade to HTTP/2',
      http1('GET /healthz HTTP/1.1', ['Connection: upgrade, http2-settings', 'Upgrade: h2c', 'HTTP2-Settings: AAA']),
      [200],
    ],
    [
      'an upgrade to a broken WebSocket',
      http1('GET /api/v1/configmaps?watch=1 HTTP/1.1', ['Connection: upgrade', 'Upgrade: websocket']),
      [200, 400, 426],
    ],
    ['an expectation', http1(CREATE, [JSON_TYPE, 'Expect: x', 'Content-Length: 2'], '{}'), [400, 417]],
    ['bytes of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), [400]],
    ['bytes of TLS', Buffer.from('160301020001000', 'hex'), [400]],
  ])('%s', async (_name, bytes, statuses) => {
    const answer = await https.exchange([bytes], { ends: false });
    expect(statuses).toContain(statusOf(answer));
    expect(target.failures).toEqual([]);
  });

  test('many requests in one piece are answered in order', async () => {
    const answer = await https.exchange([Buffer.from(GET.repeat(50))], { ends: false, quietMs: 500 });
    expect(answer.toString().match(/HTTP\/1\.1 200/g)).toHaveLength(50);
  });

  test('a request that comes byte by byte is answered', async () => {
    const bytes = http1(CREATE, [JSON_TYPE, `Content-Length: ${MAP.length}`], MAP);
    const answer = await https.exchange(
      [...bytes].map((byte) => Uint8Array.of(byte)),
      { ends: false },
    );
    expect(statusOf(answer)).toBe(201);
  });

  test('a head or a body that does not come to its end is given up with 408', async () => {
    expect(statusOf(await https.exchange([Buffer.from('GET /healthz HTT')], { ends: false }))).toBe(408);
    const body = http1(CREATE, [JSON_TYPE, 'Content-Length: 100'], '{');
    expect(statusOf(await https.exchange([body], { ends: false }))).toBe(408);
  });

  test('a client that says nothing is let go', async () => {
    expect([0, 408]).toContain(statusOf(await https.exchange([], { ends: false })));
    const silence = await https.exchange([PREFACE], { protocol: 'h2', ends: false, quietMs: 8_000 });
    // What comes are settings and the good-bye.
    expect(silence.length).toBeGreaterThan(0);
  });

  test('a client that closes its half still gets an answer, or is let go', async () => {
    const answer = await https.exchange([Buffer.from(GET)], { ends: true });
    expect([0, 200]).toContain(statusOf(answer));
  });

  test('random changes of requests are answered or refused', { timeout: 60_000 * FUZZ_FACTOR }, async () => {
    const dice = new Dice(`wire:${FUZZ_SEED}`);
    const requests = [
      Buffer.from(GET),
      http1(CREATE, [JSON_TYPE, `Content-Length: ${MAP.length}`], MAP),
      http1(CREATE, [JSON_TYPE, 'Transfer-Encoding: chunked'], `${MAP.length.toString(16)}\r\n${MAP}\r\n0\r\n\r\n`),
      http1('GET /api/v1/namespaces/known/configmaps?watch=1&timeoutSeconds=1 HTTP/1.1'),
      http1('GET /api/v1/namespaces/a/pods/b/exec?command=x HTTP/1.1', [
        'Connection: upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: x',
      ]),
    ];
    const failed: string[] = [];
    for (let round = 0; round < 60 * FUZZ_FACTOR; round += 1) {
      const bytes = mutatedBytes(dice.pick(requests), dice);
      target.failures.length = 0;
      const answer = await https.exchange([bytes], { ends: true, quietMs: 20 });
      if (statusOf(answer) === 500 || target.failures.length > 0) {
        failed.push(`round ${round}: ${target.failures.join('\n')}\n${Buffer.from(bytes).toString('latin1')}`);
      }
    }
    expect(failed).toEqual([]);
    expect(await known.read()).toEqual(known.before);
  });
});

describe('HTTP/2 on the wire', () => {
  test('frames without sense end the connection, not the server', { timeout: 60_000 * FUZZ_FACTOR }, async () => {
    const dice = new Dice(`frames:${FUZZ_SEED}`);
    for (let round = 0; round < 60 * FUZZ_FACTOR; round += 1) {
      const frames = Array.from({ length: 1 + dice.int(5) }, () => {
        const payload = dice.bytes(dice.int(dice.once(5) ? 5_000 : 40));
        const head = Buffer.alloc(9);
        head.writeUIntBE(dice.once(10) ? dice.int(0xffffff) : payload.length, 0, 3);
        head[3] = dice.int(12);
        head[4] = dice.int(256);
        head.writeUInt32BE(dice.pick([0, 1, 1, 2, 3, 0x7fffffff, 0xffffffff]), 5);
        return Buffer.concat([head, payload]);
      });
      await https.exchange([PREFACE, ...frames], { protocol: 'h2', ends: true, quietMs: 20 });
    }
    expect(target.failures).toEqual([]);
    expect(statusOf(await https.exchange([Buffer.from(GET)], { ends: false }))).toBe(200);
  });

  test('odd methods and paths get a status', async () => {
    const session = connectHttp2(`https://localhost:${https.port}`, { ca: https.certificateAuthority });
    const statuses: number[] = [];
    const odd = ['constructor', '__proto__', 'toString', 'get', 'X'.repeat(1_000)];
    for (const [method, path] of [
      ...odd.map((name) => [name, '/api/v1/namespaces/default/pods'] as const),
      ['GET', '/api/%zz'] as const,
      ['GET', '//'] as const,
    ]) {
      const stream = session.request({ ':method': method, ':path': path, authorization: `Bearer ${TOKEN}` });
      const status = await new Promise<number>((resolve, reject) => {
        stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
        stream.on('error', reject);
      });
      stream.resume();
      statuses.push(status);
    }
    session.close();
    expect(statuses.filter((status) => status < 200 || status === 500)).toEqual([]);
    expect(target.failures).toEqual([]);
  });

  test('streams that are opened and reset at once leave nothing behind', async () => {
    const session = connectHttp2(`https://localhost:${https.port}`, { ca: https.certificateAuthority });
    session.on('error', () => undefined);
    for (let round = 0; round < 100; round += 1) {
      const path = '/api/v1/namespaces/known/configmaps?watch=1';
      const stream = session.request({ ':path': path, authorization: `Bearer ${TOKEN}` });
      stream.on('error', () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => session.close(() => resolve(undefined)));
    await expectNoWatchers();
  });
});

describe('clients that go away', () => {
  test('in the middle of watches leave no watcher behind', async () => {
    const line = 'GET /api/v1/namespaces/known/configmaps?watch=1 HTTP/1.1';
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = await https.connect();
        socket.write(http1(line));
        await new Promise((resolve) => socket.once('data', resolve));
        return socket;
      }),
    );
    expect(await watchers()).toBe(20);
    for (const socket of sockets) socket.destroy();
    await expectNoWatchers();
  });
});

/** How many watches of configmaps the server counts. */
async function watchers(): Promise<number> {
  const { body } = await target.send({ method: 'GET', target: '/metrics' });
  const counts = [...body.toString().matchAll(/^apiserver_longrunning_requests\{(.*)\} (\d+)$/gm)];
  return counts.reduce((sum, [, labels = '', count]) => sum + (labels.includes('"WATCH"') ? Number(count) : 0), 0);
}

async function expectNoWatchers(): Promise<void> {
  for (let round = 0; round < 500 && (await watchers()) > 0; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await watchers()).toBe(0);
}
