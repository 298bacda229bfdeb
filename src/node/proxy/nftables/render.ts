import { createHash } from 'node:crypto';
import type { Route, RouteEndpoint } from '../routes.ts';
import type { RouteChange } from '../backend.ts';

/** Our own table, so that removing it removes every rule of ours and none of anybody else's. */
export const PROXY_TABLE = 'tiphys-proxy';

// Upstream's mark for packets that must be masqueraded.
const MASQUERADE_MARK = '0x4000';

export interface RenderOptions {
  /** Sources inside the pod network reach services without masquerading. */
  readonly clusterCidr: string;
  /** Cluster IPs that a program on this node serves itself (DNS): never refused, never rewritten. */
  readonly localServiceIps: readonly string[];
}

/** The base: maps without elements, and the hooks that look them up. Replaces whatever table of ours is there. */
export function renderBase(options: RenderOptions): string {
  const local = options.localServiceIps;
  const localElements = local.length === 0 ? '' : ` elements = { ${local.join(', ')} };`;
  return `
table ip ${PROXY_TABLE} {}
delete table ip ${PROXY_TABLE}
table ip ${PROXY_TABLE} {
  set local-service-ips { type ipv4_addr;${localElements} }
  set hairpins { type ipv4_addr . ipv4_addr; }
  map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map external-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map node-ports { type inet_proto . inet_service : verdict; }
  map refused-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map refused-node-ports { type inet_proto . inet_service : verdict; }
  chain refuse { reject; }
  chain mark-for-masquerade { meta mark set meta mark | ${MASQUERADE_MARK}; }
  chain services {
    ip daddr @local-service-ips return
    ip daddr . meta l4proto . th dport vmap @service-ips
    ip daddr . meta l4proto . th dport vmap @external-ips
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports
  }
  chain refusals {
    ip daddr @local-service-ips return
    ip daddr . meta l4proto . th dport vmap @refused-ips
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @refused-node-ports
  }
  chain nat-prerouting { type nat hook prerouting priority -100; policy accept; jump services; }
  chain nat-output { type nat hook output priority -100; policy accept; jump services; }
  chain filter-input { type filter hook input priority -110; policy accept; ct state new jump refusals; }
  chain filter-forward { type filter hook forward priority -110; policy accept; ct state new jump refusals; }
  chain filter-output { type filter hook output priority -110; policy accept; ct state new jump refusals; }
  chain nat-postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip saddr . ip daddr @hairpins masquerade fully-random
    meta mark & ${MASQUERADE_MARK} == ${MASQUERADE_MARK} meta mark set meta mark ^ ${MASQUERADE_MARK} masquerade fully-random
  }
}
`;
}

export function renderRemoval(): string {
  return `table ip ${PROXY_TABLE} {}\ndelete table ip ${PROXY_TABLE}\n`;
}

/**
 * The transaction that turns `previous` routes into `next` ones. Old map elements and chains go first, then new chains
 * come, then the elements that lead to them: the kernel applies it as one step, so no connection sees a half-made state.
 * Chains of endpoints that stay are left alone, and with them the memory of which clients they have.
 */
