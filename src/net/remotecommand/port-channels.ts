import type { WebSocket } from 'ws';

import { splice } from '../http/splice.ts';
import { ChannelSocket } from '../websocket/channel-socket.ts';
import { forwardError, type PortForwardTarget } from './port-forward-target.ts';

// Two channels a port, numbered by one byte.
const PORTS_MAX = 127;

/**
 * Port-forward over plain WebSocket channels (older JavaScript clients): for the n-th `ports` (or `port`) of the query
 * channel 2n carries data and 2n+1 errors, and both begin with the port as two bytes, little end first.
 */
export async function servePortChannels(
  client: { webSocket: WebSocket; protocol: string; url: string },
  target: PortForwardTarget,
): Promise<void> {
  const query = new URL(client.url, 'http://kubelet').searchParams;
  const ports = [...query.getAll('ports'), ...query.getAll('port')].flatMap((text) => text.split(',')).map(Number);
  const isValid = ports.length > 0 && ports.length <= PORTS_MAX && ports.every((port) => port > 0 && port < 65536);
  if (!isValid) {
    client.webSocket.close(1008, 'query parameter "port" is required');
    return;
  }
  const socket = new ChannelSocket(client.webSocket, client.protocol);
  const forwards = ports.map((port, index) => forwardChannel({ socket, port, channel: index * 2 }, target));
  await Promise.all([socket.closed, ...forwards]);
}

async function forwardChannel(
  forward: { socket: ChannelSocket; port: number; channel: number },
  target: PortForwardTarget,
): Promise<void> {
  const { socket, port, channel } = forward;
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16LE(port);
  const data = socket.duplexChannel(channel);
  socket.send(channel, prefix);
  socket.send(channel + 1, prefix);
  try {
    await splice(data, await target.open(port));
  } catch (error) {
    socket.send(channel + 1, Buffer.from(forwardError(port, target, error)));
    data.destroy();
  }
}
