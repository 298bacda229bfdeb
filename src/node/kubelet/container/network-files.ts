import type { Pod } from '#api/generated/types.ts';
import type { DnsConfig } from '../../runtime/contract.ts';
import { podName, podNamespace } from '../pod/pod.ts';

const HOSTNAME_LENGTH_MAX = 63;
// What the resolver library and the kernel accept for a whole host name.
const FQDN_LENGTH_MAX = 64;

export interface PodHostname {
  /** What the pod's own kernel says. */
  readonly hostname: string;
  /** The short name, for the hosts file. */
  readonly shortName: string;
  /** Empty without a subdomain. */
  readonly domain: string;
}

/** The pod's name for itself. Throws where it must be fully qualified and is then too long. */
export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const { hostname, subdomain, setHostnameAsFQDN, hostnameOverride } = pod.spec;
  if (hostnameOverride !== undefined) return { hostname: hostnameOverride, shortName: hostnameOverride, domain: '' };
  const shortName = hostname !== undefined && hostname !== '' ? hostname : truncated(podName(pod));
  const domain =
    subdomain === undefined || subdomain === '' ? '' : `${subdomain}.${podNamespace(pod)}.svc.${clusterDomain}`;
  if (setHostnameAsFQDN !== true || domain === '') return { hostname: shortName, shortName, domain };
  const full = `${shortName}.${domain}`;
  if (full.length > FQDN_LENGTH_MAX) {
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (${FQDN_LENGTH_MAX} characters is the max, ${full.length} characters requested)`,
    );
  }
  return { hostname: full, shortName, domain };
}

function truncated(name: string): string {
  return name.length <= HOSTNAME_LENGTH_MAX ? name : name.slice(0, HOSTNAME_LENGTH_MAX).replace(/[-.]+$/, '');
}

/** The pod's /etc/hosts. `nodeHosts` is the node's own, for pods that share its network. */
export function hostsFile(pod: Pod, options: { ips: readonly string[]; name: PodHostname; nodeHosts: string }): string {
  if (pod.spec.hostNetwork === true) {
    return `# Kubernetes-managed hosts file (host network).\n${options.nodeHosts}${aliases(pod)}`;
  }
  const { shortName, domain } = options.name;
  const names = domain === '' ? shortName : `${shortName}.${domain}\t${shortName}`;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...options.ips.map((ip) => `${ip}\t${names}`),
  ];
  return `${lines.join('\n')}\n${aliases(pod)}`;
}

function aliases(pod: Pod): string {
  const wanted = pod.spec.hostAliases ?? [];
  if (wanted.length === 0) return '';
  const lines = wanted.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`);
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}

export interface DnsOptions {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** The node's resolv.conf. */
  readonly nodeResolvConf: string;
}

const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;

/** What goes into the pod's resolv.conf, by its dnsPolicy and dnsConfig. */
export function podDns(pod: Pod, options: DnsOptions): DnsConfig {
  const base = policyDns(pod, options);
  const extra = pod.spec.dnsConfig;
  if (extra === undefined) return base;
  const settings = new Map(base.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of extra.options ?? []) {
    settings.set(name, value === undefined ? name : `${name}:${value}`);
  }
  return {
    servers: unique([...base.servers, ...(extra.nameservers ?? [])]).slice(0, NAMESERVERS_MAX),
    searches: unique([...base.searches, ...(extra.searches ?? [])]).slice(0, SEARCHES_MAX),
    options: [...settings.values()],
  };
}

function policyDns(pod: Pod, { clusterDns, clusterDomain, nodeResolvConf }: DnsOptions): DnsConfig {
  const node = parseResolvConf(nodeResolvConf);
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const isCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true);
  if (!isCluster || clusterDns.length === 0) return node;
  const own = [`${podNamespace(pod)}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return {
    servers: clusterDns.slice(0, NAMESERVERS_MAX),
    searches: unique([...own, ...node.searches]).slice(0, SEARCHES_MAX),
    options: ['ndots:5'],
  };
}

export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(rest[0]);
    else if (word === 'search') searches = rest.map((one) => (one === '.' ? one : one.replace(/\.$/, '')));
    else if (word === 'options') options = rest;
  }
  return { servers: servers.slice(0, NAMESERVERS_MAX), searches, options };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
