import type { IPAddress, Service, ServiceCIDR } from '#api/generated/types.ts';
import type { Random } from '#machinery/random/random.ts';
import type { ResourceView } from '../server-parts.ts';
import { AddressRange, familyOf, type IpFamily } from './address-range.ts';
import { Allocator, bandSize } from './allocator.ts';
import { clusterIpsOf } from './service-fields.ts';

export interface ServiceAddressesDeps {
  readonly services: ResourceView;
  /** ServiceCIDR objects: further ranges. */
  readonly ranges?: ResourceView;
  /** IPAddress objects: those of others than services keep their addresses from services. */
  readonly addresses?: ResourceView;
  readonly random: Random;
  /** Ranges of service addresses that always hold, the default family first. */
  readonly serviceCidrs: readonly string[];
}

interface Range {
  readonly range: AddressRange;
  readonly allocator: Allocator;
  /** No new addresses are taken from a range that is not ready, or on its way out. */
  isOpen: boolean;
}

/** Why an address that a client asked for is refused, in upstream's words. */
export type Refusal = { readonly type: 'refused'; readonly reason: string };
export type Taken = { readonly type: 'taken'; readonly release: () => void };

/**
 * Which addresses of the service ranges are in use. Invariant: an address that a stored service or another's IPAddress
 * object holds is marked in every range that has it; so nothing leaks, and a restart rebuilds all of it.
 */
export class ServiceAddresses {
  readonly #deps: ServiceAddressesDeps;
  readonly #ranges = new Map<string, Range>();
  readonly #subscriptions: Disposable[] = [];

