import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import type { EtcdStoreOptions } from '#store/etcd/etcd-store.ts';
import { MIGRATION_KEY } from '#store/migrate/migrate-store.ts';
import type { Store } from '#store/store.ts';
import { type DataDirectory, DataDirectoryError } from './data-directory.ts';

/** Where a cluster's objects are: in its data directory, or in etcd. */
export type StoreChoice = { readonly type: 'lmdb' } | EtcdChoice;

export interface EtcdChoice {
  readonly type: 'etcd';
  readonly servers: readonly string[];
  readonly prefix: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** kube-apiserver's flags; absent: as last time. */
export interface EtcdFlags {
  readonly etcdServers?: readonly string[];
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
  readonly etcdPrefix?: string;
}

/** Just these flags of wider options. */
export function etcdFlags(flags: EtcdFlags): EtcdFlags {
  const { etcdServers, etcdCafile, etcdCertfile, etcdKeyfile, etcdPrefix } = flags;
  return {
    ...(etcdServers === undefined ? {} : { etcdServers }),
    ...(etcdCafile === undefined ? {} : { etcdCafile }),
    ...(etcdCertfile === undefined ? {} : { etcdCertfile }),
    ...(etcdKeyfile === undefined ? {} : { etcdKeyfile }),
    ...(etcdPrefix === undefined ? {} : { etcdPrefix }),
  };
}

const DEFAULT_PREFIX = '/registry';
/** Upstream's `--etcd-compaction-interval`. */
const COMPACT_EVERY_MS = 5 * 60_000;

/**
 * What the flags ask for, or what the directory notes; noted for the next start. Throws `DataDirectoryError` where the
 * flags contradict where the cluster's objects are.
 */
export async function resolveStoreChoice(directory: DataDirectory, flags: EtcdFlags): Promise<StoreChoice> {
  const noted = readChoice(directory);
  const asked = await etcdChoiceOf(flags, noted?.type === 'etcd' ? noted : undefined);
  if (asked === undefined) return noted ?? { type: 'lmdb' };
  if (noted?.type !== 'etcd' && hasLmdb(directory)) {
    throw new DataDirectoryError(
      `the objects of ${directory.root} are in its own store (lmdb), not in etcd: ` +
        'move them with "tiphys store migrate --from lmdb --to etcd", or start another cluster with --data-dir',
    );
  }
  if (noted?.type === 'etcd' && noted.prefix !== asked.prefix) {
    throw new DataDirectoryError(
      `--etcd-prefix ${asked.prefix} contradicts ${noted.prefix}, with which this cluster was made`,
    );
  }
  noteChoice(directory, asked);
  return asked;
}

export interface OpenedStore {
  readonly store: Store;
  /** Closes the store and lets other processes use the directory. */
  close(): Promise<void>;
}

/**
 * Opens the store and makes sure that no other process uses the directory. Loads the driver of that store only: etcd's
 * takes 50 ms and 15 MB.
 */
export async function openStore(
  directory: DataDirectory,
  choice: StoreChoice,
  deps: { clock: Clock; random: Random },
): Promise<OpenedStore> {
  if (choice.type === 'lmdb') {
    const { openLmdbStore } = await import('#store/lmdb/lmdb-store.ts');
    const store = await openLmdbStore({ path: directory.store, clock: deps.clock });
    return { store, close: () => store.close() };
  }
  const { lockDirectory } = await import('#store/lmdb/directory-lock.ts');
  const { openEtcdStore } = await import('#store/etcd/etcd-store.ts');
  mkdirSync(directory.store, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(directory.store);
  try {
    const store = await openEtcdStore(etcdOptions(choice), deps);
    await refuseUnfinished(store);
    return {
      store,
      close: async () => {
        await store.close();
        lock[Symbol.dispose]();
      },
    };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Whether several servers may use the store at once. */
export function isSharedStore({ backend }: Store): boolean {
  return backend === 'etcd';
}

/** The options of a store that serves a cluster. */
export function etcdOptions(choice: EtcdChoice): EtcdStoreOptions {
  const { servers, prefix, caFile, certFile, keyFile } = choice;
  const tls = {
    ...(caFile === undefined ? {} : { ca: readPem('--etcd-cafile', caFile) }),
    ...(certFile === undefined ? {} : { certificate: readPem('--etcd-certfile', certFile) }),
    ...(keyFile === undefined ? {} : { key: readPem('--etcd-keyfile', keyFile) }),
  };
  return { endpoints: servers, prefix, tls, compactEveryMs: COMPACT_EVERY_MS };
}

function readPem(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new DataDirectoryError(`cannot read the file of ${flag}: ${error instanceof Error ? error.message : path}`);
  }
}

/** What flags say of etcd, completed by what was noted; undefined where neither speaks of etcd. */
export async function etcdChoiceOf(flags: EtcdFlags, noted?: EtcdChoice): Promise<EtcdChoice | undefined> {
  const servers = flags.etcdServers ?? noted?.servers;
  if (servers === undefined) {
    if (Object.values(flags).some((value) => value !== undefined)) {
      throw new DataDirectoryError('--etcd-servers must say where etcd is');
    }
    return undefined;
  }
  const { parseEndpoint } = await import('#store/etcd/etcd-client.ts');
  for (const server of servers) parseEndpoint(server);
  // Later starts may be from another folder.
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  const caFile = absolute(flags.etcdCafile) ?? noted?.caFile;
  const certFile = absolute(flags.etcdCertfile) ?? noted?.certFile;
  const keyFile = absolute(flags.etcdKeyfile) ?? noted?.keyFile;
  return {
    type: 'etcd',
    servers,
    prefix: normalPrefix(flags.etcdPrefix ?? noted?.prefix ?? DEFAULT_PREFIX),
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}

/** Notes for the next start where the objects are. */
export function noteChoice(directory: DataDirectory, choice: StoreChoice): void {
  const path = choicePath(directory);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(choice, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

export function hasLmdb(directory: DataDirectory): boolean {
  return existsSync(join(directory.store, 'data.mdb'));
}

/** As upstream: with a slash at the start and none at the end. */
function normalPrefix(prefix: string): string {
  return `/${prefix
    .split('/')
    .filter((part) => part !== '')
    .join('/')}`;
}

function choicePath(directory: DataDirectory): string {
  return join(directory.root, 'store.json');
}

export function readChoice(directory: DataDirectory): StoreChoice | undefined {
  const path = choicePath(directory);
  if (!existsSync(path)) return undefined;
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (isChoice(value)) return value;
  throw new DataDirectoryError(
    `${path} is damaged; restore it, or remove it and say where etcd is with --etcd-servers`,
  );
}

function isChoice(value: unknown): value is StoreChoice {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  if (value.type === 'lmdb') return true;
  if (value.type !== 'etcd' || !('servers' in value) || !('prefix' in value)) return false;
  return Array.isArray(value.servers) && typeof value.prefix === 'string';
}

async function refuseUnfinished(store: Store): Promise<void> {
  const { kv } = await store.get(MIGRATION_KEY);
  if (kv === undefined) return;
  await store.close();
  throw new DataDirectoryError('etcd holds an unfinished migration: run "tiphys store migrate" again, to its end');
}
