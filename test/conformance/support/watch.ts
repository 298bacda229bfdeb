import type { IncomingMessage } from 'node:http';
import type { KubeObject } from './kinds.ts';
import { patienceMs } from './patience.ts';
import { decodeFrames, PROTOBUF } from './protobuf.ts';

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

const EVENT_TIMEOUT_MS = 30_000;

/** One watch: events are kept from the first on and handed out in order. */
export class Watch<T extends KubeObject = KubeObject> {
  readonly #response: IncomingMessage;
  readonly #title: string;
  readonly #events: WatchEvent<T>[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(response: IncomingMessage, title: string) {
    this.#response = response;
    this.#title = title;
    const isProtobuf = (response.headers['content-type'] ?? '').startsWith(PROTOBUF);
    response.on('data', (bytes: Buffer) => (isProtobuf ? this.#readFrames(bytes) : this.#read(bytes)));
    response.on('close', () => this.#end());
    response.on('error', () => this.#end());
  }

  /** The next event; fails where none comes in time. */
  async next(timeoutMs: number = patienceMs(EVENT_TIMEOUT_MS)): Promise<WatchEvent<T>> {
    const event = await this.nextWithin(timeoutMs);
    if (event === undefined) throw new Error(`no event in ${timeoutMs} ms: ${this.#title}`);
    return event;
  }

  /** The next event, or nothing where none comes in time. */
  async nextWithin(timeoutMs: number): Promise<WatchEvent<T> | undefined> {
    const deadline = performance.now() + timeoutMs;
    while (this.#events.length === 0) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || this.#hasEnded) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#events.shift();
  }

  /** Skips to the first event that satisfies. */
  async until(
    isWanted: (event: WatchEvent<T>) => boolean,
    timeoutMs = patienceMs(EVENT_TIMEOUT_MS),
  ): Promise<WatchEvent<T>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const event = await this.next(Math.max(0, deadline - performance.now()));
      if (isWanted(event)) return event;
    }
  }

  close(): void {
    this.#response.destroy();
  }

  #readFrames(bytes: Buffer): void {
    const { events, rest } = decodeFrames(Buffer.concat([this.#rest, bytes]));
    this.#rest = rest;
    // Safe: as for lines.
    this.#events.push(...(events as unknown as WatchEvent<T>[]));
    this.#wake();
  }

  #read(bytes: Buffer): void {
    const whole = Buffer.concat([this.#rest, bytes]);
    const end = whole.lastIndexOf(0x0a) + 1;
    const lines = whole.toString('utf8', 0, end).split('\n');
    this.#rest = whole.subarray(end);
    // Safe: a watch sends one event a line; the assertions look into the object.
    for (const line of lines) if (line.trim() !== '') this.#events.push(JSON.parse(line) as WatchEvent<T>);
    this.#wake();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#wake();
  }
}
