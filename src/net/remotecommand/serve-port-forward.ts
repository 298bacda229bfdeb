import type { Duplex } from 'node:stream';

import type { Clock } from '#machinery/clock/clock.ts';

import { splice } from '../http/splice.ts';
import { refuseUpgrade, swallowErrors, type UpgradeRequest } from '../http/upgrade.ts';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import { acceptWebSocket, isWebSocketUpgrade } from '../websocket/accept.ts';
import { WebSocketDuplex } from '../websocket/web-socket-duplex.ts';
import { servePortChannels } from './port-channels.ts';
import { forwardError, type PortForwardTarget } from './port-forward-target.ts';
import { negotiateSpdy, STREAM_CREATION_TIMEOUT_MS } from './spdy-channels.ts';

const PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
const CHANNEL_PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', ''];
// Streams whose partner has not come yet; each waits half a minute at most.
const INCOMPLETE_PAIRS_MAX = 256;

/**
 * Serves one port-forward connection: SPDY, SPDY tunnelled in a WebSocket (kubectl 1.31 and later) or WebSocket
 * channels. Resolves when the client is gone and its connections are closed; never rejects.
 */
export async function servePortForward(
  upgrade: UpgradeRequest,
  target: PortForwardTarget,
  deps: { clock: Clock },
): Promise<void> {
  swallowErrors(upgrade.socket);
  if (isWebSocketUpgrade(upgrade)) {
    const accepted = await acceptWebSocket(upgrade, [TUNNEL_PROTOCOL, ...CHANNEL_PROTOCOLS]);
    if (accepted === undefined) return;
    const { webSocket, protocol } = accepted;
    if (protocol === TUNNEL_PROTOCOL) await serveSpdy(new WebSocketDuplex(webSocket), target, deps);
    else await servePortChannels({ webSocket, protocol, url: upgrade.message.url ?? '/' }, target);
    return;
  }
  if (upgrade.message.headers.upgrade?.toUpperCase() !== 'SPDY/3.1') {
    refuseUpgrade(upgrade, 400, 'unable to upgrade: missing upgrade headers in request');
    return;
  }
  if (negotiateSpdy(upgrade, [PROTOCOL]) === undefined) return;
  await serveSpdy(upgrade.socket, target, deps, upgrade.head);
}

interface HalfPair {
  readonly streams: Map<string, SpdyStream>;
  readonly timer: Disposable & { cancel(): void };
}

/** Streams come in pairs of one request id: `error` carries a failure's text, `data` the bytes. */
async function serveSpdy(
  transport: Duplex,
  target: PortForwardTarget,
  deps: { clock: Clock },
  head?: Buffer,
): Promise<void> {
  const incomplete = new Map<string, HalfPair>();
  const forwards = new Set<Promise<void>>();
  const onStream = (stream: SpdyStream): void => {
    const type = stream.headers['streamtype'] ?? '';
    const port = Number(stream.headers['port']);
    const isKnown = (type === 'error' || type === 'data') && Number.isInteger(port) && port > 0 && port < 65536;
    const id = stream.headers['requestid'] ?? impliedRequestId(stream.id, type);
    const pair = incomplete.get(id) ?? newPair(id);
    if (!isKnown || pair === undefined || pair.streams.has(type)) {
      stream.refuse();
      return;
    }
    pair.streams.set(type, stream);
    stream.accept();
    const [error, data] = [pair.streams.get('error'), pair.streams.get('data')];
    if (error === undefined || data === undefined) return;
    pair.timer.cancel();
    incomplete.delete(id);
    const forward = forwardPair({ error, data, port }, target).finally(() => forwards.delete(forward));
    forwards.add(forward);
  };
  const newPair = (id: string): HalfPair | undefined => {
    if (incomplete.size >= INCOMPLETE_PAIRS_MAX) return undefined;
    const streams = new Map<string, SpdyStream>();
    const expire = (): void => {
      incomplete.delete(id);
      for (const stream of streams.values()) stream.destroy();
    };
    const timer = deps.clock.setTimeout(expire, STREAM_CREATION_TIMEOUT_MS, { unref: true });
    const pair = { streams, timer };
    incomplete.set(id, pair);
    return pair;
  };
  const connection = new SpdyConnection(transport, { role: 'server', onStream }, head);
  await connection.closed;
  for (const pair of incomplete.values()) pair.timer.cancel();
  await Promise.all(forwards);
}

/** Clients from before request ids open the error stream and then the data stream. */
function impliedRequestId(streamId: number, type: string): string {
  return `#${type === 'data' ? streamId - 2 : streamId}`;
}

async function forwardPair(
  pair: { error: SpdyStream; data: SpdyStream; port: number },
  target: PortForwardTarget,
): Promise<void> {
  pair.error.resume();
  try {
    const connection = await target.open(pair.port);
    await splice(pair.data, connection);
  } catch (error) {
    pair.error.write(forwardError(pair.port, target, error));
    pair.data.resume();
    pair.data.end();
  }
  // The client waits for this end before it takes the connection for closed.
  pair.error.end();
}
