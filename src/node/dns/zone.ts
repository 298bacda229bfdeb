import type { EndpointSlice, Service } from '#api/generated/types.ts';

/**
 * Answers questions about the cluster domain, as the DNS-based service discovery specification 1.1.0 has it
 * (kubernetes/dns). Pure: reads two indexes and computes records.
 */
export interface ZoneView {
  readonly service: (namespace: string, name: string) => Service | undefined;
  readonly hasNamespace: (namespace: string) => boolean;
  readonly slices: (namespace: string, serviceName: string) => readonly EndpointSlice[];
  readonly serviceByIp: (ip: string) => Service | undefined;
  readonly endpointByIp: (ip: string) => { slice: EndpointSlice; hostname?: string } | undefined;
}

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR'; readonly name: string; readonly data: string }
  | { readonly type: 'TXT'; readonly name: string; readonly data: string }
  | { readonly type: 'SRV'; readonly name: string; readonly data: SrvData };

export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export type ZoneAnswer =
  | { readonly type: 'records'; readonly answers: readonly DnsRecord[]; readonly additionals: readonly DnsRecord[] }
  /** The name exists, but has no record of this type. */
  | { readonly type: 'noData' }
  | { readonly type: 'noName' }
  /** An alias to a name outside: the server resolves it upstream and appends what it finds. */
  | { readonly type: 'alias'; readonly record: DnsRecord; readonly target: string }
  | { readonly type: 'notOurs' };

/** Version of the specification, answered at `dns-version.<domain>`. */
const SCHEMA_VERSION = '1.1.0';

export function answerQuestion(
  question: { readonly name: string; readonly type: string },
  options: { readonly view: ZoneView; readonly domain: string },
): ZoneAnswer {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const { view, domain } = options;
  if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa')) return answerReverse(name, question.type, options);
  if (name === domain) return { type: 'noData' };
  if (!name.endsWith(`.${domain}`)) return { type: 'notOurs' };
  const labels = name.slice(0, -domain.length - 1).split('.');
  const [kind] = labels.slice(-1);
  if (labels.length === 1 && kind === 'dns-version') {
    return question.type === 'TXT' ? one({ type: 'TXT', name, data: SCHEMA_VERSION }) : { type: 'noData' };
  }
  if (labels.length === 1 && (kind === 'svc' || kind === 'pod')) return { type: 'noData' };
  const namespace = labels.at(-2) ?? '';
  if (!view.hasNamespace(namespace)) return { type: 'noName' };
  if (labels.length === 2) return { type: 'noData' };
  if (kind === 'pod') return answerPod(labels, { name, type: question.type });
  if (kind === 'svc') return answerService(labels, { name, type: question.type }, options);
  return { type: 'noName' };
}

/** `10-244-0-5.default.pod.<domain>`: the address is in the name. */
function answerPod(labels: readonly string[], question: { name: string; type: string }): ZoneAnswer {
  const ip = labels.length === 3 ? (labels[0] ?? '').replaceAll('-', '.') : '';
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(ip) || ip.split('.').some((part) => Number(part) > 255))
    return { type: 'noName' };
  return question.type === 'A' ? one({ type: 'A', name: question.name, data: ip }) : { type: 'noData' };
}

function answerService(
  labels: readonly string[],
  question: { name: string; type: string },
  { view, domain }: { view: ZoneView; domain: string },
): ZoneAnswer {
  const namespace = labels.at(-2) ?? '';
  const service = view.service(namespace, labels.at(-3) ?? '');
  if (service === undefined) return { type: 'noName' };
  const base = `${service.metadata.name ?? ''}.${namespace}.svc.${domain}`;
  const below = labels.slice(0, -3);
  if (service.spec?.type === 'ExternalName') {
    if (below.length > 0) return { type: 'noName' };
    const target = service.spec.externalName ?? '';
    return { type: 'alias', record: { type: 'CNAME', name: question.name, data: target }, target };
  }
  const slices = view.slices(namespace, service.metadata.name ?? '');
  const isHeadless = service.spec?.clusterIP === 'None';
  if (below.length === 0) {
    const ips = isHeadless ? endpointsOf(slices, undefined).map(({ ip }) => ip) : (service.spec?.clusterIPs ?? []);
    if (isHeadless && ips.length === 0) return { type: 'noName' };
    return addresses(question, ips);
  }
  if (below.length === 2 && below[0]?.startsWith('_') && below[1]?.startsWith('_')) {
    return answerPorts(question, { service, slices, base, port: below[0].slice(1), protocol: below[1].slice(1) });
  }
  if (below.length === 1 && isHeadless) {
    const ips = endpointsOf(slices, undefined).flatMap(({ ip, label }) => (label === below[0] ? [ip] : []));
    return ips.length === 0 ? { type: 'noName' } : addresses(question, ips);
  }
  return { type: 'noName' };
}

