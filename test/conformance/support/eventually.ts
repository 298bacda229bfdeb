import { patienceMs } from './patience.ts';

const TIMEOUT_MS = 60_000;
const FIRST_PAUSE_MS = 10;
const PAUSE_MS_MAX = 250;

/** Asks until the answer satisfies; an error counts as "not yet". What was seen last is in the failure. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isDone: (value: T) => boolean = () => true,
  timeoutMs: number = TIMEOUT_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs(timeoutMs);
  let last = 'nothing';
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
    try {
      const value = await ask();
      if (isDone(value)) return value;
      last = JSON.stringify(value);
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline) throw new Error(`not in time: ${what}; last seen: ${last.slice(0, 2_000)}`);
    await pause(pauseMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
