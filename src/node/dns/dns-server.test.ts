import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '#api/generated/types.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { DnsServer } from './dns-server.ts';
import { Forwarder } from './forwarder.ts';

const MANY = 200;
const CROWD: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'crowd-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'crowd' } },
  addressType: 'IPv4',
  endpoints: Array.from({ length: MANY }, (_, index) => ({ addresses: [`10.244.1.${index}`] })),
};

function headless(name: string): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { clusterIP: 'None' } };
}

describe('DnsServer', () => {
  let server: DnsServer;
  let port: number;

  beforeEach(async () => {
    server = new DnsServer({
      view: {
        service: (_namespace, name) => (name === 'crowd' ? headless(name) : undefined),
        hasNamespace: () => true,
        slices: () => [CROWD],
        serviceByIp: () => undefined,
        endpointByIp: () => undefined,
      },
      forwarder: new Forwarder({ servers: [], clock: new RealClock(), random: new SystemRandom() }),
      log: silentLogger,
      domain: 'cluster.local',
    });
    port = await server.listen({ host: '127.0.0.1', port: 0 });
  });

  afterEach(() => server.close());

  const query = (name: string): Buffer =>
    encode({ type: 'query', id: 77, flags: 256, questions: [{ type: 'A', name, class: 'IN' }] });

  const overUdp = (message: Uint8Array): Promise<Packet> =>
    new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      socket.on('error', reject);
      socket.on('message', (answer) => {
        socket.close();
        resolve(decode(answer));
      });
      socket.send(message, port, '127.0.0.1');
    });

  const overTcp = (message: Uint8Array): Promise<Packet> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let received = Buffer.alloc(0);
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
        socket.destroy();
        resolve(decode(received.subarray(2)));
      });
      const head = Buffer.alloc(2);
      head.writeUInt16BE(message.length);
      // In two parts, as a network may deliver it.
      socket.write(Buffer.concat([head, message.subarray(0, 5)]));
      socket.write(message.subarray(5));
    });

  test('answers over UDP, and truncates what does not fit', async () => {
    const answer = await overUdp(query('crowd.default.svc.cluster.local'));
    expect(answer.id).toBe(77);
    expect((answer.flags ?? 0) & 512).toBe(512);
    expect(answer.answers).toEqual([]);
  });

  test('answers whole over TCP', async () => {
    const answer = await overTcp(query('crowd.default.svc.cluster.local'));
    expect(answer.answers).toHaveLength(MANY);
  });

  test('says NXDOMAIN with a start of authority', async () => {
    const answer = await overUdp(query('nothing.default.svc.cluster.local'));
    expect((answer.flags ?? 0) & 15).toBe(3);
    expect(answer.authorities?.[0]?.type).toBe('SOA');
  });

  test('says SERVFAIL where nobody answers for the rest of the world', async () => {
    const answer = await overUdp(query('example.com'));
    expect((answer.flags ?? 0) & 15).toBe(2);
  });

  test('survives garbage and answers that were never asked for', async () => {
    const socket = createSocket('udp4');
    const send = (bytes: Uint8Array) => new Promise((resolve) => socket.send(bytes, port, '127.0.0.1', resolve));
    await send(Buffer.from([1, 2, 3]));
    await send(Buffer.alloc(600, 0xff));
    await send(encode({ type: 'response', id: 1, questions: [] }));
    socket.close();
    expect((await overUdp(query('crowd.default.svc.cluster.local'))).id).toBe(77);
    expect(server.counts.malformed).toBeGreaterThan(0);
  });
});
