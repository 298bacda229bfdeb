import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import {
  type sendUnaryData,
  Server as GrpcServer,
  ServerCredentials,
  type ServerUnaryCall,
  status as grpcStatus,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import type { HttpTarget } from './contract.ts';
import { NetworkTransport } from './network-transport.ts';

const transport = new NetworkTransport({ clock: new RealClock() });
const options = { timeoutMs: 5000 };
let server: Server;
let port: number;
const agents: (string | undefined)[] = [];

beforeAll(async () => {
  server = createHttpServer((request, response) => {
    agents.push(request.headers['user-agent']);
    const url = request.url ?? '/';
    if (url === '/slow') return;
    const status = Number(/^\/status\/(\d+)/.exec(url)?.[1] ?? 200);
    const location = new URL(url, 'http://x').searchParams.get('to');
    response.writeHead(status, location === null ? {} : { location });
    response.end(`answer ${status}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Safe: it listens on a port.
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const http = (path: string, timeoutMs = 5000) =>
  transport.http(
    { scheme: 'http', host: '127.0.0.1', port, path, headers: [], userAgent: 'kube-probe/1.36' },
    { timeoutMs },
  );

describe('NetworkTransport', () => {
  test.each([
    [200, 'success', 'answer 200'],
    [399, 'success', 'answer 399'],
    [404, 'failure', 'HTTP probe failed with statuscode: 404'],
    [500, 'failure', 'HTTP probe failed with statuscode: 500'],
  ])('judges an answer of %i', async (status, result, output) => {
    expect(await http(`/status/${status}`)).toEqual({ result, output });
    expect(agents.at(-1)).toBe('kube-probe/1.36');
  });

  test('follows a redirect on the same host and warns of one that leaves it', async () => {
    expect(await http('/status/302?to=/status/500')).toMatchObject({ result: 'failure' });
    expect(await http('/status/302?to=http://example.com/')).toEqual({
      result: 'success',
      output: 'Probe terminated redirects, Response body: answer 302',
      isWarning: true,
    });
    expect(await http('/status/302?to=/status/302?to=/status/302')).toMatchObject({ result: 'success' });
  });

  test('says what went wrong as Go would', async () => {
    expect(await http('/slow', 50)).toEqual({
      result: 'failure',
      output: `Get "http://127.0.0.1:${port}/slow": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    });
    const closed = await freePort();
    const target: HttpTarget = {
      scheme: 'http',
      host: '127.0.0.1',
      port: closed,
      path: '/',
      headers: [],
      userAgent: 'x',
    };
    expect(await transport.http(target, options)).toEqual({
      result: 'failure',
      output: `Get "http://127.0.0.1:${closed}/": dial tcp 127.0.0.1:${closed}: connect: connection refused`,
    });
    expect(await transport.tcp({ host: '127.0.0.1', port: closed }, options)).toEqual({
      result: 'failure',
      output: `dial tcp 127.0.0.1:${closed}: connect: connection refused`,
    });
    expect(await transport.tcp({ host: '127.0.0.1', port }, options)).toEqual({ result: 'success', output: '' });
  });

  test('asks the gRPC health service', async () => {
    const health = new GrpcServer();
    const bytes = (value: Buffer) => value;
    const check = {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    health.addService(
      { check },
      {
        check: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          const service = call.request.subarray(2).toString();
          if (service === 'none') done({ code: grpcStatus.NOT_FOUND, details: 'unknown service' });
          else done(null, Buffer.from([0x08, service === 'bad' ? 2 : 1]));
        },
      },
    );
    const grpcPort = await new Promise<number>((resolve, reject) => {
      const done = (error: Error | null, bound: number) => (error === null ? resolve(bound) : reject(error));
      health.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), done);
    });
    const ask = (service: string) => transport.grpc({ host: '127.0.0.1', port: grpcPort, service }, options);
    expect(await ask('')).toEqual({ result: 'success', output: 'service healthy' });
    expect(await ask('bad')).toEqual({
      result: 'failure',
      output: 'service unhealthy (responded with "NOT_SERVING")',
    });
    expect(await ask('none')).toEqual({ result: 'failure', output: 'error: health rpc probe failed: unknown service' });
    health.forceShutdown();
  });
});

async function freePort(): Promise<number> {
  const probe = createTcpServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  // Safe: it listens on a port.
  const { port: free } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return free;
}
