import { createHash } from 'node:crypto';
import { StoreError } from '../errors.ts';
import type { KeyValue, Revision, Store } from '../store.ts';

/** Stands in the target while it is being filled; a server refuses to start on it. */
export const MIGRATION_KEY = '/registry/~tiphys/migration';

const ROOT = '/registry/';
const OWN = '/registry/~tiphys/';
const PAGE_KEYS = 500;
/** Writes under way at once. */
const CONCURRENCY = 128;
/** Between two calls of `onProgress`, about. */
const PROGRESS_EVERY = 500;

export interface MigrationProgress {
  readonly step: 'clear' | 'copy' | 'revision' | 'compare';
  readonly done: number;
  readonly total: number;
}

export interface MigrationOptions {
  /** How long a key lives; undefined: for ever. The store does not say how much is left, so it starts anew. */
  readonly ttlSecondsOf?: (key: string) => number | undefined;
  /** Keys that mean nothing in another store, such as leases of servers. */
  readonly isLeftOut?: (key: string) => boolean;
  readonly onProgress?: (progress: MigrationProgress) => void;
}

export interface MigrationResult {
  readonly keys: number;
  /** SHA-256 over all keys and values, the same on both sides. */
  readonly hash: string;
  readonly sourceRevision: Revision;
  /** Not below the source's: what a client has seen never comes to mean something else. */
  readonly targetRevision: Revision;
}

export class MigrationError extends StoreError {
  constructor(message: string) {
    super('Migration', message);
  }
}

/**
 * Copies everything below `/registry` into an empty store and compares both. The target's revision is raised past the
 * source's and its history forgotten: a client that comes with an older resourceVersion gets 410 and lists anew.
 * A target that is a finished copy already is left as it is.
 * Nobody else may write to either store meanwhile. Whatever an earlier, interrupted copy left is removed first; data
 * that is no such copy is never touched.
 */
export async function migrateStore(
  { source, target }: { source: Store; target: Store },
  options: MigrationOptions = {},
): Promise<MigrationResult> {
  const report = options.onProgress ?? (() => undefined);
  await refuseEmpty(source, options);
  const before = await finished({ source, target }, options);
  if (before !== undefined) return before;
  const marker = await claim(target, report);
  const { revision: sourceRevision } = await source.get(MIGRATION_KEY);
  const wanted = await copy({ source, target, revision: sourceRevision }, options);
  await raise(target, sourceRevision, report);
  const found = await digest(target, options, report);
  if (found.keys !== wanted.keys || found.hash !== wanted.hash) {
    throw new MigrationError(
      `the copy differs from what was copied: ${wanted.keys} keys with hash ${wanted.hash} became ${found.keys} with ` +
        `${found.hash}; something else writes to one of the stores`,
    );
  }
  const after = await source.get(MIGRATION_KEY);
  if (after.revision !== sourceRevision) {
    throw new MigrationError('the source was written to meanwhile: stop every server that uses it, and start again');
  }
  const done = await target.commit({ key: MIGRATION_KEY, value: undefined, expectedRevision: marker });
  if (done.type !== 'committed') throw new MigrationError('another migration into the same store is under way');
  await target.compact(done.revision);
  return { ...wanted, sourceRevision, targetRevision: done.revision };
}

/** The result of an earlier migration that was killed after its last write to the target; else undefined. */
async function finished(
  { source, target }: { source: Store; target: Store },
  options: MigrationOptions,
): Promise<MigrationResult | undefined> {
  const [{ revision: sourceRevision }, { kv: mark, revision: targetRevision }] = await Promise.all([
    source.get(MIGRATION_KEY),
    target.get(MIGRATION_KEY),
  ]);
  const { count } = await target.list({ prefix: ROOT, limit: 1 });
  if (mark !== undefined || count === 0 || targetRevision <= sourceRevision) return undefined;
  const quietly = () => undefined;
  const wanted = await digest(source, options, quietly);
  const found = await digest(target, options, quietly);
  if (found.keys !== wanted.keys || found.hash !== wanted.hash) return undefined;
  await target.compact(targetRevision);
  return { ...wanted, sourceRevision, targetRevision };
}

/** A cluster is never empty: then this is not where its objects are, such as another prefix of the same etcd. */
async function refuseEmpty(source: Store, options: MigrationOptions): Promise<void> {
  const { revision } = await source.get(MIGRATION_KEY);
  for await (const page of pagesOf(source, { ...options, revision })) if (page.length > 0) return;
  throw new MigrationError('the source holds no objects: nothing was changed');
}

