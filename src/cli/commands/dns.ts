import type { Command } from 'commander';
import { clientConfig, type ComponentFlags, serveComponent, withComponentFlags } from '../component.ts';
import { parsePort } from '../options.ts';

interface DnsFlags extends ComponentFlags {
  readonly address: string;
  readonly port: number;
  readonly clusterDomain: string;
}

/** `tiphys dns`: the cluster's DNS server alone. */
export function addDnsCommand(program: Command): void {
  withComponentFlags(program.command('dns'))
    .description('run a DNS server for the services of any Kubernetes cluster')
    .option('--address <address>', 'where to listen', '0.0.0.0')
    .option('--port <port>', 'UDP and TCP port', parsePort, 53)
    .option('--cluster-domain <name>', 'the domain of services', 'cluster.local')
    .action(async (flags: DnsFlags) => {
      const { runDns } = await import('#cluster/components/dns.ts');
      const config = clientConfig(flags, 'coredns/v1.36.0 (tiphys)');
      const { address: host, port, clusterDomain } = flags;
      await serveComponent({ name: 'dns', config, v: flags.v }, (deps) => runDns({ host, port, clusterDomain }, deps));
    });
}
