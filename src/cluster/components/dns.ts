import { existsSync, readFileSync } from 'node:fs';
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from '#api/generated/resources.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import { DnsServer } from '#node/dns/dns-server.ts';
import { Forwarder } from '#node/dns/forwarder.ts';
import { createZoneView } from '#node/dns/zone-index.ts';
import type { ComponentDeps, RunningComponent } from './component.ts';

export interface DnsOptions {
  readonly host: string;
  readonly port: number;
  readonly clusterDomain: string;
}

/** The cluster's DNS server. Its client's user needs the role `system:coredns`. */
export async function runDns(options: DnsOptions, deps: ComponentDeps): Promise<RunningComponent> {
  const { client, executor, log } = deps;
  const { clock, random } = executor;
  const informers = new InformerFactory({ client, executor, log });
  const view = createZoneView({
    services: informers.informer(SERVICES),
    slices: informers.informer(ENDPOINT_SLICES),
    namespaces: informers.informer(NAMESPACES),
  });
  const forwarder = new Forwarder({ servers: nameservers(), clock, random });
  const dns = new DnsServer({ view, forwarder, log, domain: options.clusterDomain });
  await dns.listen({ host: options.host, port: options.port });
  informers.start();
  return {
    stop: async () => {
      await dns.close();
      await informers.stop();
    },
  };
}

/** The machine's own resolvers; a stub on its loopback cannot be reached from the node's network. */
function nameservers(): string[] {
  const files = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'];
  for (const file of files) {
    if (!existsSync(file)) continue;
    const found = [...readFileSync(file, 'utf8').matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)].map(
      (match) => match[1] ?? '',
    );
    const reachable = found.filter((server) => !server.startsWith('127.'));
    if (reachable.length > 0) return reachable;
  }
  return [];
}
