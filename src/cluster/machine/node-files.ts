import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyPair } from '#apiserver/pki/certificate.ts';
import { PAUSE_IMAGE } from '#node/image/local-images.ts';
import { DNS_USER } from '../addons.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { DataDirectory } from '../data-directory.ts';
import { addressAt, type ClusterSettings } from '../settings.ts';
import { writeAgentConfig } from './agent-config.ts';

const KUBELET_PORT = 10250;

/** Writes a node's certificates, kubeconfigs and configuration; returns the configuration's path. */
export function writeNodeFiles(options: {
  directory: DataDirectory;
  controlPlane: ControlPlane;
  nodeName: string;
  index: number;
  nodeIp: string;
  serverUrl: string;
  runtime: 'containerd' | 'process';
  settings: ClusterSettings;
  ownsNetwork: boolean;
  images: readonly string[];
  verbosity: number;
}): string {
  const { directory, controlPlane, nodeName, nodeIp, serverUrl, settings } = options;
  const { pki } = controlPlane;
  const folder = directory.node(nodeName);
  mkdirSync(join(folder, 'pki'), { recursive: true, mode: 0o700 });
  const put = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const serving = pki.issueServing({
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    names: [nodeName, nodeIp, '127.0.0.1', 'localhost'],
  });
  const kubeconfigOf = (user: string, client: KeyPair) => controlPlane.kubeconfigFor(user, client, serverUrl);
  const proxyClient = pki.issueClient({ commonName: 'system:kube-proxy', organizations: ['system:node-proxier'] });
  const path = join(folder, 'agent.json');
  writeAgentConfig(path, {
    nodeName,
    nodeIp,
    runtime: options.runtime,
    kubeconfig: put('kubelet.conf', kubeconfigOf(`system:node:${nodeName}`, pki.issueNode(nodeName))),
    proxyKubeconfig: put('kube-proxy.conf', kubeconfigOf('system:kube-proxy', proxyClient)),
    dnsKubeconfig: put('dns.conf', kubeconfigOf(DNS_USER, pki.issueClient({ commonName: DNS_USER }))),
    servingCertificate: put('pki/kubelet.crt', serving.certificate),
    servingKey: put('pki/kubelet.key', serving.key),
    clientCa: put('pki/ca.crt', pki.ca.certificate),
    // Without network namespaces all nodes share one address, so each needs a port of its own.
    kubeletPort: options.ownsNetwork ? KUBELET_PORT : KUBELET_PORT + options.index * 10,
    dataDirectory: folder,
    runDirectory: join(directory.runDirectory, nodeName),
    podCidr: settings.podCidr,
    serviceCidr: settings.serviceCidr,
    clusterDomain: 'cluster.local',
    clusterDns: addressAt(settings.serviceCidr, 10),
    cgroupRoot: `/tiphys-${directory.id}-${options.index}`,
    ownsNetwork: options.ownsNetwork,
    images: options.images,
    sandboxImage: PAUSE_IMAGE,
    verbosity: options.verbosity,
  });
  return path;
}
