import type { CelLibrary } from '../environment.ts';
import { fail } from '../errors.ts';
import { declare, member, overload } from '../library/declaration.ts';
import { BOOL, type CelType, listType, mapType, STRING } from '../types/type.ts';
import { CelValue } from '../values/value.ts';
import { URL_TYPE } from './types.ts';

/** The parts of a URL as Go's net/url splits it; nothing is normalized. */
interface UrlParts {
  readonly text: string;
  readonly scheme: string;
  /** With its port; IPv6 addresses are in brackets. */
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

export class CelUrl extends CelValue {
  readonly parts: UrlParts;

  constructor(parts: UrlParts) {
    super();
    this.parts = parts;
  }

  get type(): CelType {
    return URL_TYPE;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelUrl && other.parts.text === this.parts.text;
  }
}

/** `url('https://example.com/path?k=v')` and its parts. */
export const URLS: CelLibrary = {
  namedTypes: [URL_TYPE],
  functions: [
    declare('url', overload('string_to_url', [STRING], URL_TYPE, toUrl)),
    declare(
      'isURL',
      overload('is_url_string', [STRING], BOOL, (text: string) => typeof parseRequestUri(text) !== 'string'),
    ),
    declare(
      'getScheme',
      member('url_get_scheme', [URL_TYPE], STRING, ({ parts }: CelUrl) => parts.scheme),
    ),
    declare(
      'getHost',
      member('url_get_host', [URL_TYPE], STRING, ({ parts }: CelUrl) => parts.host),
    ),
    declare(
      'getHostname',
      member('url_get_hostname', [URL_TYPE], STRING, ({ parts }: CelUrl) => hostAndPort(parts.host).host),
    ),
    declare(
      'getPort',
      member('url_get_port', [URL_TYPE], STRING, ({ parts }: CelUrl) => hostAndPort(parts.host).port),
    ),
    declare(
      'getEscapedPath',
      member('url_get_escaped_path', [URL_TYPE], STRING, ({ parts }: CelUrl) => escapePath(parts.path)),
    ),
    declare('getQuery', member('url_get_query', [URL_TYPE], mapType(STRING, listType(STRING)), queryValues)),
  ],
};

function toUrl(text: string): CelUrl {
  const parts = parseRequestUri(text);
  if (typeof parts !== 'string') return new CelUrl(parts);
  return fail(`URL parse error during conversion from string: ${parseError(text, parts)}`);
}

/** Why the text is no URI of a request, in Go's words; undefined where it is one. */
export function urlProblem(text: string): string | undefined {
  const parts = parseRequestUri(text);
  return typeof parts === 'string' ? parseError(text, parts) : undefined;
}

function parseError(text: string, reason: string): string {
  return `parse ${JSON.stringify(text)}: ${reason}`;
}

/** Go's `url.ParseRequestURI`: an absolute URI or an absolute path. The reason where the text is none. */
function parseRequestUri(text: string): UrlParts | string {
  if (hasControlCharacter(text)) return 'net/url: invalid control character in URL';
  if (text === '') return 'empty url';
  const schemeMatch = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (schemeMatch === null && text.startsWith(':')) return 'missing protocol scheme';
  const scheme = (schemeMatch?.[1] ?? '').toLowerCase();
  let rest = text.slice(schemeMatch?.[0].length ?? 0);
  const question = rest.indexOf('?');
  const query = question === -1 ? '' : rest.slice(question + 1);
  if (question !== -1) rest = rest.slice(0, question);
  if (!rest.startsWith('/')) {
    if (scheme === '') return 'invalid URI for request';
    return { text, scheme, host: '', path: '', query };
  }
  let host = '';
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const authority = /^\/\/([^/]*)/.exec(rest)?.[1] ?? '';
    rest = rest.slice(2 + authority.length);
    const parsed = parseAuthority(authority);
    if ('error' in parsed) return parsed.error;
    host = parsed.host;
  }
  const badEscape = invalidEscape(rest);
  if (badEscape !== undefined) return `invalid URL escape ${JSON.stringify(badEscape)}`;
  return { text, scheme, host, path: rest, query };
}

function hasControlCharacter(text: string): boolean {
  return Array.from(text).some((character) => character < ' ' || character === '\u007f');
}

function parseAuthority(authority: string): { host: string } | { error: string } {
  const at = authority.lastIndexOf('@');
  const user = at === -1 ? '' : authority.slice(0, at);
  if (/[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/.test(user)) return { error: 'net/url: invalid userinfo' };
  const host = authority.slice(at + 1);
  const afterHost = host.startsWith('[') ? host.slice(host.lastIndexOf(']') + 1) : host.replace(/^[^:]*/, '');
  if (host.startsWith('[') && !host.includes(']')) return { error: "missing ']' in host" };
  const port = host.startsWith('[') ? afterHost : host.slice(Math.max(0, host.lastIndexOf(':')));
  if (port.startsWith(':') && !/^:[0-9]*$/.test(port))
    return { error: `invalid port ${JSON.stringify(port)} after host` };
  const bad = /[ "<>\\^`{|}]/.exec(host);
  if (bad !== null) return { error: `invalid character ${JSON.stringify(bad[0])} in host name` };
  const badEscape = invalidEscape(host);
  if (badEscape !== undefined) return { error: `invalid URL escape ${JSON.stringify(badEscape)}` };
  return { host: host.startsWith('[') ? host : decodeText(host) };
}

function invalidEscape(text: string): string | undefined {
  return /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0];
}

function hostAndPort(host: string): { host: string; port: string } {
  const match = /^\[(.*)\](?::([0-9]*))?$/.exec(host) ?? /^([^:]*)(?::([0-9]*))?$/.exec(host);
  return { host: match?.[1] ?? host, port: match?.[2] ?? '' };
}

/** The path with what may not stand in it escaped; what is escaped already stays. */
function escapePath(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9\-_.~$&+,/:;=@!'()*%[\]]+/gu, (part) => encodeURIComponent(part.toWellFormed()));
}

/** Values by key, in the order in which they appear; pairs that are not well escaped are left out. */
function queryValues({ parts }: CelUrl): Record<string, string[]> {
  const values = new Map<string, string[]>();
  for (const pair of parts.query.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const equals = pair.indexOf('=');
    const key = queryText(equals === -1 ? pair : pair.slice(0, equals));
    const value = queryText(equals === -1 ? '' : pair.slice(equals + 1));
    if (key === undefined || value === undefined) continue;
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return Object.fromEntries(values);
}

function queryText(text: string): string | undefined {
  return invalidEscape(text) === undefined ? decodeText(text.replaceAll('+', ' ')) : undefined;
}

function decodeText(text: string): string {
  const bytes: number[] = [];
  for (const [index, part] of text.split('%').entries()) {
    if (index > 0) bytes.push(Number.parseInt(part.slice(0, 2), 16));
    bytes.push(...new TextEncoder().encode(index > 0 ? part.slice(2) : part));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
