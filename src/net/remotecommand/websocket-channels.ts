import type { UpgradeRequest } from '../http/upgrade.ts';
import { acceptWebSocket } from '../websocket/accept.ts';
import { ChannelSocket } from '../websocket/channel-socket.ts';
import type { CommandChannels } from './channels.ts';
import type { StreamOptions } from './session.ts';

/** Subprotocols of commands; the empty one is a client that names none. */
const COMMAND_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
  '',
];

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Completes the handshake; undefined where the client was refused or left. */
export async function acceptWebSocketChannels(
  upgrade: UpgradeRequest,
  options: StreamOptions,
): Promise<CommandChannels | undefined> {
  const accepted = await acceptWebSocket(upgrade, COMMAND_PROTOCOLS);
  if (accepted === undefined) return undefined;
  const socket = new ChannelSocket(accepted.webSocket, accepted.protocol);
  const hasExitStatus = /^v[45]\./.test(accepted.protocol);
  // An empty message on the lowest output tells the client that the command is on.
  socket.send(options.stdout ? CHANNEL.stdout : options.stderr ? CHANNEL.stderr : CHANNEL.error, new Uint8Array());
  return {
    ...(options.stdin ? { stdin: socket.readChannel(CHANNEL.stdin) } : {}),
    ...(options.stdout ? { stdout: socket.writeChannel(CHANNEL.stdout) } : {}),
    ...(options.stderr ? { stderr: socket.writeChannel(CHANNEL.stderr) } : {}),
    ...(options.tty ? { resize: socket.readChannel(CHANNEL.resize) } : {}),
    hasExitStatus,
    closed: socket.closed,
    finish: (exitText) => {
      if (exitText !== '') socket.send(CHANNEL.error, Buffer.from(exitText));
      socket.close();
    },
    destroy: () => accepted.webSocket.terminate(),
  };
}