  constructor(deps: ServiceAddressesDeps) {
    this.#deps = deps;
    for (const cidr of deps.serviceCidrs) this.#addRange(new AddressRange(cidr)).isOpen = true;
    const { services, ranges, addresses } = deps;
    // Safe: each view holds the kind it is named after.
    this.#subscriptions.push(
      services.onChange(({ object, previous }) => this.#followService(object as Service, previous as Service)),
    );
    for (const service of services.list()) this.#followService(service as Service, undefined);
    if (ranges !== undefined) {
      this.#subscriptions.push(ranges.onChange(() => this.#followRanges()));
      this.#followRanges();
    }
    if (addresses === undefined) return;
    this.#subscriptions.push(
      addresses.onChange(({ object, previous }) => {
        if (object !== undefined && isForeign(object as IPAddress)) this.#mark(object.metadata.name ?? '');
        else if (previous !== undefined && isForeign(previous as IPAddress)) this.#freeIfUnused(previous as IPAddress);
      }),
    );
    for (const address of addresses.list()) {
      if (isForeign(address as IPAddress)) this.#mark(address.metadata.name ?? '');
    }
  }

  /** The families of the cluster, the default one first. */
  get families(): readonly IpFamily[] {
    return this.#deps.serviceCidrs.map((cidr) => new AddressRange(cidr).family);
  }

  /** Any free address; the ranges of the configuration first. Undefined where all are full. */
  takeAny(family: string): { readonly address: string; readonly release: () => void } | undefined {
    for (const { range, allocator, isOpen } of this.#ranges.values()) {
      if (!isOpen || range.family !== family) continue;
      const position = allocator.takeAny(this.#deps.random);
      if (position === undefined) continue;
      const address = range.at(position);
      this.#mark(address);
      return { address, release: () => this.#free(address) };
    }
    return undefined;
  }

  /** One address by name. */
  take(address: string): Taken | Refusal {
    const own = [...this.#ranges.values()].filter(({ range }) => range.positionOf(address) !== undefined);
    if (!own.some(({ isOpen }) => isOpen)) {
      const valid = [...this.#ranges.values()].filter(({ isOpen }) => isOpen).map(({ range }) => range.cidr);
      const reason =
        `the provided IP (${address}) is not in the valid range. ` +
        `The range of valid IPs is ${this.#defaultCidr(address) ?? valid.join(',')}`;
      return { type: 'refused', reason };
    }
    const isTaken = own.some(({ range, allocator }) => allocator.has(range.positionOf(address) ?? 0));
    if (isTaken) return { type: 'refused', reason: 'provided IP is already allocated' };
    this.#mark(address);
    return { type: 'taken', release: () => this.#free(address) };
  }

  #defaultCidr(address: string): string | undefined {
    const family = familyOf(address);
    const all = [...this.#ranges.values()].filter(({ range, isOpen }) => isOpen && range.family === family);
    return all.length === 0 ? undefined : all.map(({ range }) => range.cidr).join(',');
  }

  #addRange(range: AddressRange): Range {
    const bandStart = bandSize(range.size + 2, { share: 16, min: 16, max: 256 });
    const made = { range, allocator: new Allocator({ size: range.size, bandStart }), isOpen: false };
    this.#ranges.set(range.cidr, made);
    return made;
  }

  /** Ranges come and go seldom: all of them are looked at again. */
  #followRanges(): void {
    const open = new Set(this.#deps.serviceCidrs.map((cidr) => new AddressRange(cidr).cidr));
    const known = new Set(open);
    // Safe: the view holds ServiceCIDRs.
    for (const { metadata, spec, status } of (this.#deps.ranges?.list() ?? []) as ServiceCIDR[]) {
      const isReady = status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True');
      for (const cidr of spec?.cidrs ?? []) {
        const range = rangeOf(cidr);
        if (range === undefined) continue;
        known.add(range.cidr);
        if (isReady === true && metadata.deletionTimestamp === undefined) open.add(range.cidr);
        if (!this.#ranges.has(range.cidr)) this.#fill(this.#addRange(range));
      }
    }
    for (const [cidr, range] of this.#ranges) {
      range.isOpen = open.has(cidr);
      if (!known.has(cidr)) this.#ranges.delete(cidr);
    }
  }

  /** Marks what is in use already in a new range. */
  #fill({ range, allocator }: Range): void {
    const inUse = [
      ...this.#deps.services.list().flatMap((service) => clusterIpsOf(service as Service)),
      ...(this.#deps.addresses?.list() ?? []).map(({ metadata }) => metadata.name ?? ''),
    ];
    for (const address of inUse) {
      const position = range.positionOf(address);
      if (position !== undefined) allocator.take(position);
    }
  }

  #followService(next: Service | undefined, previous: Service | undefined): void {
    const addresses = new Set(clusterIpsOf(next));
    for (const address of clusterIpsOf(previous)) if (!addresses.has(address)) this.#free(address);
    for (const address of addresses) this.#mark(address);
  }

  #freeIfUnused({ metadata }: IPAddress): void {
    const name = metadata.name ?? '';
    const isHeld = this.#deps.services.list().some((service) => clusterIpsOf(service as Service).includes(name));
    if (!isHeld) this.#free(name);
  }

  #mark(address: string): void {
    this.#eachRange(address, (allocator, position) => void allocator.take(position));
  }

  #free(address: string): void {
    const holder = this.#deps.addresses?.get(address);
    if (holder !== undefined && isForeign(holder as IPAddress)) return;
    this.#eachRange(address, (allocator, position) => allocator.release(position));
  }

  #eachRange(address: string, action: (allocator: Allocator, position: number) => void): void {
    for (const { range, allocator } of this.#ranges.values()) {
      const position = range.positionOf(address);
      if (position !== undefined) action(allocator, position);
    }
  }
}

/** An address that something else than a service uses. */
export function isForeign({ spec }: IPAddress): boolean {
  const reference = spec?.parentRef;
  return reference?.resource !== 'services' || (reference.group ?? '') !== '';
}

function rangeOf(cidr: string): AddressRange | undefined {
  try {
    return new AddressRange(cidr);
  } catch (error) {
    // A range too small to hand anything out.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
