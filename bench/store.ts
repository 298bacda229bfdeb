import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { openEtcdStore } from '#store/etcd/etcd-store.ts';
import { EtcdCluster, missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { openLmdbStore } from '#store/lmdb/lmdb-store.ts';
import { MemoryStore } from '#store/memory/memory-store.ts';
import type { Store } from '#store/store.ts';

/*
 * Durable writes a second by backend and writes in flight: `node bench/store.ts [writes] [value bytes]`. One process,
 * no components on, random values. Prints a table, then JSON.
 */

interface Row {
  readonly backend: string;
  readonly what: string;
  readonly inFlight: number;
  readonly valueBytes: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly loopDelayMaxMs: number;
}

const writes = Number(process.argv[2] ?? 20_000);
const valueBytes = Number(process.argv[3] ?? 4096);
const directory = mkdtempSync(join(tmpdir(), 'tiphys-bench-'));
const clock = new RealClock();
const rows: Row[] = [];
try {
  for (const inFlight of [1, 32, 128]) {
    const count = Math.max(300, Math.floor((writes * inFlight) / 128));
    await using memory = new MemoryStore({ clock });
    rows.push(await measure(memory, { what: 'create', inFlight, count }));
    rows.push(await measure(memory, { what: 'update', inFlight, count }));
    await using lmdb = await openLmdbStore({ path: join(directory, String(inFlight)), clock });
    rows.push(await measure(lmdb, { what: 'create', inFlight, count }));
    rows.push(await measure(lmdb, { what: 'update', inFlight, count }));
    if (missingEtcd() !== undefined) continue;
    await using cluster = await EtcdCluster.start({ isDurable: true });
    const options = { endpoints: cluster.endpoints, prefix: '/bench', root: '' };
    await using etcd = await openEtcdStore(options, { clock, random: new SystemRandom() });
    rows.push(await measure(etcd, { what: 'create', inFlight, count: Math.ceil(count / 4) }));
    rows.push(await measure(etcd, { what: 'update', inFlight, count: Math.ceil(count / 4) }));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.table(rows);
console.log(JSON.stringify({ bench: 'store', node: process.version, writes, rows }));

async function measure(
  store: Store,
  { what, inFlight, count }: { what: 'create' | 'update'; inFlight: number; count: number },
): Promise<Row> {
  const value = Buffer.alloc(valueBytes, 'x');
  const latencies: number[] = [];
  const revisions = new Map((await store.list({ prefix: '/bench/' })).items.map((kv) => [kv.key, kv.modRevision]));
  let next = 0;
  const writer = async () => {
    for (let id = next++; id < count; id = next++) {
      const key = `/bench/pods/default/pod-${id}`;
      const startMs = performance.now();
      const result = await store.commit({ key, value, expectedRevision: revisions.get(key) ?? 0 });
      if (result.type !== 'committed') throw new Error(`conflict on ${key}`);
      latencies.push(performance.now() - startMs);
    }
  };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, writer));
  const seconds = (performance.now() - startMs) / 1000;
  delay.disable();
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => round(latencies[Math.floor(q * (latencies.length - 1))] ?? 0);
  return {
    backend: store.backend,
    what,
    inFlight,
    valueBytes,
    perSecond: Math.round(count / seconds),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    loopDelayMaxMs: round(delay.max / 1e6),
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
