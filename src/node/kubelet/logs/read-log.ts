import type { Clock } from '#machinery/clock/clock.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import type { HostFiles, OpenedFile } from '../../host/host.ts';
import { type LogRecord, parseLogLine } from './cri-log.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Only the last so many lines. */
  readonly tailLines?: number;
  /** Only records from this time on. */
  readonly sinceMs?: number;
  readonly limitBytes?: number;
  /** Only one stream. */
  readonly stream?: 'stdout' | 'stderr';
}

export interface LogSource {
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly path: string;
  /** Whether more may come. */
  readonly isRunning: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;
// How soon a follower sees a new line: soon enough for eyes, rarely enough for an idle machine.
const POLL_MS = 200;
const NEWLINE = 0x0a;

/** The text of a container's log, in pieces. Follows across rotation, and ends when the container has ended. */
export async function* readLog(source: LogSource, options: LogOptions): AsyncGenerator<Uint8Array> {
  const format = new LogFormat(options);
  let file = await source.files.open(source.path);
  try {
    let offset = options.tailLines === undefined ? 0 : await tailOffset(file, options.tailLines);
    let carry: Uint8Array = new Uint8Array();
    while (!source.signal.aborted && !format.isFull) {
      const chunk = await file.read(offset, CHUNK_BYTES);
      if (chunk.length > 0) {
        offset += chunk.length;
        const { text, rest } = format.take(Buffer.concat([carry, chunk]));
        carry = rest;
        if (text.length > 0) yield text;
        continue;
      }
      if (!options.follow) return;
      // Asked before looking for more, so that what was written before the end is not lost.
      const mayGrow = await source.isRunning();
      const { sizeBytes, inode } = await file.info();
      if (sizeBytes > offset) continue;
      const atPath = await source.files.stat(source.path);
      if (atPath !== undefined && (atPath.inode !== inode || atPath.sizeBytes < offset)) {
        await file.close();
        file = await source.files.open(source.path);
        offset = 0;
        carry = new Uint8Array();
        continue;
      }
      if (!mayGrow) return;
      await source.clock.sleep(POLL_MS, { signal: source.signal }).catch(() => undefined);
    }
  } finally {
    await file.close();
  }
}

/** Where the last `lines` lines begin. */
async function tailOffset(file: OpenedFile, lines: number): Promise<number> {
  const { sizeBytes } = await file.info();
  if (lines <= 0) return sizeBytes;
  let seen = 0;
  for (let end = sizeBytes; end > 0; ) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = await file.read(start, end - start);
    for (let at = chunk.length - 1; at >= 0; at -= 1) {
      // The very last line end closes a line; it begins none.
      if (chunk[at] !== NEWLINE || start + at === sizeBytes - 1) continue;
      seen += 1;
      if (seen === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

/** Turns records into what the user reads, within the limits. */
class LogFormat {
  readonly #options: LogOptions;
  #leftBytes: number;
  /** The last record of each stream went on: its next one continues the line. */
  readonly #isOpen = { stdout: false, stderr: false };

  constructor(options: LogOptions) {
    this.#options = options;
    this.#leftBytes = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get isFull(): boolean {
    return this.#leftBytes <= 0;
  }

  take(data: Uint8Array): { text: Uint8Array; rest: Uint8Array } {
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, from)) {
      const record = parseLogLine(data.subarray(from, at));
      from = at + 1;
      if (record !== undefined && this.#isWanted(record)) pieces.push(...this.#print(record));
    }
    const text = Buffer.concat(pieces);
    const cut = text.length > this.#leftBytes ? text.subarray(0, this.#leftBytes) : text;
    this.#leftBytes -= cut.length;
    return { text: cut, rest: data.slice(from) };
  }

  #isWanted(record: LogRecord): boolean {
    const { stream, sinceMs } = this.#options;
    if (stream !== undefined && stream !== record.stream) return false;
    return sinceMs === undefined || (parseTime(record.time) ?? 0) >= sinceMs;
  }

  #print(record: LogRecord): Uint8Array[] {
    const isContinued = this.#isOpen[record.stream];
    this.#isOpen[record.stream] = record.isPartial;
    return [
      ...(this.#options.timestamps && !isContinued ? [Buffer.from(`${record.time} `)] : []),
      record.content,
      ...(record.isPartial ? [] : [Buffer.from('\n')]),
    ];
  }
}
