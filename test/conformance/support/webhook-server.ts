import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ReviewRequest {
  readonly uid: string;
  readonly operation: string;
  readonly kind: { group: string; version: string; kind: string };
  readonly object: Record<string, unknown> | null;
  readonly oldObject: Record<string, unknown> | null;
  readonly [field: string]: unknown;
}

/** The fields of an admission response but for its uid. */
export type Webhook = (request: ReviewRequest) => Record<string, unknown> | Promise<Record<string, unknown>>;

/** An HTTPS server of the test at a loopback address that answers admission reviews, by path. */
export class WebhookServer implements AsyncDisposable {
  readonly #webhooks = new Map<string, Webhook>();
  readonly #server: Server;
  readonly #caBundle: string;

  private constructor(server: Server, certificate: string) {
    this.#server = server;
    this.#caBundle = Buffer.from(certificate).toString('base64');
  }

  /** Starts a server with a certificate that the program `openssl` makes. */
  static async start(): Promise<WebhookServer> {
    const { certificate, key } = selfSigned();
    const server = createServer({ cert: certificate, key });
    const started = new WebhookServer(server, certificate);
    server.on('request', (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        void started.#answer(incoming.url ?? '', Buffer.concat(chunks).toString()).then((body) => {
          outgoing.setHeader('content-type', 'application/json');
          outgoing.end(body);
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  /** Serves a webhook; the result is its client configuration. */
  serve(name: string, webhook: Webhook): { url: string; caBundle: string } {
    this.#webhooks.set(`/${name}`, webhook);
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return { url: `https://127.0.0.1:${port}/${name}`, caBundle: this.#caBundle };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(url: string, body: string): Promise<string> {
    // Safe: an API server sends reviews; what is wrong with one fails the test.
    const { kind, apiVersion, request } = JSON.parse(body) as Record<string, unknown> & { request: ReviewRequest };
    const said = await this.#webhooks.get(url.split('?')[0] ?? '')?.(request);
    return JSON.stringify({ kind, apiVersion, response: { uid: request.uid, ...said } });
  }
}

/** The fields of a response that applies this patch. */
export function patching(...operations: readonly object[]): Record<string, unknown> {
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
  return { allowed: true, patchType: 'JSONPatch', patch };
}

/** Whether there is a program that makes certificates. */
export function canMakeCertificates(): boolean {
  return spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
}

function selfSigned(): { certificate: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), 'conformance-webhook-'));
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  const kind = ['-x509', '-nodes', '-newkey', 'rsa:2048', '-days', '2'];
  const subject = ['-subj', '/CN=webhook', '-addext', 'subjectAltName=IP:127.0.0.1'];
  try {
    execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
    return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
