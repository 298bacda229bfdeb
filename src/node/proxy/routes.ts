import type { EndpointSlice, Service, ServicePort } from '#api/generated/types.ts';

/** Lower-case IP protocols as the packet filter writes them. */
export type RouteProtocol = 'tcp' | 'udp' | 'sctp';

export interface RouteEndpoint {
  readonly ip: string;
  readonly port: number;
  readonly nodeName: string;
}

/** Where the traffic of one Service port goes: all that a proxy backend needs to know. */
export interface Route {
  /** `namespace/name:portName`. */
  readonly id: string;
  readonly protocol: RouteProtocol;
  readonly clusterIps: readonly string[];
  readonly port: number;
  /** 0 where there is none. */
  readonly nodePort: number;
  /** `spec.externalIPs` and load-balancer addresses. */
  readonly externalIps: readonly string[];
  /** For traffic from inside the cluster; empty: refuse. */
  readonly endpoints: readonly RouteEndpoint[];
  /** For traffic from outside; differs under `externalTrafficPolicy: Local`. */
  readonly externalEndpoints: readonly RouteEndpoint[];
  /** Traffic from outside keeps its source address (externalTrafficPolicy Local). */
  readonly keepsSource: boolean;
  /** Seconds a client sticks to its endpoint; 0: no affinity. */
  readonly affinitySeconds: number;
}

const DEFAULT_AFFINITY_SECONDS = 10_800;

/** The routes of one Service, given all its EndpointSlices, as seen from `nodeName`. None for headless services. */
export function routesOf(service: Service, slices: readonly EndpointSlice[], nodeName: string): Route[] {
  const spec = service.spec;
  if (spec === undefined || spec.type === 'ExternalName') return [];
  const clusterIps = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).filter(isIpv4);
  if (clusterIps.length === 0) return [];
  const affinitySeconds =
    spec.sessionAffinity === 'ClientIP'
      ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
      : 0;
  const ingress = (service.status?.loadBalancer?.ingress ?? []).flatMap((point) => point.ip ?? []);
  const externalIps = [...(spec.externalIPs ?? []), ...ingress].filter(isIpv4);
  return (spec.ports ?? []).map((port) => {
    const all = endpointsOf(port, slices);
    const endpoints = spec.internalTrafficPolicy === 'Local' ? localOf(all, nodeName) : all;
    const keepsSource = spec.externalTrafficPolicy === 'Local';
    return {
      id: `${service.metadata.namespace ?? ''}/${service.metadata.name ?? ''}:${port.name ?? ''}`,
      protocol: protocolOf(port.protocol),
      clusterIps,
      port: port.port,
      nodePort: port.nodePort ?? 0,
      externalIps,
      endpoints: usable(endpoints),
      externalEndpoints: usable(keepsSource ? localOf(all, nodeName) : all),
      keepsSource,
      affinitySeconds,
    };
  });
}

interface Candidate extends RouteEndpoint {
  readonly isReady: boolean;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
}

/** Ready endpoints; where there is none, those that still serve while they terminate (KEP-1669). */
function usable(candidates: readonly Candidate[]): RouteEndpoint[] {
  const ready = candidates.filter((candidate) => candidate.isReady);
  const chosen = ready.length > 0 ? ready : candidates.filter((item) => item.isServing && item.isTerminating);
  return chosen.map(({ ip, port, nodeName }) => ({ ip, port, nodeName }));
}

function localOf(candidates: readonly Candidate[], nodeName: string): Candidate[] {
  return candidates.filter((candidate) => candidate.nodeName === nodeName);
}

function endpointsOf(servicePort: ServicePort, slices: readonly EndpointSlice[]): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    const port = (slice.ports ?? []).find(
      (candidate) =>
        (candidate.name ?? '') === (servicePort.name ?? '') &&
        protocolOf(candidate.protocol) === protocolOf(servicePort.protocol),
    );
    if (port?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const ip = endpoint.addresses[0];
      if (ip === undefined) continue;
      const isReady = endpoint.conditions?.ready ?? true;
      found.set(`${ip}:${port.port}`, {
        ip,
        port: port.port,
        nodeName: endpoint.nodeName ?? '',
        isReady,
        isServing: endpoint.conditions?.serving ?? isReady,
        isTerminating: endpoint.conditions?.terminating ?? false,
      });
    }
  }
  // Sorted, so that the same state always renders to the same rules.
  return [...found.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, candidate]) => candidate);
}

function protocolOf(protocol: string | undefined): RouteProtocol {
  return protocol === 'UDP' ? 'udp' : protocol === 'SCTP' ? 'sctp' : 'tcp';
}

function isIpv4(ip: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(ip);
}
