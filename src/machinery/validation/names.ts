/**
 * Formats of names and values. Each check returns upstream's messages (`k8s.io/apimachinery/pkg/util/validation`);
 * none means valid. Lengths are bytes of UTF-8, as Go counts them.
 */

export { isCidr, isIpAddress } from './addresses.ts';

const DNS_1123_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DNS_1123_SUBDOMAIN = `${DNS_1123_LABEL}(\\.${DNS_1123_LABEL})*`;
const DNS_1035_LABEL = '[a-z]([-a-z0-9]*[a-z0-9])?';
const LABEL_KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${LABEL_KEY})?`;
const C_IDENTIFIER = '[A-Za-z_][A-Za-z0-9_]*';
const ENV_VAR_NAME = '[-._a-zA-Z][-._a-zA-Z0-9]*';
const CONFIG_MAP_KEY = '[-._a-zA-Z0-9]+';
const PERCENT = '[0-9]+%';
const HTTP_HEADER_NAME = '[-A-Za-z0-9]+';
const WILDCARD_SUBDOMAIN = `\\*\\.${DNS_1123_SUBDOMAIN}`;

export const DNS_1123_LABEL_LENGTH_MAX = 63;
export const DNS_1123_SUBDOMAIN_LENGTH_MAX = 253;
const LABEL_PART_LENGTH_MAX = 63;
const PORT_NAME_LENGTH_MAX = 15;

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);
const dns1123Label = whole(DNS_1123_LABEL);
const dns1123Subdomain = whole(DNS_1123_SUBDOMAIN);
const dns1035Label = whole(DNS_1035_LABEL);
const labelKey = whole(LABEL_KEY);
const labelValue = whole(LABEL_VALUE);
const cIdentifier = whole(C_IDENTIFIER);
const envVarName = whole(ENV_VAR_NAME);
const configMapKey = whole(CONFIG_MAP_KEY);
const percent = whole(PERCENT);
const httpHeaderName = whole(HTTP_HEADER_NAME);
const wildcardSubdomain = whole(WILDCARD_SUBDOMAIN);

const LABEL_KEY_MESSAGE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

export function isDns1123Label(text: string): string[] {
  const messages = lengthMessages(text, DNS_1123_LABEL_LENGTH_MAX);
  if (dns1123Label.test(text)) return messages;
  if (dns1123Subdomain.test(text)) return [...messages, 'must not contain dots'];
  const rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " +
    'and must start and end with an alphanumeric character';
  return [...messages, patternMessage(rule, DNS_1123_LABEL, ['my-name', '123-abc'])];
}

export function isDns1123Subdomain(text: string): string[] {
  const messages = lengthMessages(text, DNS_1123_SUBDOMAIN_LENGTH_MAX);
  if (dns1123Subdomain.test(text)) return messages;
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
    'and must start and end with an alphanumeric character';
  return [...messages, patternMessage(rule, DNS_1123_SUBDOMAIN, ['example.com'])];
}

export function isWildcardDns1123Subdomain(text: string): string[] {
  const messages = lengthMessages(text, DNS_1123_SUBDOMAIN_LENGTH_MAX);
  if (wildcardSubdomain.test(text)) return messages;
  const rule =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of " +
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
  return [...messages, patternMessage(rule, WILDCARD_SUBDOMAIN, ['*.example.com'])];
}

export function isDns1035Label(text: string): string[] {
  const messages = lengthMessages(text, DNS_1123_LABEL_LENGTH_MAX);
  if (dns1035Label.test(text)) return messages;
  const rule =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', " +
    'start with an alphabetic character, and end with an alphanumeric character';
  return [...messages, patternMessage(rule, DNS_1035_LABEL, ['my-name', 'abc-123'])];
}

/** Label keys, annotation keys (lower-cased first), finalizers, condition types, resource names. */
export function isQualifiedName(text: string): string[] {
  // Most keys have no prefix and are right.
  if (text.length <= LABEL_PART_LENGTH_MAX && labelKey.test(text)) return [];
  const examples = ['MyName', 'my.name', '123-abc'];
  const parts = text.split('/');
  if (parts.length > 2) {
    const rule = patternMessage(LABEL_KEY_MESSAGE, LABEL_KEY, examples);
    return [`a valid label key ${rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const messages: string[] = [];
  const name = parts.at(-1) ?? '';
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') messages.push('prefix part must be non-empty');
    else messages.push(...prefixMessages(prefix).map((message) => `prefix part ${message}`));
  }
  if (name === '') messages.push('name part must be non-empty');
  else if (byteLength(name) > LABEL_PART_LENGTH_MAX) {
    messages.push(`name part must be no more than ${LABEL_PART_LENGTH_MAX} bytes`);
  }
  if (!labelKey.test(name)) messages.push(`name part ${patternMessage(LABEL_KEY_MESSAGE, LABEL_KEY, examples)}`);
  return messages;
}

