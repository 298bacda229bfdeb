import { type Readable, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

import type { Clock } from '#machinery/clock/clock.ts';

import { refuseUpgrade, swallowErrors, type UpgradeRequest } from '../http/upgrade.ts';
import { isWebSocketUpgrade } from '../websocket/accept.ts';
import { type CommandChannels, readSizes } from './channels.ts';
import { encodeExitStatus, plainExitText } from './exit-status.ts';
import { parseRemoteCommandOptions, type RemoteCommandOptions, type RemoteSession } from './session.ts';
import { acceptSpdyChannels } from './spdy-channels.ts';
import { acceptWebSocketChannels } from './websocket-channels.ts';

/** Starts the command (or attaches). What it throws becomes the HTTP answer; `code: 'NotFound'` becomes 404. */
export type OpenSession = (options: RemoteCommandOptions) => Promise<RemoteSession>;

/**
 * Serves one exec: reads the options from the URL's query, opens the session, upgrades the connection to SPDY or
 * WebSocket and carries the streams. Resolves when all is over; never rejects.
 */
export async function serveExec(upgrade: UpgradeRequest, open: OpenSession, deps: { clock: Clock }): Promise<void> {
  swallowErrors(upgrade.socket);
  const options = parseRemoteCommandOptions(upgrade.message.url ?? '/');
  if (options === undefined) {
    refuseUpgrade(upgrade, 400, 'you must specify at least 1 of stdin, stdout, stderr');
    return;
  }
  const isWebSocket = isWebSocketUpgrade(upgrade);
  if (!isWebSocket && upgrade.message.headers.upgrade?.toUpperCase() !== 'SPDY/3.1') {
    refuseUpgrade(upgrade, 400, 'unable to upgrade: missing upgrade headers in request');
    return;
  }
  let session: RemoteSession;
  try {
    session = await open(options);
  } catch (error) {
    refuseOpen(upgrade, error);
    return;
  }
  const channels = isWebSocket
    ? await acceptWebSocketChannels(upgrade, options)
    : await acceptSpdyChannels(upgrade, options, deps);
  if (channels === undefined) session.close();
  else await carry(session, channels, options);
}

/** As `serveExec`, for a session that attaches to the container's own process. */
export const serveAttach: typeof serveExec = serveExec;

/** Answers an upgrade whose target could not be opened, as the kubelet does. */
export function refuseOpen(upgrade: UpgradeRequest, error: unknown): void {
  const isNotFound = error instanceof Error && 'code' in error && error.code === 'NotFound';
  refuseUpgrade(upgrade, isNotFound ? 404 : 500, error instanceof Error ? error.message : String(error));
}

async function carry(session: RemoteSession, channels: CommandChannels, options: RemoteCommandOptions): Promise<void> {
  let isOver = false;
  const gone = channels.closed.then(() => {
    if (!isOver) session.close();
  });
  if (channels.stdin !== undefined) feed(channels.stdin, session.stdin);
  if (channels.resize !== undefined) readSizes(channels.resize, (size) => session.resize(size));
  const outputs = [drain(session.stdout, channels.stdout), drain(session.stderr, channels.stderr)];
  const exit = await session.exit;
  await Promise.all(outputs);
  isOver = true;
  channels.finish(
    channels.hasExitStatus ? encodeExitStatus(exit, options.command) : plainExitText(exit, options.command),
  );
  await gone;
}

/** Input goes on being read after the command closed its own, so that the connection's other streams go on. */
function feed(from: Readable, to: Writable | undefined): void {
  if (to === undefined) {
    from.resume();
    return;
  }
  const stop = (): void => {
    from.unpipe(to);
    from.resume();
  };
  to.once('error', stop).once('close', stop);
  from.once('error', () => to.end());
  from.pipe(to);
}

/** Resolves when all output is with the client, or the client is gone. */
async function drain(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) {
    to?.end();
    return;
  }
  if (to === undefined) {
    from.resume();
    return;
  }
  from.once('error', () => to.end());
  to.once('close', () => from.resume());
  // A source that closes without an end, as a lost runtime's does, must not leave the client waiting.
  from.once('close', () => to.end());
  from.pipe(to);
  try {
    await finished(to, { readable: false });
  } catch {
    // Cut by the client: what is left of the output is discarded.
    from.resume();
  }
}
