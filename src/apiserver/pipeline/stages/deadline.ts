import type { Clock } from '#machinery/clock/clock.ts';
import { badRequest, genericStatus } from '#machinery/errors/status-error.ts';
import { isLongRunning } from '../long-running.ts';
import type { ApiResponse, Stage } from '../types.ts';

/** Upstream's `--request-timeout`. */
export const REQUEST_TIMEOUT_MS = 60_000;

/** Answers 504 when a request takes too long; `?timeout=` may ask for less. What it was doing may still happen. */
export function deadline({ clock, timeoutMs }: { clock: Clock; timeoutMs: number }): Stage {
  return (context, next) => {
    if (isLongRunning(context.info)) return next();
    const requested = context.request.query.get('timeout');
    const limitMs = requested === null ? timeoutMs : Math.min(timeoutMs, parseTimeout(requested));
    return new Promise<ApiResponse>((resolve, reject) => {
      const fail = () =>
        reject(genericStatus(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {}));
      const timer = clock.setTimeout(fail, limitMs, { unref: true });
      next().then(
        (response) => {
          timer.cancel();
          resolve(response);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error);
        },
      );
    });
  };
}

const TIMEOUT_CHARACTERS_MAX = 100;

/** A Go duration of whole units, as clients send it: `30s`, `1m0s`, `500ms`. */
function parseTimeout(text: string): number {
  const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  // Nobody needs more; and long rows of digits would take the pattern quadratic time.
  const parts = text.length > TIMEOUT_CHARACTERS_MAX ? [] : [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw badRequest(`invalid timeout specified in the request URL - ${JSON.stringify(text)}`);
  }
  const totalMs = parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? 's'] ?? 0), 0);
  return totalMs === 0 ? Number.MAX_SAFE_INTEGER : totalMs;
}
