import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { testStoreContract } from '../contract-suite.ts';
import type { Store } from '../store.ts';
import { openEtcdStore } from './etcd-store.ts';
import { EtcdCluster, missingEtcd } from './testing/etcd-process.ts';

const missing = missingEtcd();
const clock = new RealClock();
const random = new SystemRandom();
let cluster: EtcdCluster;
let count = 0;

beforeAll(async () => {
  if (missing !== undefined) return;
  // The contract's largest value must fit a request, and sizes show at once.
  cluster = await EtcdCluster.start({ flags: ['--max-request-bytes=2000000', '--backend-batch-limit=1'] });
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

/** Another part of the one etcd for each store. */
function open(prefix = `/test-${count++}`): Promise<Store> {
  return openEtcdStore({ endpoints: cluster.endpoints, prefix, root: '' }, { clock, random });
}

describe.skipIf(missing !== undefined)(`etcd${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  testStoreContract('etcd', () => open(), { time: 'real' });

  test('a consistent read comes back although a key of somebody else raised the revision', async () => {
    await using mine = await open();
    await using other = await open();
    const seen: number[] = [];
    await mine.subscribe({
      prefix: '/',
      afterRevision: await mine.head(),
      onBatch: ({ revision }) => seen.push(revision),
      onEnd: () => undefined,
    });
    const written = await other.commit({ key: '/x', value: Buffer.from('1'), expectedRevision: 0 });
    const head = await mine.head();
    expect(written).toMatchObject({ type: 'committed' });
    expect(head).toBeGreaterThanOrEqual(written.type === 'committed' ? written.revision : 0);
    expect(seen.at(-1)).toBeGreaterThanOrEqual(head);
    expect((await mine.list({ prefix: '/' })).count).toBe(0);
  });

  test('two stores on one prefix see each other', async () => {
    const prefix = '/shared';
    await using first = await open(prefix);
    await using second = await open(prefix);
    const keys: string[] = [];
    await second.subscribe({
      prefix: '/',
      afterRevision: await second.head(),
      onBatch: ({ events }) => keys.push(...events.map(({ kv }) => kv.key)),
      onEnd: () => undefined,
    });
    await first.commit({ key: '/a', value: Buffer.from('1'), expectedRevision: 0 });
    await second.head();
    expect(keys).toEqual(['/a']);
  });
});
