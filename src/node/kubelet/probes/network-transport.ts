import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Clock } from '#machinery/clock/clock.ts';
import type { HttpTarget, ProbeOutcome, ProbeTransport } from './contract.ts';
import { grpcProbe } from './grpc-probe.ts';
import { hostPort } from './host-port.ts';

const REDIRECTS_MAX = 10;
const BODY_BYTES_MAX = 10 * 1024;

/** Probes over the real network, with upstream's rules and words. */
export class NetworkTransport implements ProbeTransport {
  readonly #clock: Clock;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  async http(target: HttpTarget, options: { timeoutMs: number }): Promise<ProbeOutcome> {
    return httpProbe(target, options);
  }

  async tcp(target: { host: string; port: number }, { timeoutMs }: { timeoutMs: number }): Promise<ProbeOutcome> {
    const address = hostPort(target.host, target.port);
    return new Promise((resolve) => {
      const socket = connect({ host: target.host, port: target.port, timeout: timeoutMs });
      const settle = (outcome: ProbeOutcome) => {
        socket.destroy();
        resolve(outcome);
      };
      socket.once('connect', () => settle({ result: 'success', output: '' }));
      socket.once('timeout', () => settle({ result: 'failure', output: `dial tcp ${address}: i/o timeout` }));
      socket.once('error', (error) =>
        settle({ result: 'failure', output: `dial tcp ${address}: ${dialError(error)}` }),
      );
    });
  }

  async grpc(
    target: { host: string; port: number; service: string },
    options: { timeoutMs: number },
  ): Promise<ProbeOutcome> {
    return grpcProbe(target, { ...options, clock: this.#clock });
  }
}

async function httpProbe(first: HttpTarget, { timeoutMs }: { timeoutMs: number }): Promise<ProbeOutcome> {
  let url = urlOf(first);
  const signal = AbortSignal.timeout(timeoutMs);
  for (let redirects = 0; ; redirects += 1) {
    let response: { status: number; location: string | undefined; body: string };
    try {
      response = await fetchOnce(url, { headers: headersOf(first, url), signal });
    } catch (error) {
      return { result: 'failure', output: requestError(url, error, signal) };
    }
    const { status, location, body } = response;
    const next = location === undefined || status < 300 || status >= 400 ? undefined : new URL(location, url);
    if (next === undefined || !isRedirect(status)) return judge(status, body);
    if (next.hostname !== url.hostname) {
      // Following would probe somebody else; the answer itself shows that this server works.
      return { result: 'success', output: `Probe terminated redirects, Response body: ${body}`, isWarning: true };
    }
    if (redirects >= REDIRECTS_MAX) {
      return { result: 'failure', output: `Get "${next.href}": stopped after ${REDIRECTS_MAX} redirects` };
    }
    url = next;
  }
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function judge(status: number, body: string): ProbeOutcome {
  if (status >= 200 && status < 400) return { result: 'success', output: body };
  return { result: 'failure', output: `HTTP probe failed with statuscode: ${status}` };
}

function urlOf({ scheme, host, port, path }: HttpTarget): URL {
  return new URL(path, `${scheme}://${hostPort(host, port)}`);
}

function headersOf(target: HttpTarget, url: URL): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  const given = new Set<string>();
  for (const { name, value } of target.headers) {
    const key = name.toLowerCase();
    const before = headers[key];
    headers[key] = given.has(key) && before !== undefined ? [before, value].flat() : value;
    given.add(key);
  }
  headers['user-agent'] ??= target.userAgent;
  headers['accept'] ??= '*/*';
  headers['connection'] ??= 'close';
  headers['host'] ??= url.host;
  return headers;
}

function fetchOnce(
  url: URL,
  options: { headers: Record<string, string | string[]>; signal: AbortSignal },
): Promise<{ status: number; location: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    // A pod's certificate is nobody's business here: the probe asks whether it answers.
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, { ...options, agent: false, rejectUnauthorized: false }, (response) => {
      readBody(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }),
        reject,
      );
    });
    request.on('error', reject);
    request.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    size += bytes.length;
    if (size >= BODY_BYTES_MAX) break;
  }
  response.destroy();
  return Buffer.concat(chunks).subarray(0, BODY_BYTES_MAX).toString();
}

function requestError(url: URL, error: unknown, signal: AbortSignal): string {
  if (signal.aborted) {
    return `Get "${url.href}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
  }
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const why = error instanceof Error && 'syscall' in error && error.syscall === 'connect';
  const text = why ? `dial tcp ${hostPort(url.hostname, port)}: ${dialError(error)}` : textOf(error);
  return `Get "${url.href}": ${text}`;
}

function dialError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  switch (code) {
    case 'ECONNREFUSED':
      return 'connect: connection refused';
    case 'EHOSTUNREACH':
      return 'connect: no route to host';
    case 'ENETUNREACH':
      return 'connect: network is unreachable';
    case 'ETIMEDOUT':
      return 'connect: connection timed out';
    case 'ECONNRESET':
      return 'read: connection reset by peer';
    default:
      return textOf(error);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
