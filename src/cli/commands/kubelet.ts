import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { KubeletOptions } from '#cluster/components/kubelet.ts';
import type { KubeletConfiguration } from '#cluster/components/kubelet-configuration.ts';
import type { ComponentDeps } from '#cluster/components/component.ts';
import { CliError } from '../cli-error.ts';
import { clientConfig, type ComponentFlags, serveComponent, withComponentFlags } from '../component.ts';
import { parseCount, parseList, parsePort } from '../options.ts';

interface KubeletFlags extends ComponentFlags {
  readonly config?: string;
  readonly hostnameOverride: string;
  readonly nodeIp?: string;
  readonly containerRuntimeEndpoint?: string;
  readonly rootDir: string;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly port?: number;
  readonly healthzPort?: number;
  readonly healthzBindAddress?: string;
  readonly clusterDns?: readonly string[];
  readonly clusterDomain?: string;
  readonly maxPods?: number;
  readonly cgroupRoot?: string;
  readonly clientCaFile?: string;
  readonly tlsCertFile?: string;
  readonly tlsPrivateKeyFile?: string;
}

/** `tiphys kubelet`: makes this machine a node of any API server, on a container runtime that runs already. */
export function addKubeletCommand(program: Command): void {
  withComponentFlags(program.command('kubelet'))
    .description('run a kubelet on a CRI runtime, for any Kubernetes API server')
    .option('--config <file>', 'a KubeletConfiguration; flags come before it')
    .option('--hostname-override <name>', 'the name of the node', hostname().toLowerCase())
    .option('--node-ip <address>', 'the address of the node (default: the first of this machine)')
    .option('--container-runtime-endpoint <socket>', 'default: unix:///run/containerd/containerd.sock')
    .option('--root-dir <directory>', 'volumes and other files of pods', '/var/lib/kubelet')
    .option('--node-labels <pairs>', 'labels of the node: a=b,c=d', parsePairs, {})
    .option('--address <address>', 'where to listen (default: 0.0.0.0)')
    .option('--port <port>', 'HTTPS port (default: 10250)', parsePort)
    .option('--healthz-port <port>', 'port of /healthz; 0: none (default: 10248)', parsePort)
    .option('--healthz-bind-address <address>', 'where to answer it (default: 127.0.0.1)')
    .option('--cluster-dns <addresses>', 'DNS servers of pods, with commas', parseList)
    .option('--cluster-domain <name>', 'the domain of services (default: cluster.local)')
    .option('--max-pods <count>', 'how many pods may run here (default: 110)', parseCount)
    .option('--cgroup-root <path>', 'parent of the cgroups of pods')
    .option('--client-ca-file <file>', 'whose client certificates to believe (default: the CA of the kubeconfig)')
    .option('--tls-cert-file <file>', 'certificate of the HTTPS port (default: one that nobody vouches for)')
    .option('--tls-private-key-file <file>', 'its key')
    .action(async (flags: KubeletFlags) => {
      const { readKubeletConfiguration } = await import('#cluster/components/kubelet-configuration.ts');
      const file = flags.config === undefined ? {} : readKubeletConfiguration(flags.config);
      const config = clientConfig(flags, 'kubelet/v1.36.0 (tiphys)');
      await serveComponent({ name: 'kubelet', config, v: flags.v }, (deps) =>
        start({ flags, file, clusterCa: config.certificateAuthority ?? '' }, deps),
      );
    });
}

interface Given {
  readonly flags: KubeletFlags;
  readonly file: KubeletConfiguration;
  readonly clusterCa: string;
}

async function start(given: Given, deps: ComponentDeps) {
  const { runKubelet } = await import('#cluster/components/kubelet.ts');
  const { CriRuntime } = await import('#node/runtime/cri/cri-runtime.ts');
  const { flags, file } = given;
  const endpoint =
    flags.containerRuntimeEndpoint ?? file.containerRuntimeEndpoint ?? 'unix:///run/containerd/containerd.sock';
  const runtime = await CriRuntime.connect(endpoint, { clock: deps.executor.clock });
  const kubelet = await runKubelet(await optionsOf(given, deps), { ...deps, runtime }).catch(async (error: unknown) => {
    await runtime.close();
    throw error;
  });
  return {
    // The pods go on: a kubelet that is started again takes them over.
    stop: async () => {
      await kubelet.stop();
      await runtime.close();
    },
  };
}

async function optionsOf({ flags, file, clusterCa }: Given, deps: ComponentDeps): Promise<KubeletOptions> {
  const healthPort = flags.healthzPort ?? file.healthzPort ?? 10_248;
  const healthHost = flags.healthzBindAddress ?? file.healthzBindAddress ?? '127.0.0.1';
  const clientCaFile = flags.clientCaFile ?? file.authentication?.x509?.clientCAFile ?? '';
  return {
    nodeName: flags.hostnameOverride,
    nodeIp: flags.nodeIp ?? machineAddress(),
    labels: flags.nodeLabels,
    taints: file.registerWithTaints ?? [],
    rootDirectory: flags.rootDir,
    logDirectory: '/var/log',
    podLogsDirectory: file.podLogsDir ?? '/var/log/pods',
    clusterDns: flags.clusterDns ?? file.clusterDNS ?? [],
    clusterDomain: flags.clusterDomain ?? file.clusterDomain ?? 'cluster.local',
    cgroupRoot: flags.cgroupRoot ?? file.cgroupRoot ?? '',
    podsMax: flags.maxPods ?? file.maxPods ?? 110,
    server: {
      host: flags.address ?? file.address ?? '0.0.0.0',
      port: flags.port ?? file.port ?? 10_250,
      ...(await servingPair({ flags, file }, deps)),
      clientCa: clientCaFile === '' ? clusterCa : readFileSync(clientCaFile, 'utf8'),
    },
    ...(healthPort === 0 ? {} : { health: { host: healthHost, port: healthPort } }),
  };
}

async function servingPair({ flags, file }: Pick<Given, 'flags' | 'file'>, { executor }: ComponentDeps) {
  const certificate = flags.tlsCertFile ?? file.tlsCertFile;
  const key = flags.tlsPrivateKeyFile ?? file.tlsPrivateKeyFile;
  if (certificate !== undefined && key !== undefined) {
    return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  }
  const { selfSignedCertificate } = await import('#cluster/components/health-server.ts');
  return selfSignedCertificate(executor);
}

function machineAddress(): string {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal);
  if (found === undefined) throw new CliError('this machine has no address', { hint: 'say which with --node-ip' });
  return found.address;
}

function parsePairs(text: string): Record<string, string> {
  const pairs = parseList(text).map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw new InvalidArgumentError('it must be KEY=VALUE, with commas between pairs.');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs);
}
