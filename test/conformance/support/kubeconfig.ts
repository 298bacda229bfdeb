import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** How to reach a cluster, read from the current context of a kubeconfig. */
export interface Connection {
  readonly server: URL;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
  readonly isInsecure: boolean;
}

interface KubeconfigFile {
  readonly 'current-context'?: string;
  readonly contexts?: readonly { name: string; context: { cluster: string; user: string } }[];
  readonly clusters?: readonly { name: string; cluster: Readonly<Record<string, unknown>> }[];
  readonly users?: readonly { name: string; user: Readonly<Record<string, unknown>> }[];
}

export function readKubeconfig(path: string): Connection {
  // Safe: a kubeconfig of another shape has no current context, which is said below.
  const file = parse(readFileSync(path, 'utf8')) as KubeconfigFile;
  const context = file.contexts?.find(({ name }) => name === file['current-context'])?.context;
  const cluster = file.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  const user = file.users?.find(({ name }) => name === context?.user)?.user;
  const server = cluster?.['server'];
  if (typeof server !== 'string' || user === undefined) throw new Error(`${path}: no usable current context`);
  const bytes = (from: Readonly<Record<string, unknown>> | undefined, field: string): Buffer | undefined => {
    const data = from?.[`${field}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64');
    const name = from?.[field];
    return typeof name === 'string' ? readFileSync(resolve(dirname(path), name)) : undefined;
  };
  const present = {
    ca: bytes(cluster, 'certificate-authority'),
    cert: bytes(user, 'client-certificate'),
    key: bytes(user, 'client-key'),
    token: typeof user['token'] === 'string' ? user['token'] : undefined,
  };
  const isInsecure = cluster?.['insecure-skip-tls-verify'] === true;
  return {
    server: new URL(server),
    isInsecure,
    // Safe: what is undefined has been left out.
    ...(Object.fromEntries(Object.entries(present).filter(([, value]) => value !== undefined)) as Partial<Connection>),
  };
}
