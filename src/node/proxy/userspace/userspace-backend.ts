import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Random } from '#machinery/random/random.ts';
import type { ProxyBackend, RouteChange } from '../backend.ts';
import type { Route } from '../routes.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import type { ServiceAddress, ServiceListener } from './listener.ts';
import { TcpListener } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';

interface Place extends ServiceAddress {
  readonly protocol: 'tcp' | 'udp';
  readonly isExternal: boolean;
}

/**
 * Service routing without root: a TCP or UDP listener for each cluster IP and port that this user may bind (with a
 * service range inside 127.0.0.0/8, all ports from 1024 up), and for each node port. What cannot be bound is logged once
 * and stays unserved; so does SCTP.
 */
export class UserspaceBackend implements ProxyBackend {
  readonly name = 'userspace';
  readonly #deps: { log: Logger; clock: Clock; random: Random };
  readonly #listeners = new Map<string, ServiceListener>();

  constructor(deps: { log: Logger; clock: Clock; random: Random }) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    // Listeners live in this process: nothing can be left from an earlier one.
  }

  async apply(changes: readonly RouteChange[]): Promise<void> {
    const wanted = new Map<string, { route: Route; place: Place }>();
    const unwanted = new Set<string>();
    for (const { previous } of changes) for (const place of placesOf(previous)) unwanted.add(keyOf(place));
    for (const { next } of changes) {
      for (const place of placesOf(next)) {
        if (next !== undefined) wanted.set(keyOf(place), { route: next, place });
        unwanted.delete(keyOf(place));
      }
    }
    for (const key of unwanted) await this.#close(key);
    for (const [key, { route, place }] of wanted) {
      const listener = this.#listeners.get(key);
      if (listener === undefined) await this.#open(key, place, route);
      else listener.choice.route = route;
    }
  }

  async stop(): Promise<void> {
    for (const key of this.#listeners.keys()) await this.#close(key);
  }

  async #open(key: string, place: Place, route: Route): Promise<void> {
    const { log, clock } = this.#deps;
    const choice = new EndpointChoice({ route, isExternal: place.isExternal }, this.#deps);
    const listener = place.protocol === 'tcp' ? new TcpListener(choice) : new UdpListener(choice, clock);
    try {
      await listener.open(place);
      this.#listeners.set(key, listener);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn('cannot serve a service address', { address: key, service: route.id, error: reason });
    }
  }

  async #close(key: string): Promise<void> {
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    await listener?.close();
  }
}

function placesOf(route: Route | undefined): Place[] {
  if (route === undefined || route.protocol === 'sctp') return [];
  const { protocol, port, nodePort } = route;
  const places: Place[] = route.clusterIps.map((host) => ({ host, port, protocol, isExternal: false }));
  if (nodePort > 0) places.push({ host: '127.0.0.1', port: nodePort, protocol, isExternal: true });
  return places;
}

function keyOf({ protocol, host, port }: Place): string {
  return `${protocol}:${host}:${port}`;
}
