import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { ensurePki, type Pki } from '#apiserver/pki/pki.ts';
import { type HttpServer, listenHttps } from '#apiserver/transport/http-server.ts';
import type { TransportLimits } from '#apiserver/transport/limits.ts';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import type { FuzzTarget } from './target.ts';

/** No exchange takes longer: whatever a client sends, the server answers or hangs up. */
const DEADLINE_MS = 10_000;

/** The target's server on a port of this machine, as the clients see it. */
export class HttpsTarget implements AsyncDisposable {
  readonly port: number;
  readonly #server: HttpServer;
  readonly #pki: Pki;
  readonly #directory: string;

  private constructor(server: HttpServer, pki: Pki, directory: string) {
    this.port = server.port;
    this.#server = server;
    this.#pki = pki;
    this.#directory = directory;
  }

  static async start(target: FuzzTarget, limits: Partial<TransportLimits> = {}): Promise<HttpsTarget> {
    const clock = new RealClock();
    const directory = await mkdtemp(join(tmpdir(), 'tiphys-fuzz-'));
    const pki = await ensurePki(directory, {}, { clock, random: new SystemRandom() });
    const server = await listenHttps({
      server: target.api,
      host: '127.0.0.1',
      port: 0,
      clock,
      log: silentLogger,
      certificate: pki.serving.certificate,
      key: pki.serving.key,
      clientCas: [pki.ca.certificate],
      limits,
    });
    return new HttpsTarget(server, pki, directory);
  }

  get certificateAuthority(): string {
    return this.#pki.ca.certificate;
  }

  async connect(protocol: 'http/1.1' | 'h2' = 'http/1.1'): Promise<TLSSocket> {
    const socket = connect({
      host: '127.0.0.1',
      port: this.port,
      ca: this.#pki.ca.certificate,
      servername: 'localhost',
      ALPNProtocols: [protocol],
    });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  }

  /**
   * Sends pieces of bytes over one connection, one each turn, and gives everything that came back until the server
   * hung up, or until nothing more came for `quietMs`. Fails where the server takes longer than any client would wait.
   */
  async exchange(
    pieces: readonly Uint8Array[],
    { protocol = 'http/1.1', ends = true, quietMs = 100 }: Exchange = {},
  ): Promise<Buffer> {
    const socket = await this.connect(protocol);
    const chunks: Buffer[] = [];
    const done = Promise.withResolvers<void>();
    const late = setTimeout(() => done.reject(new Error('the server neither answers nor hangs up')), DEADLINE_MS);
    let quiet: NodeJS.Timeout | undefined;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      clearTimeout(quiet);
      quiet = setTimeout(() => done.resolve(), quietMs);
    });
    socket.once('close', () => done.resolve());
    try {
      for (const piece of pieces) {
        if (socket.destroyed) break;
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (ends) socket.end();
      await done.promise;
    } finally {
      clearTimeout(late);
      clearTimeout(quiet);
      socket.destroy();
    }
    return Buffer.concat(chunks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

export interface Exchange {
  readonly protocol?: 'http/1.1' | 'h2';
  /** Whether the client closes its side when all is sent. */
  readonly ends?: boolean;
  /** Silence after which the answer counts as whole. */
  readonly quietMs?: number;
}
