import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { KubeconfigError } from '../errors.ts';
import type { ClientConfig } from '../http/client-config.ts';
import {
  type KubeconfigEntry,
  type KubeconfigEnvironment,
  kubeconfigPaths,
  readKubeconfig,
} from './kubeconfig-file.ts';

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface LoadKubeconfigOptions {
  /** A file to use instead of those that the environment names. */
  readonly path?: string;
  readonly env: KubeconfigEnvironment;
  /** Default: the current context. */
  readonly context?: string;
  readonly userAgent?: string;
}

/** How to reach the cluster of a kubeconfig's context. Throws a `KubeconfigError` that says what is missing. */
export function loadKubeconfig(options: LoadKubeconfigOptions): ClientConfig {
  const paths = kubeconfigPaths(options);
  const config = readKubeconfig(paths);
  if (config.files.length === 0) {
    throw new KubeconfigError(`there is no kubeconfig: none of ${paths.join(', ') || '(HOME is not set)'} exists`);
  }
  const name = options.context ?? config.currentContext;
  const where = config.files.join(', ');
  if (name === '') throw new KubeconfigError(`no current context is set in ${where}: name one`);
  const context = config.contexts.get(name);
  if (context === undefined) {
    const known = [...config.contexts.keys()].join(', ') || 'none';
    throw new KubeconfigError(`there is no context "${name}" in ${where}; there are: ${known}`);
  }
  const clusterName = text(context, 'cluster') ?? '';
  const cluster = config.clusters.get(clusterName);
  if (cluster === undefined) {
    throw new KubeconfigError(`context "${name}" names the cluster "${clusterName}", which is not in ${where}`);
  }
  const userName = text(context, 'user');
  const user = userName === undefined ? undefined : config.users.get(userName);
  if (userName !== undefined && user === undefined) {
    throw new KubeconfigError(`context "${name}" names the user "${userName}", which is not in ${where}`);
  }
  return compact({
    ...clusterConfig(cluster, clusterName),
    ...(user === undefined ? {} : userConfig(user, userName ?? '')),
    namespace: text(context, 'namespace'),
    userAgent: options.userAgent,
  });
}

/** What a pod's containers use: the service account's mounted token. `undefined` outside of a pod. */
export function inClusterConfig(options: {
  readonly env: { readonly KUBERNETES_SERVICE_HOST?: string; readonly KUBERNETES_SERVICE_PORT?: string };
  readonly directory?: string;
  readonly userAgent?: string;
}): ClientConfig | undefined {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = options.env;
  const directory = options.directory ?? SERVICE_ACCOUNT_DIRECTORY;
  const tokenFile = `${directory}/token`;
  if (host === '' || port === '' || !existsSync(tokenFile)) return undefined;
  const namespaceFile = `${directory}/namespace`;
  return compact({
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    certificateAuthority: existsSync(`${directory}/ca.crt`) ? readFileSync(`${directory}/ca.crt`, 'utf8') : undefined,
    tokenFile,
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : undefined,
    userAgent: options.userAgent,
  });
}

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined };

function clusterConfig(cluster: KubeconfigEntry, name: string): Loose<ClientConfig> & { server: string } {
  const server = text(cluster, 'server');
  if (server === undefined) throw new KubeconfigError(`cluster "${name}" has no server`);
  if (!URL.canParse(server)) throw new KubeconfigError(`the server of cluster "${name}" is no URL: ${server}`);
  return {
    server,
    certificateAuthority: dataOrFile(cluster, 'certificate-authority'),
    tlsServerName: text(cluster, 'tls-server-name'),
    insecureSkipTlsVerify: cluster.fields['insecure-skip-tls-verify'] === true ? true : undefined,
  };
}

function userConfig(user: KubeconfigEntry, name: string): Omit<Loose<ClientConfig>, 'server'> {
  for (const plugin of ['exec', 'auth-provider']) {
    if (user.fields[plugin] === undefined) continue;
    throw new KubeconfigError(`user "${name}" gets its credentials from "${plugin}", which is not supported`);
  }
  const tokenFile = text(user, 'tokenFile');
  const actAs = text(user, 'as');
  const groups = user.fields['as-groups'];
  return {
    clientCertificate: dataOrFile(user, 'client-certificate'),
    clientKey: dataOrFile(user, 'client-key'),
    token: text(user, 'token'),
    tokenFile: tokenFile === undefined ? undefined : resolve(user.directory, tokenFile),
    username: text(user, 'username'),
    password: text(user, 'password'),
    impersonate:
      actAs === undefined
        ? undefined
        : { user: actAs, ...(Array.isArray(groups) ? { groups: groups.map(String) } : {}) },
  };
}

/** The PEM in `FIELD-data` (base64), else in the file that `FIELD` names. */
function dataOrFile(entry: KubeconfigEntry, field: string): string | undefined {
  const data = text(entry, `${field}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const path = text(entry, field);
  if (path === undefined) return undefined;
  try {
    return readFileSync(resolve(entry.directory, path), 'utf8');
  } catch (error) {
    throw new KubeconfigError(`cannot read the ${field} file "${path}" that the kubeconfig names`, { cause: error });
  }
}

function text(entry: KubeconfigEntry, field: string): string | undefined {
  const value = entry.fields[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function compact(config: Loose<ClientConfig> & { server: string }): ClientConfig {
  const present = Object.entries(config).filter(([, value]) => value !== undefined);
  // Safe: `server` is there, and every other field is either absent or of its type.
  return Object.fromEntries(present) as unknown as ClientConfig;
}
