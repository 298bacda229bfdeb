import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** What Node's HTTP server hands to its 'upgrade' listeners. */
export interface UpgradeRequest {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that came right behind the request. */
  readonly head: Buffer;
}

/** Answers an upgrade request with an ordinary response and closes; the body is plain text, as the kubelet's is. */
export function refuseUpgrade(upgrade: UpgradeRequest, status: number, text: string, headers: string[] = []): void {
  const body = Buffer.from(text);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
    ...headers,
  ];
  const { socket } = upgrade;
  swallowErrors(socket);
  socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]));
  // What the client still sends is discarded, so that its close is noticed.
  socket.resume();
}

/** Sends the 101 of a SPDY upgrade. */
export function switchProtocols(upgrade: UpgradeRequest, headers: readonly string[]): void {
  upgrade.socket.write(`${['HTTP/1.1 101 Switching Protocols', ...headers].join('\r\n')}\r\n\r\n`);
}

/** The values of a header that may be repeated or hold a comma-separated list. */
export function listHeader(message: IncomingMessage, name: string): string[] {
  const values = message.headersDistinct[name.toLowerCase()] ?? [];
  return values.flatMap((value) => value.split(',')).flatMap((value) => (value.trim() === '' ? [] : [value.trim()]));
}

/** Network errors of a socket that nobody else listens to; its 'close' says all that matters. */
export function swallowErrors(socket: Duplex): void {
  socket.on('error', () => socket.destroy());
}
