import { ipFamily } from '#machinery/validation/addresses.ts';
import { isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';

/** A string format as upstream's kube-openapi checks it; names are looked up without dashes. */
type FormatCheck = (text: string) => boolean;

const HEX4 = '[0-9a-f]{4}';
const HEX12 = '[0-9a-f]{12}';
const uuidPattern = (third: string, fourth: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?${HEX4}-?${third}-?${fourth}-?${HEX12}$`, 'i');
const matches =
  (pattern: RegExp): FormatCheck =>
  (text) =>
    pattern.test(text);

const FORMATS: ReadonlyMap<string, FormatCheck> = new Map<string, FormatCheck>([
  ['bsonobjectid', matches(/^[0-9a-fA-F]{24}$/)],
  ['uri', isRequestUri],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', isSloppyIpv4],
  ['ipv6', (text) => text.includes(':') && ipFamily(text) === 'IPv6'],
  ['cidr', isCidrText],
  ['mac', matches(/^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})$/i)],
  ['uuid', matches(uuidPattern(HEX4, HEX4))],
  ['uuid3', matches(uuidPattern('3[0-9a-f]{3}', HEX4))],
  ['uuid4', matches(uuidPattern('4[0-9a-f]{3}', '[89ab][0-9a-f]{3}'))],
  ['uuid5', matches(uuidPattern('5[0-9a-f]{3}', '[89ab][0-9a-f]{3}'))],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ['rgbcolor', isRgbColor],
  ['byte', matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/)],
  ['password', () => true],
  ['date', isDate],
  ['duration', isDuration],
  ['datetime', isDateTime],
  ['k8sshortname', (text) => isDns1123Label(text).length === 0],
  ['k8slongname', (text) => isDns1123Subdomain(text).length === 0],
]);

/** The formats that mean something for a type; others are ignored. */
export function isKnownFormat(format: string, type: string | undefined): boolean {
  switch (type ?? '') {
    case '':
    case 'string':
      return FORMATS.has(format.replaceAll('-', ''));
    case 'integer':
      return format === 'int32' || format === 'int64';
    case 'number':
      return format === 'float' || format === 'double';
    default:
      return false;
  }
}

/** Whether a text has a string format; undefined where the format is none of a string. */
export function hasFormat(format: string, text: string): boolean | undefined {
  return FORMATS.get(format.replaceAll('-', ''))?.(text);
}

function isRequestUri(text: string): boolean {
  if (text.startsWith('/')) return !/[\s\p{Cc}]/u.test(text) && !hasBadEscape(text);
  if (!/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) || /\p{Cc}/u.test(text) || hasBadEscape(text)) return false;
  const authority = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/([^/?]*)/.exec(text)?.[1];
  // What follows a scheme without slashes is opaque.
  return authority === undefined || !/[\s<>"\\^`{|}]/.test(authority);
}

function hasBadEscape(text: string): boolean {
  return /%(?![0-9a-fA-F]{2})/.test(text.split('?')[0] ?? '');
}

function isEmail(text: string): boolean {
  const address = /^(?:"[^"]*"|[^<>"]*)\s*<([^<>]+)>$/.exec(text.trim())?.[1] ?? text.trim();
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const domain = address.slice(at + 1);
  if (at < 1 || domain === '') return false;
  const isLocal = /^"(?:[^"\\]|\\.)*"$/.test(local) || isAtomText(local);
  return isLocal && (isAtomText(domain) || /^\[[^\]\s]*\]$/.test(domain));
}

function isAtomText(text: string): boolean {
  return text.split('.').every((part) => /^[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+$/u.test(part));
}

function isHostname(text: string): boolean {
  const label = String.raw`[a-zA-Z0-9\p{S}\p{L}]`;
  const single = new RegExp(`^${label}(?:-?[a-zA-Z0-9\\p{S}\\p{L}]{0,62})?$`, 'u');
  const middle = new RegExp(`^${label}(?:[-a-zA-Z0-9\\p{S}\\p{L}]{0,61}${label})?$`, 'u');
  if (text.length > 255) return false;
  const parts = text.split('.');
  if (parts.some((part) => part.length > 63)) return false;
  if (parts.length === 1) return single.test(text);
  const last = parts.pop() ?? '';
  return /^[a-zA-Z\p{L}]{2,63}$/u.test(last) && parts.every((part) => middle.test(part));
}

/** Dotted IPv4, leading zeros allowed, or IPv6 that ends in it. */
function isSloppyIpv4(text: string): boolean {
  return text.includes('.') && ipFamily(withoutLeadingZeros(text)) !== undefined;
}

function isCidrText(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return false;
  const family = ipFamily(withoutLeadingZeros(text.slice(0, slash)));
  const bits = text.slice(slash + 1);
  return family !== undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'IPv4' ? 32 : 128);
}

function withoutLeadingZeros(text: string): string {
  return text.replace(/(^|[.:])0+(?=\d)(?=\d*(?:\.|$))/g, '$1');
}

function isIsbn10(text: string): boolean {
  const digits = text.replaceAll(/[\s-]+/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = digits
    .split('')
    .reduce((total, digit, index) => total + (index + 1) * (digit === 'X' ? 10 : Number(digit)), 0);
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replaceAll(/[\s-]+/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  return (
    digits.split('').reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0
  );
}

const CARD =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/;

function isCreditCard(text: string): boolean {
  const digits = text.replaceAll(/\D+/g, '');
  if (!CARD.test(digits)) return false;
  const sum = digits
    .split('')
    .toReversed()
    .reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
      return total + (value >= 10 ? (value % 10) + 1 : value);
    }, 0);
  return sum % 10 === 0;
}

function isRgbColor(text: string): boolean {
  const parts = /^rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(text)?.slice(1);
  return parts?.every((part) => /^(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])$/.test(part)) ?? false;
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return false;
  const [year, month, day] = match.slice(1).map(Number);
  if (year === undefined || month === undefined || day === undefined || month < 1 || month > 12) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= days;
}

function isDateTime(text: string): boolean {
  const [date = '', time] = text.toLowerCase().split('t');
  if (time === undefined || !isDate(date)) return false;
  const match = /^(\d{2}):(\d{2}):(\d{2})(?:.\d+)?(?:z|[+-]\d{2}:\d{2})$/.exec(time);
  if (match === null) return false;
  const [, hours = '', minutes = '', seconds = ''] = match;
  return hours <= '23' && minutes <= '59' && seconds <= '59';
}

const UNITS = ['ns', 'us', 'µs', 'ms', 's', 'm', 'h', 'd', 'w', 'hr', 'wk', 'nano', 'micro', 'milli', 'sec', 'min'];
const LONG_UNITS = ['nano', 'micro', 'milli', 'sec', 'min', 'hour', 'day', 'week', 's'];

/** Go's durations, and words such as `3 hours 2 min`. */
function isDuration(text: string): boolean {
  if (/^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return true;
  return [...text.matchAll(/\d+\s*([A-Za-zµ]+)/g)].some(([, word = '']) => {
    const unit = word.toLowerCase();
    return UNITS.includes(unit) || LONG_UNITS.some((long) => unit.startsWith(long));
  });
}
