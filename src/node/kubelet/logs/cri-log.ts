/** One line of a container's log as CRI runtimes write it: `TIME STREAM F|P[:tags] TEXT`. */
export interface LogRecord {
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The text goes on in the next record: no line end belongs here. */
  readonly isPartial: boolean;
  readonly content: Uint8Array;
}

const BLANK = 0x20;

/** Parses a line without its line end; undefined where it is no record. */
export function parseLogLine(line: Uint8Array): LogRecord | undefined {
  const first = line.indexOf(BLANK);
  const second = line.indexOf(BLANK, first + 1);
  const third = line.indexOf(BLANK, second + 1);
  // A record without text may end right after its tags.
  const tagsEnd = third < 0 ? line.length : third;
  if (first <= 0 || second < 0) return undefined;
  const stream = text(line, first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tag = text(line, second + 1, tagsEnd).split(':')[0];
  if (tag !== 'F' && tag !== 'P') return undefined;
  return {
    time: text(line, 0, first),
    stream,
    isPartial: tag === 'P',
    content: third < 0 ? new Uint8Array() : line.subarray(third + 1),
  };
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

/** One record, with its line end. */
export function formatLogLine(time: string, stream: 'stdout' | 'stderr', content: string): string {
  return `${time} ${stream} F ${content}\n`;
}
