import { formatTime, parseTime } from '../../clock/clock.ts';
import { ProtobufError } from './errors.ts';

/** `meta.v1.Timestamp`: seconds since the epoch, and nanoseconds. */
export interface TimeParts {
  readonly seconds: number | bigint;
  readonly nanos: number;
}

/** RFC 3339 with `digits` decimals. */
export function timeText({ seconds, nanos }: TimeParts, digits: 0 | 6): string {
  const ms = Number(seconds) * 1000;
  // The years that JSON can show: Go's encoder fails beyond them.
  if (ms < YEAR_0_MS || ms > YEAR_9999_MS) throw new ProtobufError('a time is out of range');
  const whole = formatTime(ms).slice(0, 19);
  if (digits === 0) return `${whole}Z`;
  return `${whole}.${String(Math.floor(Math.max(0, nanos % 1_000_000_000) / 1000)).padStart(6, '0')}Z`;
}

/** The parts of an RFC 3339 text; undefined for the zero time. */
export function timeParts(text: string, digits: 0 | 6): TimeParts | undefined {
  const ms = text.startsWith('0001-01-01T00:00:00') ? undefined : parseTime(text);
  if (ms === undefined) return undefined;
  const seconds = Math.floor(ms / 1000);
  if (digits === 0) return { seconds, nanos: 0 };
  const fraction = /\.([0-9]+)/.exec(text)?.[1] ?? '';
  return { seconds, nanos: Number(fraction.slice(0, 6).padEnd(6, '0')) * 1000 };
}

const YEAR_0_MS = -62_167_219_200_000;
const YEAR_9999_MS = 253_402_300_799_000;

/** Go's text of a duration: `1h2m3.5s`. */
export function durationText(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const total = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (total < 1_000n) return `${sign}${total}ns`;
  if (total < 1_000_000n) return `${sign}${decimal(total, 3)}µs`;
  if (total < 1_000_000_000n) return `${sign}${decimal(total, 6)}ms`;
  const minutes = total / 60_000_000_000n;
  const seconds = decimal(total % 60_000_000_000n, 9);
  const hours = minutes / 60n;
  if (hours > 0n) return `${sign}${hours}h${minutes % 60n}m${seconds}s`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return `${text.slice(0, -digits)}${fraction === '' ? '' : `.${fraction}`}`;
}

const UNIT_NANOS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Nanoseconds of a Go duration; what is none counts as zero: schemas have refused it before. */
export function durationNanos(text: string): bigint {
  let total = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(
    /([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)/g,
  )) {
    const nanos = UNIT_NANOS[unit] ?? 0n;
    const digits = fraction.slice(0, 18);
    total += BigInt(whole === '' ? '0' : whole) * nanos;
    if (digits !== '') total += (BigInt(digits) * nanos) / 10n ** BigInt(digits.length);
  }
  return BigInt.asIntN(64, text.startsWith('-') ? -total : total);
}
