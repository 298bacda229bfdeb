/** Why a text is no schedule; the messages are those of the parser that Kubernetes uses. */
export class CronError extends Error {
  readonly code = 'CRON';

  constructor(message: string) {
    super(message);
    this.name = 'CronError';
  }
}

/** Marks a field that restricts nothing. */
export const STAR = 1n << 63n;

type FieldName = 'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek';

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const months = ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const bounds: Readonly<Record<FieldName, Bounds>> = {
  minute: { min: 0, max: 59, names: [] },
  hour: { min: 0, max: 23, names: [] },
  dayOfMonth: { min: 1, max: 31, names: [] },
  month: { min: 1, max: 12, names: months },
  dayOfWeek: { min: 0, max: 6, names: days },
};

/** A field: ranges with commas between them, as bits. */
export function parseField(text: string, name: FieldName): bigint {
  let bits = 0n;
  for (const range of text.split(',').filter((part) => part !== '')) bits |= parseRange(range, bounds[name]);
  return bits;
}

/** `*`, `?`, `3`, `3-5` or `mon-fri`, each with an optional `/step`. */
function parseRange(text: string, { min, max, names }: Bounds): bigint {
  const parts = text.split('/');
  const [range = '', stepText] = parts;
  const ends = range.split('-');
  const [low = '', high] = ends;
  let start: number;
  let end: number;
  let star = 0n;
  if (low === '*' || low === '?') {
    start = min;
    end = max;
    star = STAR;
  } else {
    start = parseValue(low, names);
    if (ends.length > 2) throw new CronError(`too many hyphens: ${text}`);
    end = high === undefined ? start : parseValue(high, names);
  }
  if (parts.length > 2) throw new CronError(`too many slashes: ${text}`);
  let step = 1;
  if (stepText !== undefined) {
    step = parseNumber(stepText);
    // `N/step` means from N on.
    if (high === undefined) end = max;
    if (step > 1) star = 0n;
  }
  if (start < min) throw new CronError(`beginning of range (${start}) below minimum (${min}): ${text}`);
  if (end > max) throw new CronError(`end of range (${end}) above maximum (${max}): ${text}`);
  if (start > end) throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  let bits = star;
  for (let value = start; value <= end; value += step) bits |= 1n << BigInt(value);
  return bits;
}

function parseValue(text: string, names: readonly string[]): number {
  const index = names.indexOf(text.toLowerCase());
  return index >= 0 && text !== '' ? index : parseNumber(text);
}

function parseNumber(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    const quoted = JSON.stringify(text);
    throw new CronError(`failed to parse int from ${text}: strconv.Atoi: parsing ${quoted}: invalid syntax`);
  }
  const value = Number(text);
  if (value < 0) throw new CronError(`negative number (${value}) not allowed: ${text}`);
  return value;
}