/** Marks the target, which must be empty or hold the remains of an interrupted copy; returns the mark's revision. */
async function claim(target: Store, report: (progress: MigrationProgress) => void): Promise<Revision> {
  const { kv } = await target.get(MIGRATION_KEY);
  const { items, count } = await target.list({ prefix: ROOT, limit: 2 });
  const [foreign] = items.filter(({ key }) => key !== MIGRATION_KEY);
  if (foreign !== undefined && kv === undefined) {
    throw new MigrationError(
      `the target is not empty (it holds "${foreign.key}" and ${count - 1} other keys): nothing was changed`,
    );
  }
  if (kv !== undefined) await clear(target, report);
  const value = Buffer.from('a migration fills this store');
  const result = await target.commit({ key: MIGRATION_KEY, value, expectedRevision: kv?.modRevision ?? 0 });
  if (result.type === 'committed') return result.revision;
  throw new MigrationError('another migration into the same store is under way');
}

async function clear(target: Store, report: (progress: MigrationProgress) => void): Promise<void> {
  const { items } = await target.list({ prefix: ROOT });
  const doomed = items.filter(({ key }) => !key.startsWith(OWN));
  await inParallel(doomed, { step: 'clear', report, total: doomed.length }, async ({ key, modRevision }) => {
    await target.commit({ key, value: undefined, expectedRevision: modRevision });
  });
}

async function copy(
  { source, target, revision }: { source: Store; target: Store; revision: Revision },
  options: MigrationOptions,
): Promise<{ keys: number; hash: string }> {
  const digest = new Digest();
  const { count: total } = await source.list({ prefix: ROOT, limit: 1, revision });
  const report = options.onProgress ?? (() => undefined);
  const write = async ({ key, value }: KeyValue) => {
    const ttlSeconds = options.ttlSecondsOf?.(key);
    const result = await target.commit({
      key,
      value,
      expectedRevision: 0,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    });
    if (result.type === 'conflict') throw new MigrationError(`something else wrote "${key}" into the target`);
  };
  for await (const page of pagesOf(source, { ...options, revision })) {
    for (const kv of page) digest.add(kv);
    await inParallel(page, { step: 'copy', report, total, before: digest.keys - page.length }, write);
  }
  return digest.result();
}

async function digest(
  target: Store,
  options: MigrationOptions,
  report: (progress: MigrationProgress) => void,
): Promise<{ keys: number; hash: string }> {
  const sum = new Digest();
  const { count: total, revision } = await target.list({ prefix: ROOT, limit: 1 });
  for await (const page of pagesOf(target, { ...options, revision })) {
    for (const kv of page) sum.add(kv);
    report({ step: 'compare', done: sum.keys, total });
  }
  return sum.result();
}

/** Writes until the target's revision is above `revision`: nothing else moves it. */
async function raise(target: Store, revision: Revision, report: (progress: MigrationProgress) => void): Promise<void> {
  const start = (await target.get(MIGRATION_KEY)).revision;
  const steps = Math.max(revision + 1 - start, 0);

  // Keys of their own, so that no write waits for another one's revision.
  const lanes = Array.from({ length: Math.min(CONCURRENCY, steps) }, (_, lane) => lane);
  let done = 0;
  await Promise.all(
    lanes.map(async (lane) => {
      const key = `${OWN}revision-${lane}`;
      let expectedRevision = (await target.get(key)).kv?.modRevision ?? 0;
      while (done < steps) {
        done++;
        if (done % PROGRESS_EVERY === 0) report({ step: 'revision', done, total: steps });
        const result = await target.commit({ key, value: Buffer.alloc(0), expectedRevision });
        if (result.type === 'conflict') throw new MigrationError(`something else wrote "${key}" into the target`);
        expectedRevision = result.revision;
      }
      const last = await target.commit({ key, value: undefined, expectedRevision });
      if (last.type === 'conflict' && expectedRevision > 0) throw new MigrationError(`something else wrote "${key}"`);
    }),
  );
}

async function* pagesOf(
  store: Store,
  { revision, isLeftOut = () => false }: { revision: Revision; isLeftOut?: (key: string) => boolean },
): AsyncGenerator<KeyValue[]> {
  for (let startKey = ROOT; ; ) {
    const { items } = await store.list({ prefix: ROOT, startKey, limit: PAGE_KEYS, revision });
    const last = items.at(-1);
    if (last === undefined) return;
    yield items.filter(({ key }) => !key.startsWith(OWN) && !isLeftOut(key));
    startKey = `${last.key}\0`;
  }
}

async function inParallel<T>(
  items: readonly T[],
  progress: {
    step: MigrationProgress['step'];
    report: (progress: MigrationProgress) => void;
    total: number;
    before?: number;
  },
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  progress.report({ step: progress.step, done: (progress.before ?? 0) + items.length, total: progress.total });
}

class Digest {
  readonly #hash = createHash('sha256');
  keys = 0;

  /** In order of keys; lengths keep neighbours apart. */
  add({ key, value }: KeyValue): void {
    this.keys++;
    this.#hash.update(`${key.length}:${key}${value.length}:`).update(value);
  }

  result(): { keys: number; hash: string } {
    return { keys: this.keys, hash: this.#hash.digest('hex') };
  }
}
