import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICE_ACCOUNTS } from '#api/generated/resources.ts';
import type { TokenRequest } from '#api/generated/types.ts';
import type { Client } from '#client/client.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import { isAlreadyExists } from '#machinery/errors/status-error.ts';
import type { Logger } from '#machinery/log/logger.ts';

type TokenClient = Client & { close(): Promise<void> };

interface Deps {
  /** May make service accounts and tokens in kube-system. */
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Reads the file again from time to time. */
  readonly clientWithToken: (tokenFile: string) => TokenClient;
}

const NAMESPACE = 'kube-system';
const TOKEN_LIFETIME_SECONDS = 3_600;
const RENEW_AFTER_MS = (TOKEN_LIFETIME_SECONDS * 1000 * 3) / 4;
const RETRY_MS = 30_000;

/** One client for each controller's service account, so that each has just its own rights. */
export class ServiceAccountClients {
  readonly #deps: Deps;
  readonly #directory = mkdtempSync(join(tmpdir(), 'tiphys-tokens-'));
  readonly #clients = new Map<string, TokenClient>();
  readonly #stopping = new AbortController();
  #renewing: Promise<unknown> = Promise.resolve();

  private constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Makes missing accounts in kube-system; settles when each has a token. */
  static async open(names: readonly string[], deps: Deps): Promise<ServiceAccountClients> {
    const clients = new ServiceAccountClients(deps);
    try {
      await Promise.all(names.map((name) => clients.#prepare(name)));
    } catch (error) {
      await clients.close();
      throw error;
    }
    clients.#renewing = Promise.all(names.map((name) => clients.#renew(name)));
    return clients;
  }

  clientFor(name: string): Client {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`there is no client for the service account ${name}`);
    return client;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#renewing;
    for (const client of this.#clients.values()) await client.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #prepare(name: string): Promise<void> {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: NAMESPACE } } as const;
    await this.#deps.client.create(SERVICE_ACCOUNTS, account).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
    await this.#writeToken(name);
    this.#clients.set(name, this.#deps.clientWithToken(this.#tokenFile(name)));
  }

  async #renew(name: string): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, log } = this.#deps;
    let waitMs = RENEW_AFTER_MS;
    while (!signal.aborted) {
      await clock.sleep(waitMs, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#writeToken(name);
        waitMs = RENEW_AFTER_MS;
      } catch (error) {
        log.warn('cannot renew the token of a controller', { serviceAccount: name, error });
        waitMs = RETRY_MS;
      }
    }
  }

  async #writeToken(name: string): Promise<void> {
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { audiences: [], expirationSeconds: TOKEN_LIFETIME_SECONDS },
    };
    const account = { namespace: NAMESPACE, name };
    const { client } = this.#deps;
    const answer = await client.createSubresource<TokenRequest>(SERVICE_ACCOUNTS, account, 'token', request);
    const path = this.#tokenFile(name);
    writeFileSync(`${path}.tmp`, answer.status?.token ?? '', { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }

  #tokenFile(name: string): string {
    return join(this.#directory, name);
  }
}
