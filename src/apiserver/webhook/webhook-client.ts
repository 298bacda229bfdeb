import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { EndpointSlice, Service } from '#api/generated/types.ts';
import { encodeValue } from '#machinery/codec/json.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { ResourceView } from '../server-parts.ts';

/** Where a webhook is: at an address, or behind a service of the cluster. */
export interface WebhookTarget {
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly port?: number;
    readonly path?: string;
  };
  /** PEM in base64; absent: the system's own authorities. */
  readonly caBundle?: string;
}

export interface WebhookClientDeps {
  readonly view: (group: string, resource: string) => ResourceView;
  readonly executor: Executor;
}

/** Answers above this size are refused. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const SOCKETS_MAX = 32;

/** Why a webhook gave no usable answer, in the words of Go's HTTP client. */
export class WebhookError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WebhookError';
  }
}

/** Calls webhooks over HTTPS: those of conversion, and whatever else asks in JSON and is answered in JSON. */
export class WebhookClient {
  readonly #deps: WebhookClientDeps;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: 8 });

  constructor(deps: WebhookClientDeps) {
    this.#deps = deps;
  }

  /** Sends `body` and gives the decoded answer. Rejects with a `WebhookError`. */
  async post(target: WebhookTarget, body: object, { timeoutMs }: { timeoutMs: number }): Promise<unknown> {
    if (isVirtual(this.#deps.executor)) {
      const place = JSON.stringify(addressOf(target));
      throw new WebhookError(`Post ${place}: a cluster under virtual time has no sockets, and so calls no webhooks`);
    }
    // As it was given: a port that goes without saying is said all the same.
    const shown = `${addressOf(target)}?timeout=${timeoutMs / 1000}s`;
    const url = new URL(shown);
    const fail = (reason: string, cause?: unknown): WebhookError =>
      new WebhookError(`Post ${JSON.stringify(shown)}: ${reason}`, { cause });
    let place: Place;
    try {
      place = this.#placeOf(target, url);
    } catch (error) {
      throw fail(textOf(error), error);
    }
    let answer: { status: number; text: string };
    try {
      answer = await this.#send({ url, place, timeoutMs, payload: Buffer.from(encodeValue(body)) }, target.caBundle);
    } catch (error) {
      throw fail(networkText(error), error);
    }
    if (answer.status < 200 || answer.status > 299) throw new WebhookError(statusText(answer));
    try {
      return JSON.parse(answer.text);
    } catch (error) {
      throw new WebhookError(`couldn't get version/kind; json parse error: ${textOf(error)}`, { cause: error });
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(
    call: Call,
    caBundle: string | undefined,
    { isRetry } = { isRetry: false },
  ): Promise<{ status: number; text: string }> {
    const { url, place, timeoutMs, payload } = call;
    const ca = caBundle === undefined ? '' : Buffer.from(caBundle, 'base64').toString('utf8').trim();
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest({
        agent: this.#agent,
        method: 'POST',
        host: place.host,
        port: place.port,
        path: `${url.pathname}${url.search}`,
        servername: place.serverName,
        headers: {
          host: url.host,
          'content-type': 'application/json',
          accept: 'application/json, */*',
          'content-length': payload.length,
          'user-agent': 'kube-apiserver-admission',
        },
        ...(ca === '' ? {} : { ca }),
      });
      const timer = this.#deps.executor.clock.setTimeout(
        () => outgoing.destroy(new Error('context deadline exceeded')),
        timeoutMs,
        { unref: true },
      );
      const settle = (finish: () => void): void => {
        timer.cancel();
        finish();
      };
      outgoing.once('error', (error) => {
        // The other side had closed the idle connection that this call was put on: as Go's client, once more on a new one.
        if (outgoing.reusedSocket && isReset(error) && !isRetry) {
          settle(() => resolve(this.#send(call, caBundle, { isRetry: true })));
        } else settle(() => reject(error));
      });
      outgoing.once('response', (incoming) => {
        readText(incoming).then(
          (text) => settle(() => resolve({ status: incoming.statusCode ?? 0, text })),
          (error: unknown) => settle(() => reject(error)),
        );
      });
      outgoing.end(payload);
    });
  }

  #placeOf({ service }: WebhookTarget, url: URL): Place {
    if (service === undefined) {
      return { host: bareHost(url.hostname), port: Number(url.port || '443'), serverName: nameFor(url.hostname) };
    }
    const { namespace, name, port = 443 } = service;
    const serverName = `${name}.${namespace}.svc`;
    // Safe: the view holds Services.
    const found = this.#deps.view('', 'services').get(name, namespace) as Service | undefined;
    if (found === undefined) throw new WebhookError(`service ${JSON.stringify(name)} not found`);
    const { spec } = found;
    if (spec?.type === 'ExternalName') return { host: spec.externalName ?? '', port, serverName };
    const servicePort = spec?.ports?.find((candidate) => candidate.port === port);
    if (servicePort === undefined) {
      throw new WebhookError(`no service port ${port} found for service ${JSON.stringify(name)}`);
    }
    const endpoint = this.#endpointOf({ namespace, name, portName: servicePort.name ?? '' });
    return { ...endpoint, serverName };
  }

  #endpointOf(service: { namespace: string; name: string; portName: string }): { host: string; port: number } {
    const { namespace, name, portName } = service;
    const found: { host: string; port: number }[] = [];
    for (const object of this.#deps.view('discovery.k8s.io', 'endpointslices').list(namespace)) {
      // Safe: the view holds EndpointSlices.
      const slice = object as EndpointSlice;
      if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
      const port = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
      if (port === undefined) continue;
      for (const { conditions, addresses } of slice.endpoints ?? []) {
        if (conditions?.ready !== false && addresses[0] !== undefined) found.push({ host: addresses[0], port });
      }
    }
    const chosen = found[this.#deps.executor.random.int(Math.max(1, found.length))];
    if (chosen === undefined) throw new WebhookError(`no endpoints available for service ${JSON.stringify(name)}`);
    return chosen;
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
  /** Whom the certificate must be for. */
  readonly serverName: string;
}

interface Call {
  readonly url: URL;
  readonly place: Place;
  readonly timeoutMs: number;
  readonly payload: Buffer;
}

function addressOf({ url = '', service }: WebhookTarget): string {
  if (service === undefined) return /^[a-z]+:\/\/[^/]*$/i.test(url) ? `${url}/` : url;
  const { namespace, name, port = 443, path = '' } = service;
  return `https://${name}.${namespace}.svc:${port}${path.startsWith('/') ? path : `/${path}`}`;
}

function bareHost(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** Addresses are no server names in TLS (RFC 6066, 3). */
function nameFor(host: string): string {
  return /^[\d.]+$/.test(host) || host.startsWith('[') ? '' : host;
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    // Safe: without an encoding a message gives Buffers.
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('http: response body too large');
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function statusText({ status, text }: { status: number; text: string }): string {
  if (status === 404) return 'the server could not find the requested resource';
  const shown = JSON.stringify(text.trim() === '' ? 'unknown' : text.trim().slice(0, 2048));
  if (status === 500) return `an error on the server (${shown}) has prevented the request from succeeding`;
  return `the server rejected our request for an unknown reason (${status})`;
}

function networkText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const place =
    error instanceof Error && 'address' in error && 'port' in error
      ? `${String(error.address)}:${String(error.port)}`
      : '';
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${place}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${place}: connect: no route to host`;
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    case 'CERT_NOT_YET_VALID':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: ${textOf(error)}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostOf(error)}: no such host`;
    case 'ETIMEDOUT':
      return `dial tcp ${place}: i/o timeout`;
    case 'ECONNRESET':
      return 'EOF';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return 'tls: first record does not look like a TLS handshake';
    default:
      return textOf(error);
  }
}

function hostOf(error: unknown): string {
  return error instanceof Error && 'hostname' in error ? String(error.hostname) : '';
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function isVirtual(executor: Executor): boolean {
  return 'runUntil' in executor;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
