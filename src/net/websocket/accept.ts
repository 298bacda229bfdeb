import { type WebSocket, WebSocketServer } from 'ws';

import { listHeader, refuseUpgrade, type UpgradeRequest } from '../http/upgrade.ts';

// JavaScript clients send whole chunks of a file as one message.
const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

export interface AcceptedWebSocket {
  readonly webSocket: WebSocket;
  /** The chosen subprotocol; empty where the client named none. */
  readonly protocol: string;
}

export function isWebSocketUpgrade(upgrade: UpgradeRequest): boolean {
  return upgrade.message.headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Completes the handshake with the first of the client's subprotocols that is supported. Undefined where the request
 * was refused, and answered.
 */
export function acceptWebSocket(
  upgrade: UpgradeRequest,
  supported: readonly string[],
): Promise<AcceptedWebSocket | undefined> {
  const offered = listHeader(upgrade.message, 'sec-websocket-protocol');
  const protocol = offered.length === 0 ? '' : offered.find((name) => supported.includes(name));
  if (protocol === undefined || !supported.includes(protocol)) {
    refuseUpgrade(upgrade, 400, `unable to upgrade: no supported subprotocol in [${offered.join(' ')}]`);
    return Promise.resolve(undefined);
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  // kubectl's `SPDY/3.1+portforward.k8s.io` is no token (RFC 6455, section 4.1), so ws must not see the header.
  delete upgrade.message.headers['sec-websocket-protocol'];
  if (protocol !== '') server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => {
    const { message, socket, head } = upgrade;
    const onClose = (): void => resolve(undefined);
    socket.once('close', onClose);
    server.once('wsClientError', (error) => refuseUpgrade(upgrade, 400, `unable to upgrade: ${error.message}`));
    server.handleUpgrade(message, socket, head, (webSocket) => {
      socket.off('close', onClose);
      // Errors are followed by 'close', which is what owners look at.
      webSocket.on('error', () => undefined);
      resolve({ webSocket, protocol });
    });
    if (socket.destroyed) resolve(undefined);
  });
}
