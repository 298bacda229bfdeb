import { fail } from '../errors.ts';
import { INT_MAX, INT_MIN } from './numbers.ts';
import { CelDuration, CelTimestamp } from './value.ts';

const NANOS_PER_SECOND = 1_000_000_000n;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since 1970. */
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;

const DURATION_UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: NANOS_PER_SECOND,
  m: 60n * NANOS_PER_SECOND,
  h: 3_600n * NANOS_PER_SECOND,
};
const DURATION_PART = /([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)/y;
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Durations have 64 bits of nanoseconds, about 292 years. */
export function checkedDuration(nanos: bigint): CelDuration {
  if (nanos < INT_MIN || nanos > INT_MAX) fail('duration overflow');
  return new CelDuration(nanos);
}

export function checkedTimestamp(nanos: bigint, offsetMinutes = 0): CelTimestamp {
  const seconds = floorDivide(nanos, NANOS_PER_SECOND);
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) fail('timestamp overflow');
  return new CelTimestamp(nanos, offsetMinutes);
}

export function timestampFromSeconds(seconds: bigint): CelTimestamp {
  return checkedTimestamp(seconds * NANOS_PER_SECOND);
}

export function secondsOf(timestamp: CelTimestamp): bigint {
  return floorDivide(timestamp.nanos, NANOS_PER_SECOND);
}

/** Go's `time.ParseDuration`; undefined where the text is none or does not fit. */
export function parseDuration(text: string): CelDuration | undefined {
  const sign = text.startsWith('-') ? -1n : 1n;
  const rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return new CelDuration(0n);
  if (rest === '') return undefined;
  let nanos = 0n;
  for (let offset = 0; offset < rest.length; offset = DURATION_PART.lastIndex) {
    DURATION_PART.lastIndex = offset;
    const part = DURATION_PART.exec(rest);
    if (part === null) return undefined;
    const [, whole = '', fraction = '', unitName = ''] = part;
    if (whole === '' && fraction === '') return undefined;
    // The expression admits the units of the table only.
    const unit = DURATION_UNITS[unitName] as bigint;
    nanos += BigInt(whole === '' ? 0 : whole) * unit;
    // More digits than nanoseconds of an hour need say nothing.
    const digits = fraction.slice(0, 18);
    if (digits !== '') nanos += (BigInt(digits) * unit) / 10n ** BigInt(digits.length);
    if (nanos > INT_MAX + 1n) return undefined;
  }
  const signed = sign * nanos;
  return signed < INT_MIN || signed > INT_MAX ? undefined : new CelDuration(signed);
}

/** Seconds as a double and an `s`, as CEL converts a duration to a string. */
export function formatDuration({ nanos }: CelDuration): string {
  const seconds = Number(nanos / NANOS_PER_SECOND) + Number(nanos % NANOS_PER_SECOND) / 1e9;
  const text = String(seconds);
  return `${text.includes('e') ? seconds.toFixed(9).replace(/\.?0+$/, '') : text}s`;
}

/** An RFC 3339 timestamp; undefined where the text is none or out of range. */
export function parseTimestamp(text: string): CelTimestamp | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const offset = offsetMinutes(match[8] ?? 'Z');
  if (offset === undefined) return undefined;
  const seconds =
    BigInt(daysFromCivil(year, month, day)) * 86_400n + BigInt(hour * 3600 + (minute - offset) * 60 + second);
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) return undefined;
  const fraction = BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return new CelTimestamp(seconds * NANOS_PER_SECOND + fraction, offset);
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4));
  if (hours > 24 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** RFC 3339 at the offset that the timestamp came with, with as many decimals as needed. */
export function formatTimestamp(timestamp: CelTimestamp): string {
  const { offsetMinutes } = timestamp;
  const sign = offsetMinutes < 0 ? '-' : '+';
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
  const magnitude = Math.abs(offsetMinutes);
  const offset = `${sign}${pad(Math.floor(magnitude / 60))}:${pad(magnitude % 60)}`;
  const date = calendar(timestamp, offset);
  const fraction = pad(date.nanosecond, 9).replace(/0+$/, '');
  const day = `${pad(date.year, 4)}-${pad(date.month)}-${pad(date.day)}`;
  const clock = `${pad(date.hour)}:${pad(date.minute)}:${pad(date.second)}`;
  return `${day}T${clock}${fraction === '' ? '' : `.${fraction}`}${offsetMinutes === 0 ? 'Z' : offset}`;
}

export interface CalendarDate {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  /** From 1. */
  readonly day: number;
  /** From 0. */
  readonly dayOfYear: number;
  /** Sunday is 0. */
  readonly dayOfWeek: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
}

/** The moment on the calendar and clock of a time zone: UTC, a fixed offset (`-08:00`) or an IANA name. */
export function calendar(timestamp: CelTimestamp, zone = 'UTC'): CalendarDate {
  const utcSeconds = Number(secondsOf(timestamp));
  const seconds = utcSeconds + zoneOffsetSeconds(zone, utcSeconds);
  const days = Math.floor(seconds / 86_400);
  const ofDay = seconds - days * 86_400;
  const { year, month, day } = civilFromDays(days);
  return {
    year,
    month,
    day,
    dayOfYear: days - daysFromCivil(year, 1, 1),
    dayOfWeek: (((days + 4) % 7) + 7) % 7,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor((ofDay % 3600) / 60),
    second: ofDay % 60,
    nanosecond: Number(timestamp.nanos - BigInt(utcSeconds) * NANOS_PER_SECOND),
  };
}

function zoneOffsetSeconds(zone: string, utcSeconds: number): number {
  if (zone === '' || zone === 'UTC') return 0;
  const colon = zone.indexOf(':');
  if (colon === -1) return namedOffsetSeconds(zone, utcSeconds);
  const hours = zone.slice(0, colon);
  const minutes = zone.slice(colon + 1);
  if (!/^[+-]?\d+$/.test(hours) || !/^\d+$/.test(minutes)) fail(`invalid time zone: ${zone}`);
  if (Number(minutes) > 59) fail(`timezone offset minutes out of range [0, 59]: ${zone}`);
  if (Math.abs(Number(hours)) > 24) fail(`timezone offset hours out of range: ${zone}`);
  const sign = hours.startsWith('-') ? -1 : 1;
  return Number(hours) * 3600 + sign * Number(minutes) * 60;
}

function namedOffsetSeconds(zone: string, utcSeconds: number): number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return fail(`unknown time zone ${zone}`);
  }
  const parts = new Map(format.formatToParts(utcSeconds * 1000).map((part) => [part.type, Number(part.value)]));
  const days = daysFromCivil(parts.get('year') ?? 0, parts.get('month') ?? 1, parts.get('day') ?? 1);
  const local = days * 86_400 + (parts.get('hour') ?? 0) * 3600 + (parts.get('minute') ?? 0) * 60;
  return local + (parts.get('second') ?? 0) - utcSeconds;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 of a date of the Gregorian calendar; years begin in March, so leap days come last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}
