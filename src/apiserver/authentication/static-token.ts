import { timingSafeEqual } from 'node:crypto';
import type { Authenticator, UserInfo } from '../pipeline/types.ts';
import { bearerToken } from './union.ts';

/** Users by fixed tokens, as `--token-auth-file` lists them. An unknown token is left to the next authenticator. */
export function staticTokenAuthenticator(tokens: ReadonlyMap<string, UserInfo>): Authenticator {
  return {
    authenticate: async (request) => {
      const given = bearerToken(request);
      if (given === undefined) return undefined;
      for (const [token, user] of tokens) if (isSame(token, given)) return user;
      return undefined;
    },
  };
}

/** `token,user,uid,"group1,group2"` lines. Throws an Error that names the line which is not. */
export function parseTokenFile(text: string): Map<string, UserInfo> {
  const tokens = new Map<string, UserInfo>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [token = '', username = '', uid = '', groups = ''] = columns(line);
    if (token === '' || username === '')
      throw new Error(`cannot read token file: line ${index + 1} lacks token or user`);
    tokens.set(token, {
      username,
      ...(uid === '' ? {} : { uid }),
      groups: groups === '' ? [] : groups.split(',').map((group) => group.trim()),
    });
  }
  return tokens;
}

function columns(line: string): string[] {
  return [...line.matchAll(/(?:"([^"]*)"|([^,]*))(?:,|$)/g)].map((match) => (match[1] ?? match[2] ?? '').trim());
}

export function isSame(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
}
