import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { HttpClient } from '#client/http/http-client.ts';
import { clientConfig, type ElectedFlags, healthPort, serveComponent, withElectedFlags } from '../component.ts';
import { parseCount, parseList, parseSwitch } from '../options.ts';

interface ControllerManagerFlags extends ElectedFlags {
  readonly controllers: readonly string[];
  readonly useServiceAccountCredentials: boolean;
  readonly clusterCidr?: string;
  readonly nodeCidrMaskSize?: number;
  readonly allocateNodeCidrs: boolean;
  readonly rootCaFile?: string;
}

/** `tiphys controller-manager`: the controllers alone, for any API server. */
export function addControllerManagerCommand(program: Command): void {
  withElectedFlags(program.command('controller-manager'), { securePort: 10_257 })
    .description('run controllers, for any Kubernetes API server')
    .option('--controllers <list>', 'controllers to run: "*" all, "foo" this one, "-foo" not this one', parseList, [
      '*',
    ])
    .option(
      '--use-service-account-credentials [bool]',
      'let each controller act as its own service account, instead of as the user of the kubeconfig',
      parseSwitch,
      false,
    )
    .option('--cluster-cidr <cidr>', 'addresses of pods')
    .option('--node-cidr-mask-size <bits>', "size of a node's range of them", parseCount)
    .option('--allocate-node-cidrs [bool]', 'give nodes their ranges', parseSwitch, false)
    .option('--root-ca-file <file>', 'what every namespace gets as kube-root-ca.crt')
    .action(run);
}

async function run(flags: ControllerManagerFlags): Promise<void> {
  const { runControllerManager } = await import('#cluster/components/controller-manager.ts');
  const config = clientConfig(flags, 'kube-controller-manager/v1.36.0 (tiphys)');
  const { clientCertificate: _, clientKey: __, token: ___, tokenFile: ____, ...anonymous } = config;
  await serveComponent({ name: 'controller-manager', config, v: flags.v }, async (deps) => {
    const { clock } = deps.executor;
    const health = await healthPort(flags, deps);
    return runControllerManager(
      {
        election: { isElecting: flags.leaderElect, leaseNamespace: flags.leaderElectResourceNamespace },
        ...(health === undefined ? {} : { health }),
        controllers: flags.controllers,
        options: {
          allocateNodeCidrs: flags.allocateNodeCidrs,
          ...(flags.clusterCidr === undefined ? {} : { clusterCidr: flags.clusterCidr }),
          ...(flags.nodeCidrMaskSize === undefined ? {} : { nodeCidrMaskSize: flags.nodeCidrMaskSize }),
          ...(flags.rootCaFile === undefined ? {} : { rootCa: readFileSync(flags.rootCaFile, 'utf8') }),
        },
        ...(flags.useServiceAccountCredentials
          ? { clientWithToken: (tokenFile: string) => new HttpClient({ ...anonymous, tokenFile }, { clock }) }
          : {}),
      },
      deps,
    );
  });
}
