import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { apiChoice } from '#cluster/api-choice.ts';
import { openDataDirectory } from '#cluster/data-directory.ts';
import { addressAt, resolveSettings } from '#cluster/settings.ts';
import { type EtcdFlags, etcdFlags, resolveStoreChoice } from '#cluster/store-choice.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { stderrLogger } from '../file-logger.ts';
import {
  type ApiFlags,
  currentUid,
  parseList,
  parsePort,
  withApiFlags,
  withDataDir,
  withEtcdFlags,
} from '../options.ts';

interface ServerFlags extends ApiFlags, EtcdFlags {
  readonly dataDir: string;
  readonly port?: number;
  readonly bindAddress: string;
  readonly clusterCidr?: string;
  readonly serviceClusterIpRange?: string;
  readonly controllers: readonly string[];
  readonly disable: readonly string[];
  readonly kubeletCertificateAuthority?: string;
  readonly v: number;
}

/** Components that may run elsewhere, with `tiphys scheduler` and `tiphys controller-manager`. */
const COMPONENTS = ['scheduler', 'controller-manager'];

/** `tiphys server`: API server, controllers and scheduler in this process, in the foreground; no node. */
export function addServerCommand(program: Command): void {
  withEtcdFlags(withApiFlags(withDataDir(program.command('server'))))
    .description('run a control plane: API server, controllers, scheduler')
    .option('--port <port>', 'port of the API server; 0: any free one (default: as last time, else 6443)', parsePort)
    .option('--bind-address <address>', 'where to listen', '127.0.0.1')
    .option('--cluster-cidr <cidr>', 'addresses of pods (first start only)')
    .option('--service-cluster-ip-range <cidr>', 'addresses of services, or two ranges with a comma (first start only)')
    .option(
      '--kubelet-certificate-authority <file>',
      "whose certificates kubelets must have; empty: anybody's, as kubelets make their own (default: the cluster's CA)",
    )
    .option('--controllers <list>', 'controllers to run: "*" all, "foo" this one, "-foo" not this one', parseList, [
      '*',
    ])
    .option('--disable <components>', `what not to run in this process: ${COMPONENTS.join(', ')}`, parseComponents, [])
    .option('-v, --v <level>', 'how much to log', (text) => Number(text), 0)
    .action(serve);
}

async function serve(flags: ServerFlags): Promise<void> {
  const { startControlPlane } = await import('#cluster/control-plane.ts');
  const log = stderrLogger({ verbosity: flags.v });
  const executor = new RealExecutor({ onError: (error) => log.error('a task failed', { error }) });
  const directory = openDataDirectory(flags.dataDir, currentUid());
  const settings = await resolveSettings(directory, {
    port: flags.port,
    podCidr: flags.clusterCidr,
    serviceCidr: flags.serviceClusterIpRange,
    usedPrefixes: [],
    isLoopbackOnly: false,
    freePort: () => freePort(flags.bindAddress),
  });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  const { port, serviceCidr, podCidr } = settings;
  const controlPlane = await startControlPlane(
    {
      directory,
      listen: [{ host: flags.bindAddress, port }],
      advertise: { host: flags.bindAddress, port },
      serviceCidr,
      podCidr,
      clusterDns: addressAt(serviceCidr, 10),
      ...kubeletCa(flags.kubeletCertificateAuthority),
      controllers: flags.disable.includes('controller-manager') ? [] : flags.controllers,
      scheduler: !flags.disable.includes('scheduler'),
      store: await resolveStoreChoice(directory, etcdFlags(flags)),
      ...apiChoice(flags),
    },
    { executor, log },
  );
  const url = `https://${flags.bindAddress}:${port}`;
  writePrivate(directory.kubeconfig, controlPlane.adminKubeconfig({ server: url, context: 'tiphys' }));
  for (const name of flags.disable) {
    const commonName = `system:kube-${name}`;
    const client = controlPlane.pki.issueClient({ commonName });
    writePrivate(join(directory.root, `${name}.conf`), controlPlane.kubeconfigFor(commonName, client, url));
  }
  process.stderr.write(`serving ${url}; kubeconfig: ${directory.kubeconfig}\n`);
  await stopped;
  await controlPlane.close();
  process.exit(0);
}

function kubeletCa(file: string | undefined): { kubeletCa?: string } {
  if (file === undefined) return {};
  return { kubeletCa: file === '' ? '' : readFileSync(file, 'utf8') };
}

function writePrivate(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

function parseComponents(text: string): string[] {
  const names = parseList(text);
  const unknown = names.filter((name) => !COMPONENTS.includes(name));
  if (unknown.length === 0) return names;
  throw new InvalidArgumentError(
    `there is no ${unknown.join(', ')} to switch off; there are ${COMPONENTS.join(', ')}.`,
  );
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
