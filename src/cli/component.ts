import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { HttpClient } from '#client/http/http-client.ts';
import type { ClientConfig } from '#client/http/client-config.ts';
import { inClusterConfig, loadKubeconfig } from '#client/kubeconfig/kubeconfig.ts';
import type { ComponentDeps, RunningComponent } from '#cluster/components/component.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { CliError } from './cli-error.ts';
import { stderrLogger } from './file-logger.ts';
import { parsePort, parseSwitch } from './options.ts';

/** Flags of every component that runs alone, under Kubernetes' own names. */
export interface ComponentFlags {
  readonly kubeconfig?: string;
  readonly v: number;
}

/** Flags of components with an HTTPS port and a lease. */
export interface ElectedFlags extends ComponentFlags {
  readonly leaderElect: boolean;
  readonly leaderElectResourceNamespace: string;
  readonly bindAddress: string;
  readonly securePort: number;
  readonly tlsCertFile?: string;
  readonly tlsPrivateKeyFile?: string;
}

export function withComponentFlags(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the API server, and as whom (default: as kubectl chooses)')
    .option('-v, --v <level>', 'how much to log', (text) => Number(text), 0);
}

export function withElectedFlags(command: Command, options: { securePort: number }): Command {
  return withComponentFlags(command)
    .option('--leader-elect [bool]', 'work only while holding the lease', parseSwitch, true)
    .option('--leader-elect-resource-namespace <name>', 'where the lease is', 'kube-system')
    .option('--bind-address <address>', 'where to listen for /healthz', '0.0.0.0')
    .option('--secure-port <port>', 'its HTTPS port; 0: none', parsePort, options.securePort)
    .option('--tls-cert-file <file>', 'certificate of that port (default: one that nobody vouches for)')
    .option('--tls-private-key-file <file>', 'its key');
}

/** The API server of `--kubeconfig`, else of the pod that this runs in, else of the user's kubeconfig. */
export function clientConfig(flags: ComponentFlags, userAgent: string): ClientConfig {
  const { kubeconfig } = flags;
  if (kubeconfig !== undefined) return loadKubeconfig({ path: kubeconfig, env: {}, userAgent });
  return inClusterConfig({ env: process.env, userAgent }) ?? loadKubeconfig({ env: process.env, userAgent });
}

/** The HTTPS port for `/healthz`; undefined with `--secure-port 0`. */
export async function healthPort(flags: ElectedFlags, { executor }: Pick<ComponentDeps, 'executor'>) {
  if (flags.securePort === 0) return undefined;
  const { selfSignedCertificate } = await import('#cluster/components/health-server.ts');
  const { tlsCertFile, tlsPrivateKeyFile } = flags;
  if ((tlsCertFile === undefined) !== (tlsPrivateKeyFile === undefined)) {
    throw new CliError('--tls-cert-file and --tls-private-key-file go together');
  }
  const tls =
    tlsCertFile === undefined || tlsPrivateKeyFile === undefined
      ? selfSignedCertificate(executor)
      : { certificate: readFileSync(tlsCertFile, 'utf8'), key: readFileSync(tlsPrivateKeyFile, 'utf8') };
  return { host: flags.bindAddress, port: flags.securePort, tls };
}

/** Runs a component until a signal comes, or until it says that it is `lost`; then ends the process. */
export async function serveComponent(
  component: { readonly name: string; readonly config: ClientConfig; readonly v: number },
  start: (deps: ComponentDeps) => Promise<RunningComponent & { readonly lost?: Promise<void> }>,
): Promise<void> {
  const log = stderrLogger({ verbosity: component.v });
  const executor = new RealExecutor({ onError: (error) => log.error('a task failed', { error }) });
  const stopped = new Promise<'signal'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('signal'));
  });
  const client = new HttpClient(component.config, { clock: executor.clock });
  const running = await start({ client, executor, log }).catch(async (error: unknown) => {
    await client.close();
    throw error;
  });
  log.info('started', { component: component.name, server: component.config.server });
  const lost = running.lost?.then(() => 'lost' as const) ?? new Promise<never>(() => undefined);
  const reason = await Promise.race([stopped, lost]);
  if (reason === 'lost') {
    // Another one may be at work already: what this one still has under way must not come after.
    log.error('leader election lost', { component: component.name });
    process.exit(1);
  }
  await running.stop();
  await client.close();
  process.exit(0);
}