function answerPorts(
  question: { name: string; type: string },
  asked: { service: Service; slices: readonly EndpointSlice[]; base: string; port: string; protocol: string },
): ZoneAnswer {
  const answers: DnsRecord[] = [];
  const additionals: DnsRecord[] = [];
  const add = (target: string, port: number, ips: readonly string[]) => {
    const data = { priority: 0, weight: 0, port, target };
    answers.push({ type: 'SRV', name: question.name, data });
    additionals.push(...ips.map((ip) => addressRecord(target, ip)));
  };
  if (asked.service.spec?.clusterIP === 'None') {
    for (const endpoint of endpointsOf(asked.slices, asked))
      add(`${endpoint.label}.${asked.base}`, endpoint.port, [endpoint.ip]);
  } else {
    for (const port of asked.service.spec?.ports ?? []) {
      if ((port.name ?? '') !== asked.port || (port.protocol ?? 'TCP').toLowerCase() !== asked.protocol) continue;
      add(asked.base, port.port, asked.service.spec?.clusterIPs ?? []);
    }
  }
  if (answers.length === 0) return { type: 'noName' };
  if (question.type !== 'SRV') return { type: 'noData' };
  const weight = Math.max(1, Math.floor(100 / answers.length));
  const weighted = answers.map((record) =>
    record.type === 'SRV' ? { ...record, data: { ...record.data, weight } } : record,
  );
  return { type: 'records', answers: weighted, additionals };
}

function answerReverse(name: string, type: string, { view, domain }: { view: ZoneView; domain: string }): ZoneAnswer {
  if (!name.endsWith('.in-addr.arpa')) return { type: 'notOurs' };
  const ip = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
  const service = view.serviceByIp(ip);
  if (service !== undefined) {
    const data = `${service.metadata.name ?? ''}.${service.metadata.namespace ?? ''}.svc.${domain}`;
    return type === 'PTR' ? one({ type: 'PTR', name, data }) : { type: 'noData' };
  }
  const endpoint = view.endpointByIp(ip);
  const serviceName = endpoint?.slice.metadata.labels?.['kubernetes.io/service-name'];
  if (endpoint === undefined || serviceName === undefined) return { type: 'notOurs' };
  const label = endpoint.hostname ?? ip.replaceAll('.', '-');
  const data = `${label}.${serviceName}.${endpoint.slice.metadata.namespace ?? ''}.svc.${domain}`;
  return type === 'PTR' ? one({ type: 'PTR', name, data }) : { type: 'noData' };
}

/** Ready endpoints with the label under which a headless service names them. */
function endpointsOf(
  slices: readonly EndpointSlice[],
  filter: { readonly port: string; readonly protocol: string } | undefined,
): { ip: string; label: string; port: number }[] {
  const found = new Map<string, { ip: string; label: string; port: number }>();
  for (const slice of slices) {
    if (slice.addressType === 'FQDN') continue;
    const ports =
      filter === undefined
        ? [0]
        : (slice.ports ?? []).flatMap((port) =>
            (port.name ?? '') === filter.port && (port.protocol ?? 'TCP').toLowerCase() === filter.protocol
              ? (port.port ?? [])
              : [],
          );
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.conditions?.ready === false) continue;
      for (const ip of endpoint.addresses) {
        const label = endpoint.hostname ?? ip.replaceAll(/[.:]/g, '-');
        for (const port of ports) found.set(`${ip}:${port}`, { ip, label, port });
      }
    }
  }
  return [...found.values()];
}

function addresses(question: { name: string; type: string }, ips: readonly string[]): ZoneAnswer {
  const records = ips.filter((ip) => ip !== 'None').map((ip) => addressRecord(question.name, ip));
  const matching = records.filter((record) => record.type === question.type);
  return matching.length === 0 ? { type: 'noData' } : { type: 'records', answers: matching, additionals: [] };
}

function addressRecord(name: string, ip: string): DnsRecord {
  return { type: ip.includes(':') ? 'AAAA' : 'A', name, data: ip };
}

function one(record: DnsRecord): ZoneAnswer {
  return { type: 'records', answers: [record], additionals: [] };
}
