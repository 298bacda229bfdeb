import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Clock } from '#machinery/clock/clock.ts';
import { formatMicroTime } from '#machinery/clock/clock.ts';

export type LogStream = 'stdout' | 'stderr';

// containerd's max_container_log_line_size: a longer line is written in parts tagged P.
const LINE_BYTES_MAX = 16 * 1024;
const NEWLINE = 0x0a;

/**
 * Writes a container's output as CRI asks: `TIME STREAM F line`, where a line that goes on has the tag P. Writes are
 * synchronous, so that what was written is in the file even if this process is killed.
 */
export class LogWriter {
  readonly #clock: Clock;
  readonly #partial: Record<LogStream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #file: number | undefined;

  constructor(path: string, deps: { clock: Clock }) {
    this.#clock = deps.clock;
    this.reopen(path);
  }

  write(stream: LogStream, chunk: Buffer): void {
    let rest = this.#partial[stream].length === 0 ? chunk : Buffer.concat([this.#partial[stream], chunk]);
    const prefix = `${this.#timestamp()} ${stream} `;
    const pieces: (string | Buffer)[] = [];
    for (;;) {
      const newline = rest.indexOf(NEWLINE);
      if (newline >= 0 && newline <= LINE_BYTES_MAX) {
        pieces.push(`${prefix}F `, rest.subarray(0, newline + 1));
        rest = rest.subarray(newline + 1);
      } else if (rest.length > LINE_BYTES_MAX) {
        pieces.push(`${prefix}P `, rest.subarray(0, LINE_BYTES_MAX), '\n');
        rest = rest.subarray(LINE_BYTES_MAX);
      } else break;
    }
    this.#partial[stream] = Buffer.from(rest);
    this.#append(pieces);
  }

  /** Opens a fresh file at the path, after the old one was moved away. */
  reopen(path: string): void {
    this.#close();
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    this.#file = openSync(path, 'a', 0o640);
  }

  /** Writes what is left of unfinished lines and closes. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#partial[stream];
      if (rest.length > 0) this.#append([`${this.#timestamp()} ${stream} P `, rest, '\n']);
      this.#partial[stream] = Buffer.alloc(0);
    }
    this.#close();
  }

  #append(pieces: readonly (string | Buffer)[]): void {
    if (pieces.length === 0 || this.#file === undefined) return;
    const bytes = Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
    let start = 0;
    try {
      while (start < bytes.length) start += writeSync(this.#file, bytes, start);
    } catch {
      // A full disk costs log lines; it must not stop the container.
    }
  }

  #close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** RFC 3339 with nanoseconds, of which the last six digits are zero. */
  #timestamp(): string {
    return `${formatMicroTime(this.#clock.now()).slice(0, -1)}000Z`;
  }
}
