import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { afterEach, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { type HealthServer, listenHealth, selfSignedCertificate } from './health-server.ts';

let server: HealthServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

function ask(path: string, options: { isTls: boolean }): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const to = { host: '127.0.0.1', port: server?.port, path, rejectUnauthorized: false, agent: false as const };
    const call = (options.isTls ? requestHttps : requestHttp)(to, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

describe('listenHealth', () => {
  test.each([false, true])('tells how the component is (TLS: %s)', async (isTls) => {
    const tls = isTls ? { tls: selfSignedCertificate({ clock: new RealClock(), random: new SystemRandom() }) } : {};
    const checks = { '/healthz': () => undefined, '/readyz': () => 'the cache has not synced' };
    server = await listenHealth({ host: '127.0.0.1', port: 0, checks, ...tls });
    expect(await ask('/healthz?verbose', { isTls })).toEqual({ status: 200, body: 'ok' });
    expect(await ask('/readyz', { isTls })).toEqual({ status: 500, body: 'the cache has not synced' });
    expect((await ask('/toString', { isTls })).status).toBe(404);
  });
});
