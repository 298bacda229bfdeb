import { createServer, type Server } from 'node:https';
import { issueCertificate } from '../pki/certificate.ts';
import type { Executor } from '#machinery/executor/executor.ts';

const DAY_MS = 24 * 3_600_000;

export interface ReviewRequest {
  readonly uid: string;
  readonly operation: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly dryRun: boolean;
  readonly kind: { group: string; version: string; kind: string };
  readonly resource: { group: string; version: string; resource: string };
  readonly object: Record<string, unknown> | null;
  readonly oldObject: Record<string, unknown> | null;
  readonly [field: string]: unknown;
}

/** What a webhook of the test says: the fields of `response` but for its uid, or a whole answer of any kind. */
export type Webhook = (
  request: ReviewRequest,
) => Record<string, unknown> | { readonly raw: unknown } | Promise<Record<string, unknown>>;

/** An HTTPS server of the test that answers admission reviews, by path. */
export class WebhookServer implements AsyncDisposable {
  readonly reviews: ReviewRequest[] = [];
  readonly webhooks = new Map<string, Webhook>();
  readonly caBundle: string;
  readonly #server: Server;

  private constructor(server: Server, caBundle: string) {
    this.#server = server;
    this.caBundle = caBundle;
  }

  static async start({ clock, random }: Executor): Promise<WebhookServer> {
    const [notBeforeMs, notAfterMs] = [clock.now() - DAY_MS, clock.now() + DAY_MS];
    const ca = issueCertificate({ commonName: 'webhooks', use: 'ca', notBeforeMs, notAfterMs }, { random });
    const { certificate, key } = issueCertificate(
      { commonName: 'webhook', use: 'server', alternativeNames: ['127.0.0.1'], notBeforeMs, notAfterMs },
      { issuer: ca, random },
    );
    const server = createServer({ cert: certificate, key });
    const started = new WebhookServer(server, Buffer.from(ca.certificate).toString('base64'));
    server.on('request', (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        void started.#answer(incoming.url ?? '', Buffer.concat(chunks).toString()).then((body) => {
          outgoing.setHeader('content-type', 'application/json');
          outgoing.end(JSON.stringify(body));
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  /** Serves a webhook; the result is its client configuration. */
  serve(name: string, webhook: Webhook): { url: string; caBundle: string } {
    this.webhooks.set(`/${name}`, webhook);
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return { url: `https://127.0.0.1:${port}/${name}`, caBundle: this.caBundle };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(url: string, body: string): Promise<unknown> {
    // Safe: the API server sends reviews; what is wrong with them fails the test.
    const review = JSON.parse(body) as { kind: string; apiVersion: string; request: ReviewRequest };
    this.reviews.push(review.request);
    const said = await this.webhooks.get(url.split('?')[0] ?? '')?.(review.request);
    if (said !== undefined && 'raw' in said) return said['raw'];
    const { kind, apiVersion, request } = review;
    return { kind, apiVersion, response: { uid: request.uid, ...said } };
  }
}

/** The fields of a response that applies this patch. */
export function patching(...operations: readonly object[]): Record<string, unknown> {
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
  return { allowed: true, patchType: 'JSONPatch', patch };
}
