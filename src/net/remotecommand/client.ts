import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

import { SpdyError } from '../spdy/errors.ts';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import { decodeExitStatus } from './exit-status.ts';
import type { RemoteSession, SessionExit, StreamOptions } from './session.ts';

const PROTOCOL_HEADER = 'X-Stream-Protocol-Version';
// A Status with its causes; a runtime's error text can quote a whole command line.
const ERROR_TEXT_BYTES_MAX = 64 * 1024;
const REFUSAL_BYTES_MAX = 16 * 1024;

/** Runs or attaches over the streaming URL that CRI's Exec or Attach handed out (plain HTTP on loopback). */
export async function openRemoteCommand(url: string, options: StreamOptions): Promise<RemoteSession> {
  const connection = await upgradeToSpdy(url, ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io']);
  const open = (streamtype: string): SpdyStream => connection.openStream({ streamtype });
  const error = open('error');
  // Servers wait for exactly the streams that were asked for.
  const stdin = options.stdin ? open('stdin') : undefined;
  const stdout = options.stdout ? open('stdout') : undefined;
  const stderr = options.stderr && !options.tty ? open('stderr') : undefined;
  const resize = options.tty ? open('resize') : undefined;
  stdin?.resume();
  const outputs = [stdout, stderr].filter((stream) => stream !== undefined);
  return {
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    resize: ({ width, height }) => {
      resize?.write(`${JSON.stringify({ Width: width, Height: height })}\n`);
    },
    exit: awaitExit(error, outputs).finally(() => connection.close()),
    close: () => connection.destroy(),
  };
}

/** A connection to one port, over the streaming URL that CRI's PortForward handed out. */
export async function openPortForward(url: string, port: number): Promise<Duplex> {
  const connection = await upgradeToSpdy(url, ['portforward.k8s.io']);
  const headers = { port: String(port), requestid: '0' };
  const error = connection.openStream({ ...headers, streamtype: 'error' });
  const data = connection.openStream({ ...headers, streamtype: 'data' });
  error.end();
  void readText(error).then((text) => {
    if (text !== undefined && text !== '') data.destroy();
  });
  data.once('close', () => connection.close());
  return data;
}

async function awaitExit(error: SpdyStream, outputs: readonly Readable[]): Promise<SessionExit> {
  error.end();
  const [text] = await Promise.all([readText(error), ...outputs.map(awaitEnd)]);
  if (text === undefined) return { type: 'failed', message: 'connection to the runtime was lost' };
  return decodeExitStatus(text);
}

/** Undefined where the stream was cut before its end. */
async function readText(stream: Readable): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= ERROR_TEXT_BYTES_MAX) chunks.push(chunk);
  });
  await awaitEnd(stream);
  return stream.readableEnded ? Buffer.concat(chunks).toString() : undefined;
}

function awaitEnd(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed || stream.readableEnded) resolve();
    else stream.once('end', resolve).once('close', resolve);
  });
}

async function upgradeToSpdy(url: string, protocols: readonly string[]): Promise<SpdyConnection> {
  const outgoing = request(url, {
    method: 'POST',
    headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', [PROTOCOL_HEADER]: [...protocols], 'Content-Length': '0' },
    agent: false,
  });
  const { socket, head } = await awaitUpgrade(outgoing);
  return new SpdyConnection(socket, { role: 'client' }, head);
}

function awaitUpgrade(outgoing: ClientRequest): Promise<{ socket: Duplex; head: Buffer }> {
  return new Promise((resolve, reject) => {
    outgoing.once('upgrade', (_response, socket, head) => resolve({ socket, head }));
    outgoing.once('response', (response) => {
      readRefusal(response).then(reject, reject);
    });
    outgoing.once('error', (cause) => reject(new SpdyError('closed', `cannot connect: ${cause.message}`, { cause })));
    outgoing.end();
  });
}

async function readRefusal(response: IncomingMessage): Promise<SpdyError> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > REFUSAL_BYTES_MAX) break;
    chunks.push(bytes);
  }
  const text = Buffer.concat(chunks).toString().trim();
  return new SpdyError('protocol', `unable to upgrade connection: ${text} (status ${response.statusCode ?? 0})`);
}
