import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
  /** The first bytes of the body, for error messages. */
  readonly start: string;
}

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

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

  send(method: string, path: string, { body = '', accept = '', type = 'application/json' } = {}): Promise<Answer> {
    this.#settle = Promise.withResolvers<Answer>();
    const sent = body === '' ? '' : `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    const wanted = accept === '' ? '' : `accept: ${accept}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${wanted}${sent}\r\n${body}`);
    return this.#settle.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left >= 0) {
      if (this.#left === Number.POSITIVE_INFINITY) this.#countChunked(chunk);
      else this.#count(chunk.length);
      return;
    }
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    const isChunked = /\r\ntransfer-encoding: chunked/i.test(this.#head);
    const length = isChunked ? '0' : /\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1];
    if (length === undefined) throw new Error(`an answer without a length: ${this.#head.slice(0, end)}`);
    const start = this.#head.slice(end + HEAD_END.length);
    this.#answer = { status: Number(this.#head.slice(9, 12)), bodyBytes: Number(length), start: start.slice(0, 500) };
    this.#head = '';
    this.#left = isChunked ? Number.POSITIVE_INFINITY : Number(length);
    if (isChunked) this.#countChunked(Buffer.from(start, 'latin1'));
    else this.#count(start.length);
  }

  /** Counts the heads of chunks, too; the empty last one ends the answer. */
  #countChunked(bytes: Buffer): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#answer = { ...answer, bodyBytes: answer.bodyBytes + bytes.length };
    if (!bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) return;
    this.#left = -1;
    this.#settle?.resolve(this.#answer);
  }

  #count(bytes: number): void {
    this.#left -= bytes;
    if (this.#left > 0) return;
    const answer = this.#answer;
    this.#left = -1;
    if (answer !== undefined) this.#settle?.resolve(answer);
  }
}
