import { CronError, parseField, STAR } from './fields.ts';

/**
 * A cron schedule: five fields or a descriptor, as the parser reads them that Kubernetes uses (robfig/cron's standard
 * parser, https://pkg.go.dev/github.com/robfig/cron/v3). Immutable.
 */
export interface Schedule {
  /** Sets of allowed values as bits; absent for `@every`. */
  readonly fields?: CronFields;
  /** The distance of `@every`, in milliseconds. */
  readonly everyMs?: number;
  /** The zone that the text named (`TZ=…`), if any. */
  readonly timeZone?: string;
}

export interface CronFields {
  readonly minute: bigint;
  readonly hour: bigint;
  readonly dayOfMonth: bigint;
  readonly month: bigint;
  readonly dayOfWeek: bigint;
}

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Parses a schedule; throws a `CronError` with upstream's words. */
export function parseSchedule(text: string): Schedule {
  if (text === '') throw new CronError('empty spec string');
  const zone = /^(?:CRON_)?TZ=(\S*)(\s+(.*))?$/s.exec(text);
  if (zone === null) return parseSpec(text);
  const timeZone = zone[1] ?? '';
  if (!isTimeZone(timeZone)) {
    throw new CronError(`provided bad location ${timeZone}: unknown time zone ${timeZone}`);
  }
  return { ...parseSpec((zone[3] ?? '').trim()), timeZone };
}

function parseSpec(text: string): Schedule {
  if (text.startsWith('@')) return parseDescriptor(text);
  const parts = text.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== 5) {
    throw new CronError(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`);
  }
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = parts;
  return {
    fields: {
      minute: parseField(minute, 'minute'),
      hour: parseField(hour, 'hour'),
      dayOfMonth: parseField(dayOfMonth, 'dayOfMonth'),
      month: parseField(month, 'month'),
      dayOfWeek: parseField(dayOfWeek, 'dayOfWeek'),
    },
  };
}

function parseDescriptor(text: string): Schedule {
  const known = descriptors[text];
  if (known !== undefined) return parseSpec(known);
  if (!text.startsWith('@every ')) throw new CronError(`unrecognized descriptor: ${text}`);
  const duration = text.slice('@every '.length);
  const everyMs = parseDuration(duration);
  if (everyMs === undefined) {
    throw new CronError(`failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`);
  }
  // A second at least, and no parts of one.
  return { everyMs: Math.max(1, Math.floor(everyMs / 1000)) * 1000 };
}

const unitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration as Go writes it: `1h30m`. */
function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const whole = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (whole === null) return undefined;
  let totalMs = 0;
  for (const [, amount = '0', unit = ''] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (unitsMs[unit] ?? 0);
  }
  return whole[1] === '-' ? -totalMs : totalMs;
}

/** Whether this machine knows the zone of the IANA database. */
export function isTimeZone(name: string): boolean {
  // Offsets are zones to JavaScript, but no names in the database.
  if (name === '' || /^[+-]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Whether either day decides: a field that is not a star restricts, and two that do are alternatives. */
export function isDay(fields: CronFields, dayOfMonth: number, dayOfWeek: number): boolean {
  const monthly = has(fields.dayOfMonth, dayOfMonth);
  const weekly = has(fields.dayOfWeek, dayOfWeek);
  const hasStar = (fields.dayOfMonth & STAR) !== 0n || (fields.dayOfWeek & STAR) !== 0n;
  return hasStar ? monthly && weekly : monthly || weekly;
}

export function has(bits: bigint, value: number): boolean {
  return (bits & (1n << BigInt(value))) !== 0n;
}
