import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
  /** The first bytes of the body, for error messages. */
  readonly start: string;
}

const HEAD_END = '\r\n\r\n';

/**
 * One keep-alive HTTPS connection, one request at a time. It reads an answer's head and counts its body: node's own
 * client costs as much as the server does, and on a small machine would be half of what is measured.
 */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #host: string;
  #head = '';
  #left = -1;
  #answer: Answer | undefined;
  #settle: PromiseWithResolvers<Answer> | undefined;

  static async open(options: ConnectionOptions): Promise<Connection> {
    const socket = connect({ ...options, ALPNProtocols: ['http/1.1'] });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', () => resolve());
      socket.once('error', reject);
    });
    socket.setNoDelay(true);
    return new Connection(socket, `${options.host}:${options.port}`);
  }

  private constructor(socket: TLSSocket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')));
  }

  send(method: string, path: string, body = ''): Promise<Answer> {
    this.#settle = Promise.withResolvers<Answer>();
    const type = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${type}\r\n${body}`);
    return this.#settle.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left >= 0) {
      this.#count(chunk.length);
      return;
    }
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1];
    if (length === undefined) throw new Error(`an answer without a length: ${this.#head.slice(0, end)}`);
    const start = this.#head.slice(end + HEAD_END.length);
    this.#answer = { status: Number(this.#head.slice(9, 12)), bodyBytes: Number(length), start: start.slice(0, 500) };
    this.#head = '';
    this.#left = Number(length);
    this.#count(start.length);
  }

  #count(bytes: number): void {
    this.#left -= bytes;
    if (this.#left > 0) return;
    const answer = this.#answer;
    this.#left = -1;
    if (answer !== undefined) this.#settle?.resolve(answer);
  }
}
