import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { EtcdClient, parseEndpoint } from './etcd-client.ts';
import { EtcdError, storeErrorOf } from './etcd-errors.ts';
import { HeadReader } from './head-reader.ts';
import { KeySpace } from './key-space.ts';
import { LeasePool } from './lease-pool.ts';
import { isProgressTrusted } from './progress-version.ts';

describe('the parts of the etcd store', () => {
  test.each([
    ['3.4.23', false],
    ['3.4.30', false],
    ['3.4.31', true],
    ['3.5.12', false],
    ['3.5.13', true],
    ['3.5.13-rc.1', true],
    ['3.6.0', true],
    ['4.0.0', true],
    ['3.3.27', false],
    ['', false],
  ])('progress of version %s is trusted: %s', (version, isTrusted) => {
    expect(isProgressTrusted(version)).toBe(isTrusted);
  });

  test.each([
    ['http://127.0.0.1:2379', { target: '127.0.0.1:2379', isTls: false }],
    ['https://etcd.example', { target: 'etcd.example:2379', isTls: true }],
    ['https://[fd00::1]:23790', { target: '[fd00::1]:23790', isTls: true }],
    ['unix:///run/etcd.sock', { target: 'unix:///run/etcd.sock', isTls: false }],
  ])('reads the endpoint %s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
  });

  test.each(['127.0.0.1:2379', 'ftp://a:1', '', 'http://'])('refuses the endpoint "%s"', (text) => {
    expect(() => parseEndpoint(text)).toThrow('cannot use');
  });

  test('readers share an answer only to a question that was asked after they came', async () => {
    const questions: ((revision: number) => void)[] = [];
    const reader = new HeadReader(() => new Promise((resolve) => questions.push(resolve)));
    const first = reader.read();
    const second = reader.read();
    const third = reader.read();
    expect(questions).toHaveLength(1);
    questions[0]?.(1);
    expect(await first).toBe(1);
    await Promise.resolve();
    expect(questions).toHaveLength(2);
    questions[1]?.(2);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
  });

  test('a reader after a failed question asks anew', async () => {
    let count = 0;
    const reader = new HeadReader(async () => {
      count++;
      if (count === 1) throw new Error('no');
      return count;
    });
    const [first, second] = await Promise.allSettled([reader.read(), reader.read()]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
    expect(await reader.read()).toBe(3);
  });

  test('keys lie below the prefix in etcd, the own ones behind all others', () => {
    const keys = new KeySpace({ root: '/registry', prefix: '/other/place' });
    expect(keys.remote('/registry/pods/a').toString()).toBe('/other/place/pods/a');
    expect(keys.local(Buffer.from('/other/place/pods/a'))).toBe('/registry/pods/a');
    expect(keys.local(keys.progressKey)).toBeUndefined();
    const all = keys.rangeOf('/registry/', undefined);
    expect([all?.key.toString(), all?.rangeEnd.toString()]).toEqual(['/other/place/', '/other/place/~tiphys/']);
    const pods = keys.rangeOf('/registry/pods/', '/registry/pods/b');
    expect([pods?.key.toString(), pods?.rangeEnd.toString()]).toEqual(['/other/place/pods/b', '/other/place/pods0']);
    expect(keys.rangeOf('/registry/pods/', '/registry/pods0')).toBeUndefined();
    expect(Buffer.compare(keys.progressKey, keys.range.rangeEnd)).toBeLessThan(0);
  });

  test('keys of about the same time share a lease, a thousand at most', async () => {
    const clock = new VirtualClock();
    const client = new EtcdClient({ endpoints: ['http://127.0.0.1:1'] }, { clock });
    const granted: { id: number; ttl: number }[] = [];
    Object.assign(client, { call: async (_: string, request: { id: number; ttl: number }) => granted.push(request) });
    const pool = new LeasePool({ client, clock, random: new SeededRandom('leases') });
    const ids = await Promise.all(Array.from({ length: 1001 }, () => pool.leaseFor(3600)));
    expect(new Set(ids).size).toBe(2);
    expect(granted.map(({ ttl }) => ttl)).toEqual([3660, 3660]);
    clock.advance(61_000);
    expect(ids).not.toContain(await pool.leaseFor(3600));
    expect(granted.every(({ id }) => Number.isSafeInteger(id) && id > 0)).toBe(true);
    client.close();
  });

  test.each([
    [8, 'etcdserver: mvcc: database space exceeded', 'Full'],
    [3, 'etcdserver: request is too large', 'ValueTooLarge'],
    [8, 'CLIENT: message larger than max (1 vs 2)', 'ValueTooLarge'],
    [14, 'etcdserver: leader changed', 'Unavailable'],
    [14, 'No connection established', 'Unavailable'],
    [4, 'Deadline exceeded', 'Unavailable'],
    [7, 'etcdserver: permission denied', 'Unavailable'],
  ])('code %i "%s" becomes %s', (code, text, expected) => {
    expect(storeErrorOf(new EtcdError({ code, text, endpoint: 'e' }))).toMatchObject({ code: expected });
  });

  test('only what no member took is certain not to happen', () => {
    const error = (code: number, text: string) => new EtcdError({ code, text, endpoint: 'e' });
    expect(error(14, 'No connection established. Last error: x').isRefused).toBe(true);
    expect(error(14, 'etcdserver: no leader').isRefused).toBe(true);
    expect(error(14, 'Connection dropped').isRefused).toBe(false);
    expect(error(14, 'etcdserver: request timed out').isRefused).toBe(false);
    expect(error(4, 'Deadline exceeded').isRefused).toBe(false);
  });
});
