import { describe, expect, test } from 'vitest';
import { LEASES } from '#api/generated/resources.ts';
import { serviceUnavailable } from '#machinery/errors/status-error.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { FakeClient } from '../testing/fake-client.ts';
import { LeaderElector } from './leader-elector.ts';

const name = { namespace: 'kube-system', name: 'test' };

function newElection() {
  const executor = new SimulatedExecutor({ seed: 1 });
  const client = new FakeClient();
  const log: string[] = [];
  const candidate = (identity: string) => {
    const stop = new AbortController();
    const elector = new LeaderElector(
      { client, clock: executor.clock, random: executor.random },
      {
        ...name,
        identity,
        onStartedLeading: (signal) => {
          log.push(`${identity} leads`);
          signal.addEventListener('abort', () => log.push(`${identity} told to stop`));
        },
        onStoppedLeading: () => log.push(`${identity} stopped`),
        onNewLeader: (leader) => log.push(`${identity} sees ${leader}`),
      },
    );
    const ended = elector.run(stop.signal);
    return { elector, stop, ended };
  };
  return { executor, client, log, candidate };
}

describe('LeaderElector', () => {
  test('takes a lease that nobody has, renews it, and keeps the others out', async () => {
    const { executor, client, log, candidate } = newElection();
    const a = candidate('a');
    await executor.settle();
    const b = candidate('b');
    await executor.advance(60_000);
    expect(log).toEqual(['a sees a', 'a leads', 'b sees a']);
    expect(a.elector.isLeader).toBe(true);
    expect(b.elector.isLeader).toBe(false);
    expect((await client.get(LEASES, name)).spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:01:00.000000Z',
      leaseTransitions: 0,
    });
    expect(client.requests.filter(({ verb }) => verb === 'update')).toHaveLength(30);
  });

  test('gives the lease back when it stops, and another takes over at once', async () => {
    const { executor, client, log, candidate } = newElection();
    const a = candidate('a');
    await executor.settle();
    candidate('b');
    await executor.advance(10_000);
    log.length = 0;
    a.stop.abort();
    await executor.settle();
    await a.ended;
    expect(log).toEqual(['a told to stop', 'a stopped']);
    await executor.advance(5000);
    expect(log.slice(2)).toEqual(['b sees b', 'b leads']);
    expect((await client.get(LEASES, name)).spec.leaseTransitions).toBe(1);
  });

  test('stops leading before others may take over, where the server is away', async () => {
    const { executor, client, log, candidate } = newElection();
    const a = candidate('a');
    await executor.advance(20_000);
    client.onRequest = () => {
      throw serviceUnavailable('down');
    };
    const downAtMs = executor.clock.now();
    await executor.runUntil(() => log.includes('a stopped'), { limitMs: 60_000, what: 'the end of leadership' });
    expect(executor.clock.now() - downAtMs).toBeLessThanOrEqual(12_000);
    await a.ended;
    client.onRequest = () => undefined;
    candidate('b');
    await executor.advance(10_000);
    expect(log).not.toContain('b leads');
    await executor.advance(10_000);
    expect(log).toContain('b leads');
  });

  test('ends a request that takes too long', async () => {
    const { executor, client, log, candidate } = newElection();
    candidate('a');
    await executor.advance(20_000);
    // Safe: the elector uses these methods only.
    const hanging = client as unknown as {
      update: (r: unknown, o: unknown, options: { signal: AbortSignal }) => unknown;
    };
    hanging.update = (_, __, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const sinceMs = executor.clock.now();
    await executor.runUntil(() => log.includes('a stopped'), { limitMs: 60_000, what: 'the end of leadership' });
    expect(executor.clock.now() - sinceMs).toBeLessThanOrEqual(12_000);
  });

  test('stops when another took the lease', async () => {
    const { executor, client, log, candidate } = newElection();
    const a = candidate('a');
    await executor.advance(20_000);
    const lease = await client.get(LEASES, name);
    await client.update(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: 'thief' } });
    await executor.advance(5000);
    await a.ended;
    expect(log.slice(2)).toEqual(['a sees thief', 'a told to stop', 'a stopped']);
  });

  test.each([1, 2, 3])(
    'never has two leaders, and ends with one, through stops and failures (seed %i)',
    async (seed) => {
      const executor = new SimulatedExecutor({ seed });
      const { random } = executor;
      const client = new FakeClient();
      const leading = new Set<string>();
      let leadersMax = 0;
      let terms = 0;
      const start = (identity: string) => {
        const stop = new AbortController();
        const options = {
          ...name,
          identity,
          onStartedLeading: () => {
            terms++;
            leading.add(identity);
            leadersMax = Math.max(leadersMax, leading.size);
          },
          onStoppedLeading: () => leading.delete(identity),
        };
        const elector = new LeaderElector({ client, clock: executor.clock, random }, options);
        return { stop, ended: elector.run(stop.signal) };
      };
      client.onRequest = () => {
        if (random.int(5) === 0) throw serviceUnavailable('flaky');
      };
      const running = ['a', 'b', 'c'].map(start);
      for (let round = 0; round < 20; round++) {
        await executor.advance(random.int(20_000));
        const index = random.int(3);
        running[index]?.stop.abort();
        await executor.settle();
        running[index] = start(`${index}.${round}`);
      }
      client.onRequest = () => undefined;
      await executor.advance(40_000);
      expect(leadersMax).toBe(1);
      expect(leading.size).toBe(1);
      expect(terms).toBeGreaterThan(2);
    },
  );
});
