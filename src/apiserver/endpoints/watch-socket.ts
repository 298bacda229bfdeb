import { acceptWebSocket, isWebSocketUpgrade } from '#net/websocket/accept.ts';
import type { ApiRequest, ApiResponse, WatchSource } from '../pipeline/types.ts';

/** Bytes that may wait for a slow reader before no more events are pulled for it. */
const BUFFERED_BYTES_MAX = 1024 * 1024;

/** Browsers send their bearer token as a subprotocol. */
const TOKEN_PREFIX = 'base64url.bearer.authorization.k8s.io.';

/**
 * A watch over a WebSocket, where the client asked for one: a message an event, as text for JSON and binary else.
 * `undefined` for plain requests.
 */
export function watchOverWebSocket(
  request: ApiRequest,
  { source, isText }: { source: WatchSource; isText: boolean },
): ApiResponse | undefined {
  const { upgrade } = request;
  if (upgrade === undefined) return undefined;
  const handshake = { ...upgrade, head: Buffer.from(upgrade.head) };
  if (!isWebSocketUpgrade(handshake)) return undefined;
  const accept = async (): Promise<void> => {
    // A watch speaks no subprotocol of its own: what a client offers is taken as it is, but for its token.
    const offered = (upgrade.message.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const taken = offered.filter((name) => !name.startsWith(TOKEN_PREFIX));
    const accepted = await acceptWebSocket(handshake, ['', ...taken]);
    if (accepted === undefined) return source.close();
    const { webSocket } = accepted;
    webSocket.on('close', () => source.close());
    const sent = (bytes: Uint8Array): Promise<void> =>
      new Promise((resolve) => {
        const isFull = webSocket.bufferedAmount > BUFFERED_BYTES_MAX;
        webSocket.send(bytes, { binary: !isText }, isFull ? () => resolve() : undefined);
        if (!isFull) resolve();
      });
    for (let frames = await source.next(); frames !== undefined; frames = await source.next()) {
      for (const { bytes } of frames) await sent(Buffer.concat(bytes));
    }
    webSocket.close();
  };
  return { type: 'upgrade', accept };
}
