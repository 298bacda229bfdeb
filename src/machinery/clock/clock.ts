/** Handle of a timer; cancelling twice or after it fired does nothing. */
export interface Timer extends Disposable {
  cancel(): void;
}

/**
 * The only source of time. Real in production; turned by the test in virtual mode. Durations are milliseconds.
 */
export interface Clock {
  /** Milliseconds since the epoch; may jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds since an arbitrary point; never goes back. Use it to measure durations. */
  monotonic(): number;
  /** Calls back once after `delayMs`. A pending timer keeps a real process alive unless `unref` is set. */
  setTimeout(callback: () => void, delayMs: number, options?: { unref?: boolean }): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when that fires first. */
  sleep(delayMs: number, options?: { signal?: AbortSignal }): Promise<void>;
}

/** RFC 3339 in UTC with whole seconds, as `metadata.creationTimestamp` and conditions carry it. */
export function formatTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 in UTC with microseconds, as Lease and Event times carry it. */
export function formatMicroTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}

/** Milliseconds since the epoch, or `undefined` where the text is not RFC 3339. */
export function parseTime(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
