import { hostname } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { clientConfig, type ComponentFlags, serveComponent, withComponentFlags } from '../component.ts';
import { parsePort } from '../options.ts';

interface ProxyFlags extends ComponentFlags {
  readonly hostnameOverride: string;
  readonly proxyMode: 'nftables' | 'userspace';
  readonly clusterCidr: string;
  readonly healthzBindAddress?: { readonly host: string; readonly port: number };
}

/** `tiphys proxy`: the service proxy of this machine alone. */
export function addProxyCommand(program: Command): void {
  withComponentFlags(program.command('proxy'))
    .description("run this machine's service proxy, for any Kubernetes API server")
    .option('--hostname-override <name>', 'the name of the node that this is', hostname().toLowerCase())
    .addOption(
      new Option('--proxy-mode <mode>', 'where routing happens: in the kernel (as root), or in this process')
        .choices(['nftables', 'userspace'])
        .default('nftables'),
    )
    .option('--cluster-cidr <cidr>', 'addresses of pods', '10.244.0.0/16')
    .option('--healthz-bind-address <address>', 'where to answer /healthz', parseAddress, {
      host: '0.0.0.0',
      port: 10_256,
    })
    .action(async (flags: ProxyFlags) => {
      const { runProxy } = await import('#cluster/components/proxy.ts');
      const config = clientConfig(flags, 'kube-proxy/v1.36.0 (tiphys)');
      await serveComponent({ name: 'proxy', config, v: flags.v }, (deps) =>
        runProxy(
          {
            nodeName: flags.hostnameOverride,
            mode: flags.proxyMode,
            clusterCidr: flags.clusterCidr,
            localServiceIps: [],
            ...(flags.healthzBindAddress === undefined ? {} : { health: flags.healthzBindAddress }),
          },
          deps,
        ),
      );
    });
}

/** `IP:PORT`; empty: nowhere. */
function parseAddress(text: string): { host: string; port: number } | undefined {
  if (text === '') return undefined;
  const match = /^\[?(.+?)\]?:(\d+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('it must be ADDRESS:PORT.');
  return { host: match[1] ?? '', port: parsePort(match[2] ?? '') };
}
