import { parseTime } from '../clock/clock.ts';

/** An age or a duration as tables print it (`3d4h`, `5m30s`): at most two units, coarser as it grows. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  // Clocks of two machines may differ a little; more than that is shown as what it is.
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return withRest(`${minutes}m`, seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return withRest(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return withRest(`${days}d`, hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(hours / 24 / 365);
  if (hours < 24 * 365 * 8) return withRest(`${years}y`, days % 365, 'd');
  return `${years}y`;
}

/** The age of an RFC 3339 time; `<unknown>` where there is none. */
export function timestampSince(timestamp: string | undefined, nowMs: number): string {
  const thenMs = timestamp === undefined ? undefined : parseTime(timestamp);
  return thenMs === undefined ? '<unknown>' : humanDuration(nowMs - thenMs);
}

/** The time until an RFC 3339 time; `<unknown>` where there is none. */
export function timestampUntil(timestamp: string | undefined, nowMs: number): string {
  const thenMs = timestamp === undefined ? undefined : parseTime(timestamp);
  return thenMs === undefined ? '<unknown>' : humanDuration(thenMs - nowMs);
}

function withRest(head: string, rest: number, unit: string): string {
  return rest === 0 ? head : `${head}${rest}${unit}`;
}
