import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { issueCertificate, type KeyPair } from '#apiserver/pki/certificate.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';

export interface HealthServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Absent: plain HTTP. */
  readonly tls?: KeyPair;
  /** Paths that are served, such as `/healthz`; each answers `ok`, or 500 with what is wrong. */
  readonly checks: Readonly<Record<string, () => string | undefined>>;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

const YEAR_MS = 365 * 86_400_000;

/** The port at which a component says whether it is well: 10257, 10259, 10248. Anybody may ask. */
export async function listenHealth(options: HealthServerOptions): Promise<HealthServer> {
  const { host, port, tls, checks } = options;
  const answer: RequestListener = (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const check = Object.hasOwn(checks, path) ? checks[path] : undefined;
    const problem = check?.();
    const status = check === undefined ? 404 : problem === undefined ? 200 : 500;
    const body = check === undefined ? '404 page not found\n' : (problem ?? 'ok');
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' });
    response.end(body);
  };
  const server =
    tls === undefined ? createHttpServer(answer) : createHttpsServer({ cert: tls.certificate, key: tls.key }, answer);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    // Safe: a server that listens on a port has this form of address.
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A serving certificate that nobody vouches for: what components use where none is given. */
export function selfSignedCertificate(deps: { clock: Clock; random: Random }): KeyPair {
  const nowMs = deps.clock.now();
  const name = hostname();
  return issueCertificate(
    {
      commonName: `${name}@${Math.floor(nowMs / 1000)}`,
      use: 'server',
      alternativeNames: [name, 'localhost', '127.0.0.1'],
      notBeforeMs: nowMs - 3_600_000,
      notAfterMs: nowMs + YEAR_MS,
    },
    { random: deps.random },
  );
}
