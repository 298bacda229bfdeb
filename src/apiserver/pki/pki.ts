import { createPublicKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import { issueCertificate, newPrivateKey, type CertificateRequest, type KeyPair } from './certificate.ts';

export interface PkiDeps {
  readonly clock: Clock;
  readonly random: Random;
}

export interface PkiOptions {
  /** Names and addresses the serving certificate carries besides the usual ones. */
  readonly extraNames?: readonly string[];
  /** First address of the service range. Default 10.96.0.1. */
  readonly serviceAddress?: string;
  readonly clusterDomain?: string;
}

/** A cluster's keys and certificates; everything is PEM. */
export interface Pki {
  /** `<dataDir>/pki`. */
  readonly directory: string;
  readonly ca: KeyPair;
  readonly serving: KeyPair;
  /** How the API server presents itself to kubelets. */
  readonly kubeletClient: KeyPair;
  readonly frontProxyCa: KeyPair;
  readonly frontProxyClient: KeyPair;
  /** `kubernetes-admin` in `kubeadm:cluster-admins`. */
  readonly admin: KeyPair;
  /** `kubernetes-super-admin` in `system:masters`: works even while RBAC does not. */
  readonly superAdmin: KeyPair;
  readonly serviceAccount: { readonly privateKey: string; readonly publicKey: string };
  /** A client certificate of the cluster's CA, for a component (`system:kube-scheduler`) or a node. */
  issueClient(subject: { commonName: string; organizations?: readonly string[] }): KeyPair;
  /** The client certificate of a node's kubelet. */
  issueNode(nodeName: string): KeyPair;
  /** A serving certificate of the cluster's CA, for a kubelet's port. */
  issueServing(subject: { commonName: string; organizations?: readonly string[]; names: readonly string[] }): KeyPair;
}

const DAY_MS = 86_400_000;
const CA_LIFETIME_MS = 10 * 365 * DAY_MS;
const LEAF_LIFETIME_MS = 365 * DAY_MS;
/** A leaf with less time left than this is issued anew at start, as rotation at two thirds of its life would. */
const RENEW_BEFORE_MS = 120 * DAY_MS;
/** Clocks of a cluster's machines may differ by this. */
const BACKDATE_MS = 5 * 60_000;

/**
 * Reads the cluster's PKI from `<dataDir>/pki`, with kubeadm's file names, and issues what is missing, about to
 * expire, or does not carry the names asked for. Files are 0600 and replaced by rename.
 */
export async function ensurePki(dataDir: string, options: PkiOptions, deps: PkiDeps): Promise<Pki> {
  const files = new PkiFiles(path.join(dataDir, 'pki'), deps);
  await files.prepare();
  const [ca, frontProxyCa] = await Promise.all([
    files.ensure('ca', { commonName: 'kubernetes', use: 'ca', alternativeNames: ['kubernetes'] }),
    files.ensure('front-proxy-ca', { commonName: 'front-proxy-ca', use: 'ca', alternativeNames: ['front-proxy-ca'] }),
  ]);
  const masters = ['kubeadm:cluster-admins'];
  const names = servingNames(options);
  const client = { use: 'client' } as const;
  const [serving, kubeletClient, frontProxyClient, admin, superAdmin, serviceAccount] = await Promise.all([
    files.ensure('apiserver', { commonName: 'kube-apiserver', use: 'server', alternativeNames: names }, ca),
    files.ensure(
      'apiserver-kubelet-client',
      { commonName: 'kube-apiserver-kubelet-client', organizations: masters, ...client },
      ca,
    ),
    files.ensure('front-proxy-client', { commonName: 'front-proxy-client', ...client }, frontProxyCa),
    files.ensure('admin', { commonName: 'kubernetes-admin', organizations: masters, ...client }, ca),
    files.ensure(
      'super-admin',
      { commonName: 'kubernetes-super-admin', organizations: ['system:masters'], ...client },
      ca,
    ),
    files.ensureServiceAccountKey(),
  ]);
  const issue = (request: Omit<CertificateRequest, 'notBeforeMs' | 'notAfterMs'>) =>
    issueCertificate({ ...request, ...files.lifetime(request) }, { issuer: ca, random: deps.random });
  return {
    directory: files.directory,
    ca,
    serving,
    kubeletClient,
    frontProxyCa,
    frontProxyClient,
    admin,
    superAdmin,
    serviceAccount,
    issueClient: (subject) => issue({ ...subject, use: 'client' }),
    issueNode: (nodeName) =>
      issue({ commonName: `system:node:${nodeName}`, organizations: ['system:nodes'], use: 'client' }),
    issueServing: ({ names: alternativeNames, ...subject }) => issue({ ...subject, use: 'server', alternativeNames }),
  };
}

function servingNames({ extraNames = [], serviceAddress = '10.96.0.1', clusterDomain = 'cluster.local' }: PkiOptions) {
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${clusterDomain}`,
    hostname(),
    '127.0.0.1',
    '::1',
    serviceAddress,
    ...extraNames,
  ];
  // A certificate's DNS names are ASCII without wildcard addresses; what does not fit cannot be asked for anyway.
  return [...new Set(names)].filter((name) => name !== '0.0.0.0' && name !== '::' && /^[\x21-\x7e]+$/.test(name));
}

type Request = Omit<CertificateRequest, 'notBeforeMs' | 'notAfterMs'>;

class PkiFiles {
  readonly directory: string;
  readonly #deps: PkiDeps;

  constructor(directory: string, deps: PkiDeps) {
    this.directory = directory;
    this.#deps = deps;
  }

  async prepare(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await chmod(this.directory, 0o700);
  }

  lifetime({ use }: { use: string }): { notBeforeMs: number; notAfterMs: number } {
    const nowMs = this.#deps.clock.now();
    return {
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + (use === 'ca' ? CA_LIFETIME_MS : LEAF_LIFETIME_MS),
    };
  }

  /** The pair stored as NAME.crt and NAME.key, kept if it still serves, else issued anew. */
  async ensure(name: string, request: Request, issuer?: KeyPair): Promise<KeyPair> {
    const [certificate, key] = await Promise.all([this.#read(`${name}.crt`), this.#read(`${name}.key`)]);
    if (certificate !== undefined && key !== undefined) {
      if (this.#isUsable({ certificate, key }, request, issuer)) return { certificate, key };
      // A cluster's root cannot be replaced behind the back of everything that trusts it.
      if (issuer === undefined) throw new Error(`${path.join(this.directory, name)}.crt is expired or unreadable`);
    }
    const issued = issueCertificate(
      { ...request, ...this.lifetime(request) },
      { random: this.#deps.random, ...(issuer === undefined ? {} : { issuer }) },
    );
    await this.#write(`${name}.key`, issued.key);
    await this.#write(`${name}.crt`, issued.certificate);
    return issued;
  }

  async ensureServiceAccountKey(): Promise<{ privateKey: string; publicKey: string }> {
    const stored = await this.#read('sa.key');
    const privateKey = stored ?? newPrivateKey();
    const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
    if (stored === undefined) {
      await this.#write('sa.key', privateKey);
      await this.#write('sa.pub', publicKey);
    }
    return { privateKey, publicKey };
  }

  #isUsable(pair: KeyPair, request: Request, issuer: KeyPair | undefined): boolean {
    try {
      const certificate = new X509Certificate(pair.certificate);
      const leftMs = certificate.validToDate.getTime() - this.#deps.clock.now();
      if (issuer === undefined) return leftMs > 0;
      const root = new X509Certificate(issuer.certificate);
      const carried = alternativeNamesOf(certificate);
      return (
        leftMs > RENEW_BEFORE_MS &&
        certificate.checkIssued(root) &&
        certificate.verify(root.publicKey) &&
        (request.alternativeNames ?? []).every((name) => carried.has(canonicalName(name)))
      );
    } catch {
      // An unreadable certificate is the same as none.
      return false;
    }
  }

  async #read(name: string): Promise<string | undefined> {
    try {
      return await readFile(path.join(this.directory, name), 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #write(name: string, content: string): Promise<void> {
    const target = path.join(this.directory, name);
    const temporary = `${target}.new`;
    await writeFile(temporary, content, { mode: 0o600 });
    await chmod(temporary, 0o600);
    await rename(temporary, target);
  }
}

function alternativeNamesOf(certificate: X509Certificate): Set<string> {
  const names = (certificate.subjectAltName ?? '').split(', ').map((entry) => entry.slice(entry.indexOf(':') + 1));
  return new Set(names.map(canonicalName));
}

/** IPv6 addresses in one spelling: OpenSSL prints them in full and upper case. */
function canonicalName(name: string): string {
  if (isIP(name) !== 6) return name.toLowerCase();
  return new URL(`http://[${name}]/`).hostname;
}
