import { readFile } from 'node:fs/promises';
import type { Clock } from '#machinery/clock/clock.ts';
import type { ClientConfig } from './client-config.ts';

// How long a token that was read is used, as upstream's clients do; kubelets rotate them well before they expire.
const TOKEN_FILE_MS = 60_000;

/** The headers that say who the client is. */
export class Credentials {
  readonly #clock: Clock;
  readonly #config: ClientConfig;
  #token: string | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { clock: Clock }, config: ClientConfig) {
    this.#clock = deps.clock;
    this.#config = config;
  }

  async headers(): Promise<Record<string, string | readonly string[]>> {
    const { impersonate, userAgent = 'tiphys' } = this.#config;
    const authorization = await this.#authorization();
    return {
      'user-agent': userAgent,
      ...(authorization === undefined ? {} : { authorization }),
      ...(impersonate === undefined ? {} : { 'impersonate-user': impersonate.user }),
      ...(impersonate?.groups === undefined ? {} : { 'impersonate-group': impersonate.groups }),
    };
  }

  /** The server refused the token: the next request reads the file again. Returns whether that may help. */
  refuse(): boolean {
    if (this.#config.tokenFile === undefined || this.#readAtMs === Number.NEGATIVE_INFINITY) return false;
    this.#readAtMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  async #authorization(): Promise<string | undefined> {
    const { tokenFile, token, username, password } = this.#config;
    if (tokenFile !== undefined) return `Bearer ${await this.#fileToken(tokenFile)}`;
    if (token !== undefined) return `Bearer ${token}`;
    if (username === undefined) return undefined;
    return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
  }

  async #fileToken(path: string): Promise<string> {
    const nowMs = this.#clock.monotonic();
    if (this.#token !== undefined && nowMs - this.#readAtMs < TOKEN_FILE_MS) return this.#token;
    try {
      this.#token = (await readFile(path, 'utf8')).trim();
    } catch (error) {
      // While it is being replaced, the token read before is as good as any.
      if (this.#token === undefined) throw new Error(`cannot read the token file "${path}"`, { cause: error });
    }
    this.#readAtMs = nowMs;
    return this.#token;
  }
}
