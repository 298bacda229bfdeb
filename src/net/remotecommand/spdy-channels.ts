import type { Clock } from '#machinery/clock/clock.ts';

import { listHeader, refuseUpgrade, switchProtocols, type UpgradeRequest } from '../http/upgrade.ts';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import type { CommandChannels } from './channels.ts';
import type { StreamOptions } from './session.ts';

// Upstream's --streaming-connection's creation timeout.
export const STREAM_CREATION_TIMEOUT_MS = 30_000;
// How long a client may take to close its half after it was told the exit.
const LINGER_MS = 10_000;

const COMMAND_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];

/** The first of the client's protocols that is supported; undefined where the request was refused, and answered. */
export function negotiateSpdy(upgrade: UpgradeRequest, supported: readonly string[]): string | undefined {
  const offered = listHeader(upgrade.message, 'x-stream-protocol-version');
  const protocol = offered.length === 0 ? '' : offered.find((name) => supported.includes(name));
  if (protocol === undefined) {
    const accepted = supported.map((name) => `X-Accepted-Stream-Protocol-Versions: ${name}`);
    const text = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${supported.join(' ')}]`;
    refuseUpgrade(upgrade, 403, text, accepted);
    return undefined;
  }
  const chosen = protocol === '' ? [] : [`X-Stream-Protocol-Version: ${protocol}`];
  switchProtocols(upgrade, ['Connection: Upgrade', 'Upgrade: SPDY/3.1', ...chosen]);
  return protocol;
}

/**
 * Upgrades to SPDY and waits for the streams that the options call for. Undefined where the client was refused, left,
 * or did not open them in time.
 */
export async function acceptSpdyChannels(
  upgrade: UpgradeRequest,
  options: StreamOptions,
  deps: { clock: Clock },
): Promise<CommandChannels | undefined> {
  const protocol = negotiateSpdy(upgrade, COMMAND_PROTOCOLS);
  if (protocol === undefined) return undefined;
  const hasResize = options.tty && (protocol.startsWith('v4') || protocol.startsWith('v3'));
  const wanted = new Set([
    'error',
    ...(options.stdin ? ['stdin'] : []),
    ...(options.stdout ? ['stdout'] : []),
    ...(options.stderr ? ['stderr'] : []),
    ...(hasResize ? ['resize'] : []),
  ]);
  const streams = new Map<string, SpdyStream>();
  let settle: (isComplete: boolean) => void = () => undefined;
  const completed = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  const connection = new SpdyConnection(
    upgrade.socket,
    {
      role: 'server',
      onStream: (stream) => {
        const type = stream.headers['streamtype'] ?? '';
        if (!wanted.has(type) || streams.has(type)) {
          stream.refuse();
          return;
        }
        streams.set(type, stream);
        stream.accept();
        if (streams.size === wanted.size) settle(true);
      },
    },
    upgrade.head,
  );
  const timer = deps.clock.setTimeout(() => settle(false), STREAM_CREATION_TIMEOUT_MS, { unref: true });
  void connection.closed.then(() => settle(false));
  const isComplete = await completed;
  timer.cancel();
  const error = streams.get('error');
  if (!isComplete || error === undefined) {
    connection.destroy();
    return undefined;
  }
  return spdyChannels({ connection, error, streams, hasExitStatus: protocol.startsWith('v4'), clock: deps.clock });
}

function spdyChannels(parts: {
  connection: SpdyConnection;
  error: SpdyStream;
  streams: ReadonlyMap<string, SpdyStream>;
  hasExitStatus: boolean;
  clock: Clock;
}): CommandChannels {
  const { connection, error, streams } = parts;
  const [stdin, stdout, stderr, resize] = ['stdin', 'stdout', 'stderr', 'resize'].map((type) => streams.get(type));
  // Nothing comes on these, but their ends must be noticed.
  for (const stream of [error, stdout, stderr]) stream?.resume();
  return {
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    ...(resize === undefined ? {} : { resize }),
    hasExitStatus: parts.hasExitStatus,
    closed: connection.closed,
    finish: (exitText) => {
      error.end(exitText, () => connection.close());
      const timer = parts.clock.setTimeout(() => connection.destroy(), LINGER_MS, { unref: true });
      void connection.closed.then(() => timer.cancel());
    },
    destroy: () => connection.destroy(),
  };
}
