import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { type Logger, textLogger } from '#machinery/log/logger.ts';

/** Logs klog lines to standard error. */
export function stderrLogger(options: { verbosity: number }): Logger {
  return textLogger({
    write: (line) => process.stderr.write(line),
    clock: new RealClock(),
    verbosity: options.verbosity,
  });
}

/** Logs klog lines to a file, made (with its folder) at the first line. */
export function fileLogger(options: { path: string; verbosity: number }): Logger {
  let file: number | undefined;
  const write = (line: string) => {
    if (file === undefined) {
      mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
      file = openSync(options.path, 'a', 0o600);
      process.once('exit', () => {
        if (file !== undefined) closeSync(file);
      });
    }
    writeSync(file, line);
  };
  return textLogger({ write, clock: new RealClock(), verbosity: options.verbosity });
}
