import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import type { Route, RouteEndpoint, RouteProtocol } from '../routes.ts';
import { UserspaceBackend } from './userspace-backend.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function backend(): UserspaceBackend {
  const made = new UserspaceBackend({ log: silentLogger, clock: new RealClock(), random: new SeededRandom(1) });
  closers.push(() => made.stop());
  return made;
}

function route(protocol: RouteProtocol, port: number, endpoints: RouteEndpoint[], affinitySeconds = 0): Route {
  return {
    id: 'default/web:main',
    protocol,
    clusterIps: ['127.0.0.1'],
    port,
    nodePort: 0,
    externalIps: [],
    endpoints,
    externalEndpoints: endpoints,
    keepsSource: false,
    affinitySeconds,
  };
}

async function udpSocket(): Promise<{ socket: Socket; endpoint: RouteEndpoint }> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  closers.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return { socket, endpoint: { ip: '127.0.0.1', port: socket.address().port, nodeName: '' } };
}

async function udpEcho(name: string): Promise<RouteEndpoint> {
  const { socket, endpoint } = await udpSocket();
  socket.on('message', (packet, from) => socket.send(`${name} ${packet.toString()}`, from.port, from.address));
  return endpoint;
}

async function tcpEcho(name: string): Promise<RouteEndpoint> {
  const server = createServer((socket) => socket.end(name));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.address();
  return { ip: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0, nodeName: '' };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function askUdp(socket: Socket, port: number, text: string): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text, port, '127.0.0.1');
  const [packet] = (await answer) as [Buffer];
  return packet.toString();
}

async function askTcp(port: number): Promise<string> {
  let text = '';
  for await (const piece of connect(port, '127.0.0.1')) text += String(piece);
  return text;
}

describe('UserspaceBackend', () => {
  test('passes datagrams to an endpoint and its answers back to each client', async () => {
    const proxy = backend();
    const port = await freePort();
    await proxy.apply([{ next: route('udp', port, [await udpEcho('a')]) }]);
    const [one, two] = [await udpSocket(), await udpSocket()];
    const answers = await Promise.all([askUdp(one.socket, port, 'first'), askUdp(two.socket, port, 'second')]);
    expect(answers).toEqual(['a first', 'a second']);
    expect(await askUdp(one.socket, port, 'again')).toBe('a again');
  });

  test('sends a client of datagrams elsewhere when its endpoint is gone', async () => {
    const proxy = backend();
    const port = await freePort();
    const before = route('udp', port, [await udpEcho('old')]);
    await proxy.apply([{ next: before }]);
    const { socket } = await udpSocket();
    expect(await askUdp(socket, port, '1')).toBe('old 1');
    await proxy.apply([{ previous: before, next: route('udp', port, [await udpEcho('new')]) }]);
    expect(await askUdp(socket, port, '2')).toBe('new 2');
  });

  test('serves TCP and UDP at one address', async () => {
    const proxy = backend();
    const port = await freePort();
    await proxy.apply([
      { next: { ...route('udp', port, [await udpEcho('udp')]), id: 'default/dns:dns' } },
      { next: { ...route('tcp', port, [await tcpEcho('tcp')]), id: 'default/dns:dns-tcp' } },
    ]);
    const { socket } = await udpSocket();
    expect(await askUdp(socket, port, 'x')).toBe('udp x');
    expect(await askTcp(port)).toBe('tcp');
  });

  test('keeps a client at its endpoint when others come and go', async () => {
    const proxy = backend();
    const port = await freePort();
    const [first, second, third] = [await tcpEcho('1'), await tcpEcho('2'), await tcpEcho('3')];
    let current = route('tcp', port, [first, second], 60);
    await proxy.apply([{ next: current }]);
    const chosen = await askTcp(port);
    const kept = chosen === '1' ? first : second;
    for (const endpoints of [
      [first, second, third],
      [third, kept],
      [kept, third],
    ]) {
      const next = route('tcp', port, endpoints, 60);
      await proxy.apply([{ previous: current, next }]);
      current = next;
      expect(await askTcp(port)).toBe(chosen);
    }
    await proxy.apply([{ previous: current, next: route('tcp', port, [third], 60) }]);
    expect(await askTcp(port)).toBe('3');
  });
});
