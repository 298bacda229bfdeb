import { dropOtherTypesFields, keepAllocated } from '#api/core/v1/service/allocated.ts';
import type { Service } from '#api/generated/types.ts';
import { internalError, invalid } from '#machinery/errors/status-error.ts';
import { fieldErrorText, invalidValue, type FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { Random } from '#machinery/random/random.ts';
import type { ResourceView, WriteHook } from '../server-parts.ts';
import { Allocator, bandSize } from './allocator.ts';
import {
  clusterIpsOf,
  needsClusterIp,
  needsHealthCheckNodePort,
  needsNodePort,
  nodePortsOf,
  specOf,
} from './service-fields.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { settleFamilies } from './service-families.ts';

export interface ServiceAllocationDeps {
  readonly services: ResourceView;
  /** ServiceCIDRs and IPAddresses; absent: only what the configuration says. */
  readonly ranges?: ResourceView;
  readonly addresses?: ResourceView;
  readonly random: Random;
  /** Ranges of service addresses, the default family first. */
  readonly serviceCidrs?: readonly string[];
  /** `30000-32767`. */
  readonly nodePortRange?: { readonly first: number; readonly last: number };
}

const DEFAULT_CIDR = '10.96.0.0/16';
const DEFAULT_PORTS = { first: 30_000, last: 32_767 };

/**
 * Gives services their cluster addresses and node ports. What is taken is known from the stored services themselves,
 * plus what writes under way have reserved; so nothing leaks, and a restart rebuilds it.
 */
export function serviceAllocation(deps: ServiceAllocationDeps): WriteHook {
  const allocation = new ServiceAllocation(deps);
  return (write) => {
    if (write.operation === 'DELETE') return undefined;
    // Safe: this hook is registered for services.
    return allocation.prepare(write.object as Service, write.oldObject as Service | undefined);
  };
}

class ServiceAllocation {
  readonly #deps: ServiceAllocationDeps;
  readonly #ports: { first: number; last: number };
  readonly #portAllocator: Allocator;
  #loaded: ServiceAddresses | undefined;

  constructor(deps: ServiceAllocationDeps) {
    this.#deps = deps;
    this.#ports = deps.nodePortRange ?? DEFAULT_PORTS;
    const size = this.#ports.last - this.#ports.first + 1;
    this.#portAllocator = new Allocator({ size, bandStart: bandSize(size, { share: 32, min: 16, max: 128 }) });
  }

  /** Completes `service` in place and returns what undoes the reservations once the write ended. */
  prepare(service: Service, old: Service | undefined): (outcome: 'committed' | 'failed') => void {
    const addresses = this.#addresses;
    if (old !== undefined) {
      dropOtherTypesFields(service, old);
      keepAllocated(service, old);
    }
    const undo: (() => void)[] = [];
    try {
      this.#allocateAddresses(service, { old, undo, addresses });
      this.#allocatePorts(service, { old, undo });
    } catch (error) {
      for (const step of undo) step();
      throw error;
    }
    // A committed service is in the view by now, which took over what was reserved for it.
    return (outcome) => {
      if (outcome === 'failed') for (const step of undo) step();
    };
  }

  /** Reads what is stored at the first write. */
  get #addresses(): ServiceAddresses {
    if (this.#loaded !== undefined) return this.#loaded;
    const { services, serviceCidrs = [DEFAULT_CIDR] } = this.#deps;
    this.#loaded = new ServiceAddresses({ ...this.#deps, serviceCidrs });
    // Safe: the view holds Services.
    services.onChange(({ object, previous }) => this.#followPorts(object as Service, previous as Service));
    for (const service of services.list()) this.#followPorts(service as Service, undefined);
    return this.#loaded;
  }

  /** Marks what a stored service holds, and frees what it no longer does. */
  #followPorts(next: Service | undefined, previous: Service | undefined): void {
    const ports = new Set(nodePortsOf(next));
    for (const port of nodePortsOf(previous)) {
      if (!ports.has(port)) this.#portAllocator.release(port - this.#ports.first);
    }
    for (const port of ports) this.#portAllocator.take(port - this.#ports.first);
  }

  #allocateAddresses(service: Service, { old, undo, addresses }: Step & { addresses: ServiceAddresses }): void {
    if (!needsClusterIp(service)) return;
    const spec = specOf(service);
    const errors = settleFamilies(service, { old, families: addresses.families });
    if (errors.length > 0) throw invalidService(service, errors);
    if (spec.clusterIPs === undefined || spec.clusterIPs.length === 0) {
      spec.clusterIPs = spec.clusterIP === undefined || spec.clusterIP === '' ? [] : [spec.clusterIP];
    }
    if (spec.clusterIPs[0] === 'None') {
      spec.clusterIP = 'None';
      return;
    }
    const held = new Set(clusterIpsOf(old));
    const given = spec.clusterIPs;
    const result: string[] = [];
    for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
      const asked = given[index] ?? '';
      if (asked !== '' && held.has(asked)) result.push(asked);
      else if (asked === '') result.push(anyAddress(addresses, { family, undo }));
      else result.push(thisAddress(service, asked, { addresses, undo }));
    }
    spec.clusterIPs = result;
    if (result[0] !== undefined) spec.clusterIP = result[0];
  }

  #allocatePorts(service: Service, { old, undo }: Step): void {
    const spec = specOf(service);
    const ports = spec.ports ?? [];
    const held = new Set(nodePortsOf(old));
    /** Node port -> protocols that use it: TCP and UDP of one service may share a number. */
    const own = new Map<number, Set<string>>();
    const path = new FieldPath('spec');
    for (const [index, port] of ports.entries()) {
      const number = port.nodePort ?? 0;
      if (number === 0) continue;
      const protocols = own.get(number) ?? new Set();
      if (!held.has(number) && protocols.size === 0) {
        this.#thisPort(service, { number, path: path.child('ports').index(index).child('nodePort'), undo });
      }
      own.set(number, protocols.add(port.protocol ?? 'TCP'));
    }
    if (needsNodePort(service)) {
      for (const port of ports) {
        if ((port.nodePort ?? 0) !== 0) continue;
        port.nodePort = this.#sharedPort(ports, { port, own }) ?? this.#anyPort(undo);
        own.set(port.nodePort, (own.get(port.nodePort) ?? new Set()).add(port.protocol ?? 'TCP'));
      }
    }
    if (!needsHealthCheckNodePort(service)) return;
    const check = spec.healthCheckNodePort ?? 0;
    if (check === 0) spec.healthCheckNodePort = this.#anyPort(undo);
    else if (!held.has(check))
      this.#thisPort(service, { number: check, path: path.child('healthCheckNodePort'), undo });
  }

  /** The node port of the same port under another protocol. */
  #sharedPort(
    ports: readonly { port: number; protocol?: string; nodePort?: number }[],
    { port, own }: { port: { port: number; protocol?: string }; own: ReadonlyMap<number, Set<string>> },
  ): number | undefined {
    const twin = ports.find(
      (other) =>
        other.port === port.port &&
        (other.nodePort ?? 0) !== 0 &&
        own.get(other.nodePort ?? 0)?.has(port.protocol ?? 'TCP') === false,
    );
    return twin?.nodePort;
  }

  #anyPort(undo: (() => void)[]): number {
    const position = this.#portAllocator.takeAny(this.#deps.random);
    if (position === undefined) throw internalError(new Error('failed to allocate a nodePort: range is full'));
    undo.push(() => this.#portAllocator.release(position));
    return this.#ports.first + position;
  }

  #thisPort(service: Service, { number, path, undo }: { number: number; path: FieldPath; undo: (() => void)[] }): void {
    const position = number - this.#ports.first;
    if (number < this.#ports.first || number > this.#ports.last) {
      const detail = `provided port is not in the valid range. The range of valid ports is ${this.#ports.first}-${this.#ports.last}`;
      throw invalidService(service, [invalidValue(path, number, detail)]);
    }
    if (!this.#portAllocator.take(position)) {
      throw invalidService(service, [invalidValue(path, number, 'provided port is already allocated')]);
    }
    undo.push(() => this.#portAllocator.release(position));
  }
}

function anyAddress(addresses: ServiceAddresses, { family, undo }: { family: string; undo: (() => void)[] }): string {
  const found = addresses.takeAny(family);
  if (found === undefined) throw internalError(new Error('failed to allocate a serviceIP: range is full'));
  undo.push(found.release);
  return found.address;
}

function thisAddress(
  service: Service,
  address: string,
  { addresses, undo }: { addresses: ServiceAddresses; undo: (() => void)[] },
): string {
  const result = addresses.take(address);
  if (result.type === 'refused') {
    const path = new FieldPath('spec').child('clusterIPs');
    const detail = `failed to allocate IP ${address}: ${result.reason}`;
    throw invalidService(service, [invalidValue(path, service.spec?.clusterIPs, detail)]);
  }
  undo.push(result.release);
  return address;
}

interface Step {
  readonly old: Service | undefined;
  /** Gives back what this write reserved, should it fail. */
  readonly undo: (() => void)[];
}

function invalidService(service: Service, errors: readonly FieldError[]) {
  const causes = errors.map((error) => ({ ...error, text: fieldErrorText(error) }));
  return invalid({ group: '', kind: 'Service', name: service.metadata.name ?? '' }, causes);
}
