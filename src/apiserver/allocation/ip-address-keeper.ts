import { IP_ADDRESSES } from '#api/generated/resources.ts';
import type { IPAddress, Service } from '#api/generated/types.ts';
import { IP_FAMILY_LABEL, IP_MANAGED_BY_LABEL } from '#api/networking/v1/ip-address.ts';
import type { Client } from '#client/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { ResourceView } from '../server-parts.ts';
import { familyOf } from './address-range.ts';
import { isForeign } from './service-addresses.ts';
import { clusterIpsOf } from './service-fields.ts';

const MANAGER = 'ipallocator.k8s.io';
/** A write that failed is tried again after this time. */
const RETRY_MS = 1_000;

export interface IpAddressKeeperDeps {
  readonly services: ResourceView;
  readonly addresses: ResourceView;
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
}

/**
 * Keeps one IPAddress object for each address that a service holds, and none for services that are gone. Level
 * triggered: a change only says which address to look at; everything is looked at once at the start.
 */
export class IpAddressKeeper {
  readonly #deps: IpAddressKeeperDeps;
  readonly #subscriptions: Disposable[] = [];
  /** Addresses to look at. */
  readonly #dirty = new Set<string>();
  /** Who holds which address, by the stored services. */
  readonly #holders = new Map<string, { namespace: string; name: string }>();
  #work: Promise<void> | undefined;
  #retryTimer: Disposable | undefined;
  #isStopped = false;

  constructor(deps: IpAddressKeeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { services, addresses } = this.#deps;
    // Safe: each view holds the kind it is named after.
    this.#subscriptions.push(
      services.onChange(({ object, previous }) => this.#follow(object as Service, previous as Service)),
      addresses.onChange(({ object, previous }) => this.#look((object ?? previous)?.metadata.name ?? '')),
    );
    for (const service of services.list()) this.#follow(service as Service, undefined);
    for (const { metadata } of addresses.list()) this.#look(metadata.name ?? '');
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#retryTimer?.[Symbol.dispose]();
    await this.#work;
  }

  #follow(next: Service | undefined, previous: Service | undefined): void {
    for (const address of clusterIpsOf(previous)) {
      const holder = this.#holders.get(address);
      const isOwn = holder?.name === previous?.metadata.name && holder?.namespace === previous?.metadata.namespace;
      if (isOwn) this.#holders.delete(address);
      this.#look(address);
    }
    for (const address of clusterIpsOf(next)) {
      const { namespace = '', name = '' } = next?.metadata ?? {};
      this.#holders.set(address, { namespace, name });
      this.#look(address);
    }
  }

  #look(address: string): void {
    if (address === '' || this.#isStopped || this.#isRight(address)) return;
    this.#dirty.add(address);
    this.#work ??= this.#deps.executor.run('background', () => this.#drain());
  }

  async #drain(): Promise<void> {
    const { executor } = this.#deps;
    while (this.#dirty.size > 0 && !this.#isStopped) {
      const [address = ''] = this.#dirty;
      this.#dirty.delete(address);
      await this.#keep(address);
      if (executor.shouldPause()) await executor.pause('background');
    }
    this.#work = undefined;
  }

  #isRight(address: string): boolean {
    const holder = this.#holders.get(address);
    // Safe: the view holds IPAddresses.
    const object = this.#deps.addresses.get(address) as IPAddress | undefined;
    if (object === undefined) return holder === undefined;
    if (isForeign(object)) return true;
    const reference = object.spec?.parentRef;
    if (holder === undefined) return object.metadata.labels?.[IP_MANAGED_BY_LABEL] !== MANAGER;
    return reference?.name === holder.name && (reference.namespace ?? '') === holder.namespace;
  }

  async #keep(address: string): Promise<void> {
    if (this.#isRight(address)) return;
    const { client, addresses, log } = this.#deps;
    const holder = this.#holders.get(address);
    try {
      // What an object refers to cannot change: it is made anew.
      if (addresses.get(address) !== undefined) await client.delete(IP_ADDRESSES, { name: address });
      if (holder !== undefined) await client.create(IP_ADDRESSES, ipAddress(address, holder));
    } catch (error) {
      if (isAlreadyExists(error) || isNotFound(error) || isConflict(error)) return;
      log.warn('cannot write an IPAddress; trying again', { address, error });
      this.#retryLater(address);
    }
  }

  #retryLater(address: string): void {
    if (this.#isStopped) return;
    this.#retryTimer?.[Symbol.dispose]();
    this.#dirty.add(address);
    this.#retryTimer = this.#deps.executor.clock.setTimeout(() => {
      this.#work ??= this.#deps.executor.run('background', () => this.#drain());
    }, RETRY_MS);
  }
}

function ipAddress(address: string, holder: { namespace: string; name: string }): IPAddress {
  return {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: {
      name: address,
      labels: { [IP_FAMILY_LABEL]: familyOf(address) ?? 'IPv4', [IP_MANAGED_BY_LABEL]: MANAGER },
    },
    spec: { parentRef: { group: '', resource: 'services', ...holder } },
  };
}
