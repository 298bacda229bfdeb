import { rmSync } from 'node:fs';

import { RealClock } from '#machinery/clock/real-clock.ts';

import { Supervisor } from './supervisor.ts';

/** The supervisor's process: `node main.ts SOCKET`. Ends by itself when there is nothing left to watch. */
const [, , socketPath = ''] = process.argv;
const supervisor = new Supervisor({
  clock: new RealClock(),
  onIdle: () => {
    supervisor.close();
    rmSync(socketPath, { force: true });
    process.exit(0);
  },
});
// Whoever stops the agent's group or session must not stop the containers' watcher with it.
for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined);
await supervisor.listen(socketPath);
