import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import type { Route, RouteEndpoint } from '../routes.ts';

/** Clients that are remembered for session affinity, per listener; the one that came first is forgotten first. */
const CLIENTS_MAX = 10_000;

/** Which endpoints of a route to try, in order: all of them from a random one, unless the client has one already. */
export class EndpointChoice {
  route: Route;
  readonly #isExternal: boolean;
  readonly #deps: { clock: Clock; random: Random };
  /** Client address -> `ip:port` and until when it holds (monotonic). Empty without affinity. */
  readonly #sticky = new Map<string, { endpoint: string; untilMs: number }>();

  constructor(init: { route: Route; isExternal: boolean }, deps: { clock: Clock; random: Random }) {
    this.route = init.route;
    this.#isExternal = init.isExternal;
    this.#deps = deps;
  }

  candidates(clientIp: string): RouteEndpoint[] {
    const all = this.#isExternal ? this.route.externalEndpoints : this.route.endpoints;
    if (all.length === 0) return [];
    const kept = this.#kept(clientIp);
    const found = kept === undefined ? -1 : all.findIndex((endpoint) => addressOf(endpoint) === kept);
    const start = found >= 0 ? found : this.#deps.random.int(all.length);
    return [...all.slice(start), ...all.slice(0, start)];
  }

  /** The client was answered by this endpoint, and stays with it as long as the Service asks for. */
  remember(clientIp: string, endpoint: RouteEndpoint): void {
    const { affinitySeconds } = this.route;
    if (affinitySeconds === 0) {
      this.#sticky.clear();
      return;
    }
    this.#sticky.delete(clientIp);
    const [oldest] = this.#sticky.keys();
    if (this.#sticky.size >= CLIENTS_MAX && oldest !== undefined) this.#sticky.delete(oldest);
    const untilMs = this.#deps.clock.monotonic() + affinitySeconds * 1000;
    this.#sticky.set(clientIp, { endpoint: addressOf(endpoint), untilMs });
  }

  #kept(clientIp: string): string | undefined {
    const kept = this.#sticky.get(clientIp);
    return kept !== undefined && kept.untilMs > this.#deps.clock.monotonic() ? kept.endpoint : undefined;
  }
}

function addressOf({ ip, port }: RouteEndpoint): string {
  return `${ip}:${port}`;
}
