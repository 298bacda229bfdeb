import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';

import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { RealClock } from '#machinery/clock/real-clock.ts';

import { SpdyConnection } from '../spdy/spdy-connection.ts';
import { WebSocketDuplex } from '../websocket/web-socket-duplex.ts';
import { openPortForward } from './client.ts';
import { servePortForward } from './serve-port-forward.ts';

const clock = new RealClock();
const servers: Server[] = [];
const sockets: Duplex[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Duplex) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A kubelet's end whose pods have one port open: `target`. */
async function serve(target: number): Promise<string> {
  const server = createHttpServer();
  server.on('upgrade', (message, socket, head: Buffer) => {
    const open = async (port: number): Promise<Duplex> => {
      if (port !== target) throw new Error(`connect ECONNREFUSED 127.0.0.1:${port}`);
      return await new Promise((resolve, reject) => {
        const connection = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(connection));
        connection.once('error', reject);
      });
    };
    void servePortForward({ message, socket, head }, { open, podName: 'web_default', podUid: 'u1' }, { clock });
  });
  return `http://127.0.0.1:${await listen(server)}/portForward/default/web`;
}

function echoServer(): Server {
  return createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
}

async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function sendAndReceive(stream: Duplex, chunks: number): Promise<number> {
  const chunk = Buffer.alloc(256 * 1024, 'z');
  let received = 0;
  stream.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  const ended = new Promise((resolve) => stream.once('end', resolve));
  for (let index = 0; index < chunks; index += 1) {
    if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve));
  }
  stream.end();
  await ended;
  return received;
}

/** Dials as kubectl does, by hand: its subprotocol is one that ws refuses to send. */
async function tunnel(url: string): Promise<SpdyConnection> {
  const outgoing = request(url, {
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
    },
  });
  const { socket, head, protocol } = await new Promise<{ socket: Duplex; head: Buffer; protocol: unknown }>(
    (resolve) => {
      outgoing.once('upgrade', (response, upgraded, rest) => {
        resolve({ socket: upgraded, head: rest, protocol: response.headers['sec-websocket-protocol'] });
      });
      outgoing.end();
    },
  );
  expect(protocol).toBe('SPDY/3.1+portforward.k8s.io');
  const webSocket = new WebSocket(null as unknown as string, undefined, { autoPong: true });
  const inner = webSocket as unknown as {
    _isServer: boolean;
    setSocket: (socket: Duplex, head: Buffer, options: object) => void;
  };
  inner._isServer = false;
  inner.setSocket(socket, head, { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false });
  return new SpdyConnection(new WebSocketDuplex(webSocket), { role: 'client' });
}

describe('servePortForward', () => {
  test('carries 50 MB each way over SPDY', async () => {
    const port = await listen(echoServer());
    const stream = await openPortForward(await serve(port), port);
    expect(await sendAndReceive(stream, 200)).toBe(50 * 1024 * 1024);
  });

  test('carries 50 MB each way over SPDY in a WebSocket', async () => {
    const port = await listen(echoServer());
    const connection = await tunnel(await serve(port));
    const headers = { port: String(port), requestid: '0' };
    connection.openStream({ ...headers, streamtype: 'error' }).end();
    const data = connection.openStream({ ...headers, streamtype: 'data' });
    expect(await sendAndReceive(data, 200)).toBe(50 * 1024 * 1024);
    connection.close();
    await connection.closed;
  });

  test('delivers all of an answer whose sender closes at once', async () => {
    const body = Buffer.alloc(5 * 1024 * 1024, 'b');
    const port = await listen(createServer((socket) => void socket.end(body)));
    const connection = await tunnel(await serve(port));
    const headers = { port: String(port), requestid: '0' };
    const error = connection.openStream({ ...headers, streamtype: 'error' });
    error.end();
    const data = connection.openStream({ ...headers, streamtype: 'data' });
    expect((await readAll(data)).length).toBe(body.length);
    data.end();
    expect((await readAll(error)).toString()).toBe('');
    connection.close();
    await connection.closed;
  });

  test('tells why a port cannot be reached', async () => {
    const port = await listen(echoServer());
    const connection = await tunnel(await serve(port));
    const headers = { port: '1', requestid: '7' };
    const error = connection.openStream({ ...headers, streamtype: 'error' });
    const data = connection.openStream({ ...headers, streamtype: 'data' });
    expect((await readAll(error)).toString()).toBe(
      'error forwarding port 1 to pod web_default, uid u1: connect ECONNREFUSED 127.0.0.1:1',
    );
    data.destroy();
    connection.close();
    await connection.closed;
  });

  test('serves several connections on one', async () => {
    const port = await listen(echoServer());
    const connection = await tunnel(await serve(port));
    const answers = Array.from({ length: 20 }, async (_, index) => {
      const headers = { port: String(port), requestid: String(index) };
      connection.openStream({ ...headers, streamtype: 'error' }).end();
      const data = connection.openStream({ ...headers, streamtype: 'data' });
      data.end(`request ${index}`);
      return (await readAll(data)).toString();
    });
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 20 }, (_, index) => `request ${index}`));
    connection.close();
    await connection.closed;
  });

  test('speaks WebSocket channels: the port first, then data', async () => {
    const port = await listen(echoServer());
    const url = await serve(port);
    const socket = new WebSocket(`${url.replace('http:', 'ws:')}?ports=${port}`, ['v4.channel.k8s.io']);
    const channels: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
    const answered = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const channel = data[0]!;
        channels[channel] = Buffer.concat([channels[channel]!, data.subarray(1)]);
        if (channels[0]!.length === 6) resolve();
      });
    });
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(Buffer.from('\x00ping'));
    await answered;
    expect(channels[0]!.readUInt16LE()).toBe(port);
    expect(channels[0]!.subarray(2).toString()).toBe('ping');
    expect(channels[1]!.readUInt16LE()).toBe(port);
    socket.close();
    await new Promise((resolve) => socket.once('close', resolve));
  });
});
