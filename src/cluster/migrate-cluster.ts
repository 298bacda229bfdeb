import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ResourceRegistry } from '#api/registry/registry.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import { openEtcdStore } from '#store/etcd/etcd-store.ts';
import { openLmdbStore } from '#store/lmdb/lmdb-store.ts';
import {
  type MigrationProgress,
  type MigrationResult,
  MigrationError,
  migrateStore,
} from '#store/migrate/migrate-store.ts';
import type { Store } from '#store/store.ts';
import { type DataDirectory, DataDirectoryError } from './data-directory.ts';
import {
  type EtcdChoice,
  etcdChoiceOf,
  type EtcdFlags,
  etcdOptions,
  hasLmdb,
  noteChoice,
  readChoice,
} from './store-choice.ts';

/** Leases of API servers: they are renewed every few seconds by those who live. */
const SERVER_LEASES = '/registry/masterleases/';

export interface MigrateDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly onProgress: (progress: MigrationProgress) => void;
}

/**
 * Moves the objects of a cluster that does not run: copied, compared, and only then noted for the next start. The old
 * store stays as it is. Throws `MigrationError` or `DataDirectoryError`, having changed nothing that was in use.
 */
export async function migrateCluster(
  directory: DataDirectory,
  plan: { from: 'lmdb' | 'etcd'; to: 'lmdb' | 'etcd'; etcd: EtcdFlags },
  deps: MigrateDeps,
): Promise<MigrationResult> {
  if (!existsSync(join(directory.root, 'format'))) {
    throw new DataDirectoryError(`${directory.root} holds no cluster; say which with --data-dir`);
  }
  const noted = readChoice(directory) ?? { type: 'lmdb' };
  if (noted.type !== plan.from) {
    throw new DataDirectoryError(`the objects of ${directory.root} are in ${noted.type}, not in ${plan.from}`);
  }
  const etcd = await etcdChoiceOf(plan.etcd, noted.type === 'etcd' ? noted : undefined);
  if (etcd === undefined) throw new DataDirectoryError('--etcd-servers must say where etcd is');
  if (noted.type === 'etcd' && noted.prefix !== etcd.prefix) {
    throw new DataDirectoryError(`--etcd-prefix ${etcd.prefix} contradicts ${noted.prefix}, where the objects are`);
  }
  if (plan.from === 'lmdb') {
    if (!hasLmdb(directory)) throw new DataDirectoryError(`${directory.store} holds no objects`);
    const result = await between(await openBoth(openLmdb(directory.store, deps), openEtcd(etcd, deps)), deps);
    noteChoice(directory, etcd);
    return result;
  }
  if (hasLmdb(directory)) {
    throw new MigrationError(
      `${directory.store} holds objects, from before they were moved to etcd perhaps: move that folder away first`,
    );
  }
  // A server of another process would hold the lock of the folder; a copy that is not finished never lies there.
  rmSync(`${directory.store}.new`, { recursive: true, force: true });
  const stores = await openBoth(openEtcd(etcd, deps), openLmdb(`${directory.store}.new`, deps));
  const result = await between(stores, deps, () => refuseLiveServers(stores.source));
  replaceFolder(directory.store);
  noteChoice(directory, { type: 'lmdb' });
  return result;
}

interface Stores {
  readonly source: Store;
  readonly target: Store;
}

/** Both, or neither. */
async function openBoth(source: Promise<Store>, target: Promise<Store>): Promise<Stores> {
  const opened = await Promise.allSettled([source, target]);
  const [first, second] = opened;
  if (first.status === 'fulfilled' && second.status === 'fulfilled') {
    return { source: first.value, target: second.value };
  }
  for (const result of opened) if (result.status === 'fulfilled') await result.value.close();
  throw first.status === 'rejected' ? first.reason : second.status === 'rejected' ? second.reason : undefined;
}

async function between(
  { source, target }: Stores,
  deps: MigrateDeps,
  check: () => Promise<void> = () => Promise.resolve(),
): Promise<MigrationResult> {
  try {
    await check();
    return await migrateStore(
      { source, target },
      {
        onProgress: deps.onProgress,
        isLeftOut: (key) => key.startsWith(SERVER_LEASES),
        ttlSecondsOf: timesToLive(),
      },
    );
  } finally {
    await Promise.allSettled([source.close(), target.close()]);
  }
}

async function refuseLiveServers(source: Store): Promise<void> {
  const { items } = await source.list({ prefix: SERVER_LEASES });
  if (items.length === 0) return;
  const addresses = items.map(({ key }) => key.slice(SERVER_LEASES.length)).join(', ');
  throw new MigrationError(
    `API servers at ${addresses} use etcd: stop all of them first (one that was killed is forgotten after 15 seconds)`,
  );
}

function openLmdb(path: string, { clock }: MigrateDeps): Promise<Store> {
  return openLmdbStore({ path, clock });
}

function openEtcd(choice: EtcdChoice, deps: MigrateDeps): Promise<Store> {
  return openEtcdStore({ ...etcdOptions(choice), compactEveryMs: 0 }, deps);
}

/** How long objects of a kind live, by the start of their keys. */
function timesToLive(): (key: string) => number | undefined {
  const limits = new ResourceRegistry()
    .all()
    .flatMap(({ storagePrefix, ttlSeconds }) =>
      storagePrefix === undefined || ttlSeconds === undefined ? [] : [{ prefix: `${storagePrefix}/`, ttlSeconds }],
    );
  return (key) => limits.find(({ prefix }) => key.startsWith(prefix))?.ttlSeconds;
}

/** The new folder takes the place of the old one, which held a lock at most. */
function replaceFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
  renameSync(`${path}.new`, path);
}