export function renderChanges(changes: readonly RouteChange[], options: RenderOptions): string {
  const lines: string[] = [];
  for (const { previous } of changes) if (previous !== undefined) lines.push(...renderUnlink(previous));
  for (const { previous, next } of changes) {
    if (previous !== undefined) lines.push(...renderDeletion(previous, keptEndpoints(previous, next)));
  }
  for (const { previous, next } of changes) {
    if (next !== undefined) lines.push(...renderAddition(next, keptEndpoints(previous, next), options));
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** Pairs of an address with itself that must be masqueraded, because a pod may reach itself through its Service. */
export function renderHairpins(change: { added: readonly string[]; removed: readonly string[] }): string {
  const line = (verb: string, ips: readonly string[]) =>
    ips.length === 0
      ? ''
      : `${verb} element ip ${PROXY_TABLE} hairpins { ${ips.map((ip) => `${ip} . ${ip}`).join(', ')} }\n`;
  return line('delete', change.removed) + line('add', change.added);
}

/** The addresses of a route's endpoints, each once. */
export function endpointIps(route: Route): string[] {
  return [...new Set(allEndpoints(route).map(({ ip }) => ip))];
}

/** Names of the endpoint chains that are the same before and after. */
function keptEndpoints(previous: Route | undefined, next: Route | undefined): ReadonlySet<string> {
  if (previous === undefined || next === undefined) return new Set();
  if (previous.affinitySeconds !== next.affinitySeconds) return new Set();
  const before = new Set(allEndpoints(previous).map((endpoint) => endpointChain(previous, endpoint)));
  return before.intersection(new Set(allEndpoints(next).map((endpoint) => endpointChain(next, endpoint))));
}

interface MapElement {
  readonly map: string;
  readonly key: string;
  readonly verdict: string;
}

/** Every map element that a route owns. */
function elementsOf(route: Route): MapElement[] {
  const elements: MapElement[] = [];
  const { protocol, port } = route;
  const hasInternal = route.endpoints.length > 0;
  const hasExternal = route.externalEndpoints.length > 0;
  for (const ip of route.clusterIps) {
    const key = `${ip} . ${protocol} . ${port}`;
    elements.push(
      hasInternal
        ? { map: 'service-ips', key, verdict: `goto ${chainName('svc', route.id)}` }
        : { map: 'refused-ips', key, verdict: 'goto refuse' },
    );
  }
  for (const ip of route.externalIps) {
    const key = `${ip} . ${protocol} . ${port}`;
    elements.push(
      hasExternal
        ? { map: 'external-ips', key, verdict: `goto ${chainName('ext', route.id)}` }
        : { map: 'refused-ips', key, verdict: 'goto refuse' },
    );
  }
  if (route.nodePort > 0) {
    const key = `${protocol} . ${route.nodePort}`;
    elements.push(
      hasExternal
        ? { map: 'node-ports', key, verdict: `goto ${chainName('ext', route.id)}` }
        : { map: 'refused-node-ports', key, verdict: 'goto refuse' },
    );
  }
  return elements;
}

function hasExternalChain(route: Route): boolean {
  return route.externalEndpoints.length > 0 && (route.nodePort > 0 || route.externalIps.length > 0);
}

function allEndpoints(route: Route): RouteEndpoint[] {
  const byAddress = new Map<string, RouteEndpoint>();
  for (const endpoint of [...route.endpoints, ...route.externalEndpoints]) {
    byAddress.set(`${endpoint.ip}:${endpoint.port}`, endpoint);
  }
  return [...byAddress.values()];
}

function renderUnlink(route: Route): string[] {
  return elementsOf(route).map(({ map, key }) => `delete element ip ${PROXY_TABLE} ${map} { ${key} }`);
}

function renderDeletion(route: Route, kept: ReadonlySet<string>): string[] {
  const chains: string[] = [];
  if (hasExternalChain(route)) chains.push(chainName('ext', route.id));
  if (route.endpoints.length > 0) chains.push(chainName('svc', route.id));
  const endpoints = allEndpoints(route)
    .map((endpoint) => endpointChain(route, endpoint))
    .filter((chain) => !kept.has(chain));
  // Rules refer to chains further on: empty them all before the first is deleted.
  const affinity = route.affinitySeconds > 0 ? endpoints.map((chain) => affinitySet(chain)) : [];
  return [
    ...[...chains, ...endpoints].map((chain) => `flush chain ip ${PROXY_TABLE} ${chain}`),
    ...[...chains, ...endpoints].map((chain) => `delete chain ip ${PROXY_TABLE} ${chain}`),
    ...affinity.map((set) => `delete set ip ${PROXY_TABLE} ${set}`),
  ];
}

function renderAddition(route: Route, kept: ReadonlySet<string>, options: RenderOptions): string[] {
  const lines: string[] = [];
  for (const endpoint of allEndpoints(route)) {
    if (!kept.has(endpointChain(route, endpoint))) lines.push(...renderEndpoint(route, endpoint));
  }
  if (route.endpoints.length > 0) {
    const chain = chainName('svc', route.id);
    lines.push(`add chain ip ${PROXY_TABLE} ${chain}`);
    lines.push(`add rule ip ${PROXY_TABLE} ${chain} ip saddr != ${options.clusterCidr} jump mark-for-masquerade`);
    lines.push(...renderBalance(chain, route, route.endpoints));
  }
  if (hasExternalChain(route)) {
    const chain = chainName('ext', route.id);
    lines.push(`add chain ip ${PROXY_TABLE} ${chain}`);
    if (!route.keepsSource) lines.push(`add rule ip ${PROXY_TABLE} ${chain} jump mark-for-masquerade`);
    lines.push(...renderBalance(chain, route, route.externalEndpoints));
  }
  for (const { map, key, verdict } of elementsOf(route)) {
    lines.push(`add element ip ${PROXY_TABLE} ${map} { ${key} : ${verdict} }`);
  }
  return lines;
}

function renderBalance(chain: string, route: Route, endpoints: readonly RouteEndpoint[]): string[] {
  const targets = endpoints.map((endpoint) => endpointChain(route, endpoint));
  const sticky =
    route.affinitySeconds > 0
      ? targets.map((target) => `add rule ip ${PROXY_TABLE} ${chain} ip saddr @${affinitySet(target)} goto ${target}`)
      : [];
  const choices = targets.map((target, index) => `${index} : goto ${target}`).join(', ');
  return [...sticky, `add rule ip ${PROXY_TABLE} ${chain} numgen random mod ${targets.length} vmap { ${choices} }`];
}

function renderEndpoint(route: Route, endpoint: RouteEndpoint): string[] {
  const chain = endpointChain(route, endpoint);
  const lines: string[] = [];
  if (route.affinitySeconds > 0) {
    const flags = `flags dynamic,timeout; timeout ${route.affinitySeconds}s;`;
    lines.push(`add set ip ${PROXY_TABLE} ${affinitySet(chain)} { type ipv4_addr; ${flags} }`);
  }
  lines.push(`add chain ip ${PROXY_TABLE} ${chain}`);
  if (route.affinitySeconds > 0) {
    lines.push(`add rule ip ${PROXY_TABLE} ${chain} update @${affinitySet(chain)} { ip saddr }`);
  }
  const match = `meta l4proto ${route.protocol}`;
  lines.push(`add rule ip ${PROXY_TABLE} ${chain} ${match} dnat to ${endpoint.ip}:${endpoint.port}`);
  return lines;
}

// Chain names are limited in length and alphabet; a digest keeps them unique, whatever the service is called.
function chainName(prefix: 'svc' | 'ext' | 'ep', id: string): string {
  return `${prefix}-${createHash('sha256').update(id).digest('hex').slice(0, 20)}`;
}

function endpointChain(route: Route, endpoint: RouteEndpoint): string {
  return chainName('ep', `${route.id}|${route.protocol}|${endpoint.ip}:${endpoint.port}`);
}

function affinitySet(chain: string): string {
  return `aff-${chain}`;
}