export function isValidLabelValue(text: string): string[] {
  const messages: string[] = [];
  if (byteLength(text) > LABEL_PART_LENGTH_MAX) messages.push(`must be no more than ${LABEL_PART_LENGTH_MAX} bytes`);
  if (labelValue.test(text)) return messages;
  const rule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', " +
    'and must start and end with an alphanumeric character';
  return [...messages, patternMessage(rule, LABEL_VALUE, ['MyValue', 'my_value', '12345'])];
}

export function isCIdentifier(text: string): string[] {
  if (cIdentifier.test(text)) return [];
  const rule =
    "a valid C identifier must start with alphabetic character or '_', " +
    "followed by a string of alphanumeric characters or '_'";
  return [patternMessage(rule, C_IDENTIFIER, ['my_name', 'MY_NAME', 'MyName'])];
}

/** The strict form; Pods are checked with `isRelaxedEnvVarName`. */
export function isEnvVarName(text: string): string[] {
  const messages: string[] = [];
  if (!envVarName.test(text)) {
    const rule =
      "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', " +
      'and must not start with a digit';
    messages.push(patternMessage(rule, ENV_VAR_NAME, ['my.env-name', 'MY_ENV.NAME', 'MyEnvName1']));
  }
  return [...messages, ...parentDirMessages(text)];
}

/** Any printable ASCII but `=` (KEP-4369, what 1.36 checks environment variables of Pods with). */
export function isRelaxedEnvVarName(text: string): string[] {
  const messages = text === '' ? ['environment variable name must be non-empty'] : [];
  if (/[^\x20-\x7e]|=/.test(text)) {
    messages.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  }
  return messages;
}

/** Keys of ConfigMaps and Secrets. */
export function isConfigMapKey(text: string): string[] {
  const messages = lengthMessages(text, DNS_1123_SUBDOMAIN_LENGTH_MAX);
  if (!configMapKey.test(text)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    messages.push(patternMessage(rule, CONFIG_MAP_KEY, ['key.name', 'KEY_NAME', 'key-name']));
  }
  return [...messages, ...parentDirMessages(text)];
}

export function isPercent(text: string): string[] {
  if (percent.test(text)) return [];
  const rule = "a valid percent string must be a numeric string followed by an ending '%'";
  return [patternMessage(rule, PERCENT, ['1%', '93%'])];
}

export function isHttpHeaderName(text: string): string[] {
  if (httpHeaderName.test(text)) return [];
  const rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return [patternMessage(rule, HTTP_HEADER_NAME, ['X-Header-Name'])];
}

export function isPortNumber(port: number): string[] {
  return isInRange(port, 1, 65_535);
}

export function isInRange(value: number, min: number, max: number): string[] {
  return value >= min && value <= max ? [] : [`must be between ${min} and ${max}, inclusive`];
}

/** IANA service names (RFC 6335), lower case only. */
export function isPortName(text: string): string[] {
  const messages = lengthMessages(text, PORT_NAME_LENGTH_MAX);
  if (!/^[-a-z0-9]+$/.test(text)) {
    messages.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(text)) messages.push('must contain at least one letter (a-z)');
  if (text.includes('--')) messages.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) messages.push('must not begin or end with a hyphen');
  return messages;
}

/** Names whose objects become path segments: no `/`, `%`, `.` or `..`. */
export function isPathSegmentName(text: string, options: { isPrefix: boolean } = { isPrefix: false }): string[] {
  if (!options.isPrefix && (text === '.' || text === '..')) return [`may not be '${text}'`];
  return ['/', '%'].filter((part) => text.includes(part)).map((part) => `may not contain '${part}'`);
}

/** What `generateName` is checked as: the suffix will end the name with an alphanumeric character. */
export function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
}

/** `RegexError` of upstream; the odd comma before `or` is what clients see. */
export function patternMessage(rule: string, pattern: string, examples: readonly string[]): string {
  if (examples.length === 0) return `${rule} (regex used for validation is '${pattern}')`;
  const list = examples.map((example) => `'${example}', `).join(' or ');
  return `${rule} (e.g. ${list}regex used for validation is '${pattern}')`;
}

/** Length in bytes of UTF-8; most names are ASCII and short. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function lengthMessages(text: string, max: number): string[] {
  // A UTF-16 unit takes three bytes at most.
  return text.length * 3 > max && byteLength(text) > max ? [`must be no more than ${max} characters`] : [];
}

// The prefix of a label key is checked by newer code, which says bytes.
function prefixMessages(prefix: string): string[] {
  return isDns1123Subdomain(prefix).map((message) =>
    message === `must be no more than ${DNS_1123_SUBDOMAIN_LENGTH_MAX} characters`
      ? `must be no more than ${DNS_1123_SUBDOMAIN_LENGTH_MAX} bytes`
      : message,
  );
}

function parentDirMessages(text: string): string[] {
  if (text === '.') return ["must not be '.'"];
  if (text === '..') return ["must not be '..'"];
  return text.startsWith('..') ? ["must not start with '..'"] : [];
}
