import type { Duplex } from 'node:stream';

/**
 * Joins two byte streams until both are closed: data with back-pressure, half-closes, and an abrupt end of one becomes
 * the other's. Resolves when both are closed; never rejects. For proxied upgrades and port-forwards.
 */
export function splice(left: Duplex, right: Duplex): Promise<void> {
  return Promise.all([forward(left, right), forward(right, left)]).then(() => undefined);
}

function forward(from: Duplex, to: Duplex): Promise<void> {
  return new Promise((resolve) => {
    from.on('error', () => from.destroy());
    from.pipe(to);
    from.once('close', () => {
      // pipe() passes the end on; a close without one must not leave the other side waiting.
      if (!from.readableEnded) to.destroy();
      resolve();
    });
    to.once('close', () => {
      // Nobody reads any more; but what the other direction wrote must still go out.
      from.unpipe(to);
      from.resume();
      if (from.writableFinished) from.destroy();
      else from.once('finish', () => from.destroy());
    });
    if (from.destroyed) to.destroy();
  });
}
