import type { KeyPair } from './certificate.ts';

/** A kubeconfig for one user of one cluster, with everything embedded, in the order kubeadm writes it. */
export function kubeconfigFor(options: {
  readonly clusterName: string;
  readonly userName: string;
  readonly contextName?: string;
  /** `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly client: KeyPair;
}): string {
  const { clusterName, userName, server, ca, client } = options;
  const contextName = options.contextName ?? `${userName}@${clusterName}`;
  return [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    certificate-authority-data: ${base64(ca)}`,
    `    server: ${server}`,
    `  name: ${clusterName}`,
    'contexts:',
    '- context:',
    `    cluster: ${clusterName}`,
    `    user: ${userName}`,
    `  name: ${contextName}`,
    `current-context: ${contextName}`,
    'kind: Config',
    'preferences: {}',
    'users:',
    `- name: ${userName}`,
    '  user:',
    `    client-certificate-data: ${base64(client.certificate)}`,
    `    client-key-data: ${base64(client.key)}`,
    '',
  ].join('\n');
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
