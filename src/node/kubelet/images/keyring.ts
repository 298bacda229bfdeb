import type { Secret } from '#api/generated/types.ts';
import type { PullOptions } from '../../runtime/contract.ts';

type Login = NonNullable<PullOptions['auth']>;

/** Logins for an image out of a pod's pull secrets, the most specific entry first. */
export function loginsFor(image: { registry: string; repository: string }, secrets: readonly Secret[]): Login[] {
  const target = `${image.registry}/${image.repository}`;
  const matches = secrets
    .flatMap(entriesOf)
    .filter(({ server }) => isMatch(server, target))
    .sort((left, right) => right.server.length - left.server.length);
  return matches.map(({ login }) => login);
}

interface Entry {
  /** Registry, perhaps with a path, without scheme. */
  server: string;
  login: Login;
}

function entriesOf(secret: Secret): Entry[] {
  const modern = jsonOf(secret.data?.['.dockerconfigjson']);
  const table = modern === undefined ? jsonOf(secret.data?.['.dockercfg']) : modern['auths'];
  if (!isRecord(table)) return [];
  return Object.entries(table).flatMap(([address, entry]) => {
    const login = isRecord(entry) ? loginOf(entry, address) : undefined;
    return login === undefined ? [] : [{ server: serverOf(address), login }];
  });
}

function loginOf(entry: Record<string, unknown>, serverAddress: string): Login | undefined {
  if (typeof entry['auth'] === 'string' && entry['auth'] !== '') {
    const [username = '', ...rest] = Buffer.from(entry['auth'], 'base64').toString().split(':');
    return { username, password: rest.join(':').replace(/\0+$/, ''), serverAddress };
  }
  const { username, password } = entry;
  return typeof username === 'string' && typeof password === 'string'
    ? { username, password, serverAddress }
    : undefined;
}

function serverOf(address: string): string {
  const bare = address.replace(/^https?:\/\//, '').replace(/\/(v1|v2)?\/?$/, '');
  return bare === 'index.docker.io' ? 'docker.io' : bare;
}

/** A `*` stands for one part of the host name. */
function isMatch(server: string, target: string): boolean {
  const [host = '', ...path] = server.split('/');
  const [targetHost = '', ...targetPath] = target.split('/');
  const parts = host.split('.');
  const targetParts = targetHost.split('.');
  const isHost =
    parts.length === targetParts.length && parts.every((part, at) => part === '*' || part === targetParts[at]);
  return isHost && targetPath.join('/').startsWith(path.join('/'));
}

function jsonOf(base64: string | undefined): Record<string, unknown> | undefined {
  if (base64 === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString());
    return isRecord(value) ? value : undefined;
  } catch {
    // A secret that cannot be read gives no login; the pull then says what is missing.
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
