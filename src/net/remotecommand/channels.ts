import type { Readable, Writable } from 'node:stream';

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The client's end of a command, whichever protocol carries it. */
export interface CommandChannels {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** JSON objects `{"Width":…,"Height":…}`, one after the other. */
  readonly resize?: Readable;
  /** Whether the exit is told as a Status (version 4 and later) or as text. */
  readonly hasExitStatus: boolean;
  /** Resolves when the client is gone. */
  readonly closed: Promise<void>;
  /** Sends the exit on the error channel and closes in order. */
  finish(exitText: string): void;
  /** Closes without waiting for the client. */
  destroy(): void;
}

// A terminal's size is some forty bytes; what is longer is no size.
const RESIZE_BYTES_MAX = 4096;

/** Calls back for every size in the stream; what is no size is skipped. */
export function readSizes(stream: Readable, onSize: (size: TerminalSize) => void): void {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    const parts = text.split('}');
    text = (parts.pop() ?? '').slice(-RESIZE_BYTES_MAX);
    for (const part of parts) {
      const size = parseSize(`${part}}`);
      if (size !== undefined) onSize(size);
    }
  });
}

function parseSize(text: string): TerminalSize | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { Width: width, Height: height } = Object.assign({ Width: undefined, Height: undefined }, value);
    return isSize(width) && isSize(height) ? { width, height } : undefined;
  } catch {
    // Not JSON: nothing a terminal could be set to.
    return undefined;
  }
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff;
}
