import { describe, expect, test } from 'vitest';
import { startTestServer, type TestServer, underVirtualTime } from '#apiserver/testing/test-server.ts';
import type { WatchSource } from '#apiserver/pipeline/types.ts';
import { openRawWatch, type RawAnswer, send, takeEvents } from './raw-request.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

async function create(server: TestServer, name: string, labels: Record<string, string> = {}): Promise<string> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } };
  const made = await send(server, 'POST', CONFIG_MAPS, { body });
  expect(made.status).toBe(201);
  return made.json.metadata.resourceVersion;
}

function list(server: TestServer, query: Record<string, string> = {}): Promise<RawAnswer> {
  return send(server, 'GET', CONFIG_MAPS, { query });
}

const names = ({ json }: RawAnswer): string =>
  json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).join();

/** Runs with a server that holds a, b and c, of which `versions` tells the revisions. */
function withThree(seed: string, steps: (server: TestServer, versions: string[]) => Promise<void>): Promise<void> {
  return underVirtualTime(seed, async (executor) => {
    await using server = await startTestServer(executor);
    const versions: string[] = [];
    for (const name of ['a', 'b', 'c']) versions.push(await create(server, name));
    await steps(server, versions);
  });
}

describe('lists', () => {
  test('of a version are of that version, or not older', () =>
    withThree('versions', async (server, [first = '', second = '', third = '']) => {
      const shown = async (query: Record<string, string>): Promise<unknown[]> => {
        const answer = await list(server, query);
        return [names(answer), answer.json.metadata.resourceVersion];
      };
      const newest = ['a,b,c', third];
      expect(await shown({})).toEqual(newest);
      expect(await shown({ resourceVersion: '0' })).toEqual(newest);
      expect(await shown({ resourceVersion: first })).toEqual(newest);
      expect(await shown({ resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' })).toEqual(newest);
      expect(await shown({ resourceVersion: first, resourceVersionMatch: 'NotOlderThan' })).toEqual(newest);
      expect(await shown({ resourceVersion: second, resourceVersionMatch: 'Exact' })).toEqual(['a,b', second]);
      // The first page of a named version is exact for the sake of old clients.
      expect(await shown({ resourceVersion: second, limit: '5' })).toEqual(['a,b', second]);
      expect(await shown({ resourceVersion: '0', limit: '2' })).toEqual(['a,b', third]);
      expect(await shown({ resourceVersion: first, resourceVersionMatch: 'NotOlderThan', limit: '1' })).toEqual([
        'a',
        third,
      ]);
    }));

  test.each<[Record<string, string>, number, string]>([
    [
      { resourceVersionMatch: 'Exact' },
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      { resourceVersionMatch: 'Exact', resourceVersion: '0' },
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    [
      { resourceVersionMatch: 'Newest', resourceVersion: '1' },
      422,
      'resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
    ],
    [
      { resourceVersionMatch: 'Exact', resourceVersion: '1', continue: 'x' },
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided',
    ],
    [{ sendInitialEvents: 'true' }, 422, 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'],
    [
      { continue: 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJ4In0', resourceVersion: '1' },
      400,
      'specifying resource version is not allowed when using continue',
    ],
    [{ continue: '%%' }, 400, 'invalid continue token: continue key is not valid: illegal base64 data at input byte 0'],
    [
      { continue: Buffer.from('{"v":"x","rv":1,"start":"a"}').toString('base64url') },
      400,
      'invalid continue token: continue key is not valid: server does not recognize this encoded version x',
    ],
    [
      { continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"../../secrets"}').toString('base64url') },
      400,
      'invalid continue token: continue key is not valid: ../../secrets',
    ],
    [
      { fieldSelector: 'spec.x=y' },
      400,
      '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ],
  ])('with %j are refused', async (query, status, message) => {
    await underVirtualTime('refused', async (executor) => {
      await using server = await startTestServer(executor);
      const answer = await list(server, query);
      expect([answer.status, answer.json.message.replace('ListOptions.meta.k8s.io "" is invalid: ', '')]).toEqual([
        status,
        message,
      ]);
    });
  });

  test('of a version that is yet to come wait three seconds for it', () =>
    withThree('future', async (server, versions) => {
      const { clock } = server.executor;
      const startedMs = clock.monotonic();
      const third = Number(versions[2]);
      const answer = await list(server, { resourceVersion: String(third + 10) });
      expect(clock.monotonic() - startedMs).toBe(3000);
      expect(answer.status).toBe(504);
      expect(answer.json).toMatchObject({
        reason: 'Timeout',
        message: `Timeout: Too large resource version: ${third + 10}, current: ${third}`,
        details: {
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
          retryAfterSeconds: 1,
        },
      });
      const waiting = list(server, { resourceVersion: String(third + 1) });
      await create(server, 'd');
      expect(names(await waiting)).toBe('a,b,c,d');
    }));

  test('say how many items remain, but not where a selector hides some', () =>
    withThree('remaining', async (server) => {
      const page = await list(server, { limit: '1' });
      expect(page.json.metadata.remainingItemCount).toBe(2);
      const last = await list(server, { limit: '5', continue: page.json.metadata.continue });
      expect(names(last)).toBe('b,c');
      expect(last.json.metadata).not.toHaveProperty('remainingItemCount');
      expect(last.json.metadata).not.toHaveProperty('continue');
      const selected = await list(server, { limit: '1', labelSelector: '!x' });
      expect(selected.json.metadata.continue).toEqual(expect.any(String));
      expect(selected.json.metadata).not.toHaveProperty('remainingItemCount');
    }));

  test('go on inconsistently once their version was compacted', () =>
    withThree('compacted', async (server) => {
      const page = await list(server, { limit: '1' });
      await create(server, 'bb');
      await server.server.compact();
      const gone = await list(server, { limit: '5', continue: page.json.metadata.continue });
      expect([gone.status, gone.json.reason]).toEqual([410, 'Expired']);
      expect(gone.json.message).toBe(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list ' +
          'without the continue parameter, or use the continue token in this response to retrieve the remainder of ' +
          'the results. Continuing with the provided token results in an inconsistent list - objects that were ' +
          'created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      );
      const rest = await list(server, { limit: '5', continue: gone.json.metadata.continue });
      expect(names(rest)).toBe('b,bb,c');
      const exact = await list(server, { resourceVersion: '2', resourceVersionMatch: 'Exact' });
      expect([exact.status, exact.json.message]).toEqual([
        410,
        'The resourceVersion for the provided list is too old.',
      ]);
    }));

  test('that are deleted answer with what was there', () =>
    withThree('collection', async (server) => {
      const dry = await send(server, 'DELETE', CONFIG_MAPS, { query: { dryRun: 'All' } });
      expect(names(dry)).toBe('a,b,c');
      const named = await send(server, 'DELETE', CONFIG_MAPS, { query: { fieldSelector: 'metadata.name!=b' } });
      expect(names(named)).toBe('a,c');
      expect(names(await list(server))).toBe('b');
    }));
});

describe('watches', () => {
  const EVENT_SECONDS = 1;

  /** All that a watch tells until it ends. */
  async function all(source: WatchSource): Promise<string[]> {
    return takeEvents(source, Number.POSITIVE_INFINITY);
  }

  test('begin with what is there unless they skip it or name a version', () =>
    withThree('initial', async (server, [, second = '']) => {
      const open = async (query: Record<string, string>): Promise<string[]> => {
        const source = await openRawWatch(server, CONFIG_MAPS, { timeoutSeconds: String(EVENT_SECONDS), ...query });
        return all(source);
      };
      const skip = { sendInitialEvents: 'false', resourceVersionMatch: 'NotOlderThan' };
      expect(await open({})).toEqual(['ADDED a', 'ADDED b', 'ADDED c']);
      expect(await open({ resourceVersion: '0' })).toEqual(['ADDED a', 'ADDED b', 'ADDED c']);
      expect(await open({ resourceVersion: second })).toEqual(['ADDED c']);
      expect(await open(skip)).toEqual([]);
      expect(await open({ ...skip, resourceVersion: second })).toEqual(['ADDED c']);
      const bookmarks = { allowWatchBookmarks: 'true' };
      expect(await open({ ...bookmarks })).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'BOOKMARK ']);
      expect(
        await open({
          ...bookmarks,
          sendInitialEvents: 'true',
          resourceVersionMatch: 'NotOlderThan',
          resourceVersion: second,
        }),
      ).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'BOOKMARK ']);
    }));

  test.each<[Record<string, string>, string]>([
    [
      { sendInitialEvents: 'true' },
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    [
      { resourceVersionMatch: 'NotOlderThan' },
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
    [
      { resourceVersionMatch: 'Exact', sendInitialEvents: 'true' },
      '[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, ' +
        'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]',
    ],
  ])('with %j are refused', async (query, message) => {
    await underVirtualTime('refused', async (executor) => {
      await using server = await startTestServer(executor);
      const answer = await list(server, { watch: 'true', ...query });
      expect([answer.status, answer.json.message]).toEqual([422, `ListOptions.meta.k8s.io "" is invalid: ${message}`]);
    });
  });

  test('end after their time, and tell two seconds before how far they have seen', () =>
    withThree('bookmark', async (server, [, , third = '']) => {
      const { clock } = server.executor;
      const source = await openRawWatch(server, CONFIG_MAPS, {
        timeoutSeconds: '10',
        allowWatchBookmarks: 'true',
        resourceVersion: third,
      });
      const startedMs = clock.monotonic();
      expect(await takeEvents(source, 1)).toEqual(['BOOKMARK ']);
      expect(clock.monotonic() - startedMs).toBe(8000);
      expect(await all(source)).toEqual([]);
      expect(clock.monotonic() - startedMs).toBe(10_000);
    }));

  test('show objects that come to match or cease to', () =>
    withThree('selector', async (server) => {
      const source = await openRawWatch(server, CONFIG_MAPS, { labelSelector: 'x=1', resourceVersion: '0' });
      const label = (name: string, x: string | null) =>
        send(server, 'PATCH', `${CONFIG_MAPS}/${name}`, {
          body: { metadata: { labels: { x } } },
          contentType: 'application/merge-patch+json',
        });
      await label('a', '1');
      await label('b', '2');
      await label('a', '2');
      await label('b', '1');
      await send(server, 'DELETE', `${CONFIG_MAPS}/b`);
      expect(await takeEvents(source, 4)).toEqual(['ADDED a', 'DELETED a', 'ADDED b', 'DELETED b']);
      source.close();
    }));

  test('of a version that is gone say so in an event', () =>
    withThree('gone', async (server, [first = '']) => {
      await server.server.compact();
      const source = await openRawWatch(server, CONFIG_MAPS, { resourceVersion: first });
      const [frame] = (await source.next()) ?? [];
      expect(frame?.type).toBe('ERROR');
      expect(frame?.object).toMatchObject({ kind: 'Status', code: 410, reason: 'Expired' });
      expect(frame?.object).toHaveProperty('message', expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/));
      expect(await source.next()).toBeUndefined();
    }));

  test('resume from what is five minutes old, but not from what is much older', () =>
    withThree('history', async (server, [first = '']) => {
      const { clock } = server.executor;
      await clock.sleep(299_000);
      await create(server, 'd');
      const recent = await openRawWatch(server, CONFIG_MAPS, { resourceVersion: first, timeoutSeconds: '1' });
      expect(await all(recent)).toEqual(['ADDED b', 'ADDED c', 'ADDED d']);
      const past = await list(server, { resourceVersion: first, resourceVersionMatch: 'Exact' });
      expect(names(past)).toBe('a');
      await clock.sleep(900_000);
      await create(server, 'e');
      const old = await openRawWatch(server, CONFIG_MAPS, { resourceVersion: first });
      const [frame] = (await old.next()) ?? [];
      expect(frame?.object).toMatchObject({ code: 410, reason: 'Expired' });
    }));

  test('for all that there is at a version that is yet to come say that it is too large', () =>
    withThree('early', async (server, [, , third = '']) => {
      const source = await openRawWatch(server, CONFIG_MAPS, {
        resourceVersion: String(Number(third) + 10),
        sendInitialEvents: 'true',
        resourceVersionMatch: 'NotOlderThan',
      });
      const [frame] = (await source.next()) ?? [];
      expect(frame?.object).toMatchObject({ code: 504, reason: 'Timeout' });
    }));

  test('of one object name it in the selector or in the deprecated path', () =>
    withThree('single', async (server) => {
      const selected = await openRawWatch(server, CONFIG_MAPS, {
        fieldSelector: 'metadata.name=b',
        timeoutSeconds: '1',
      });
      expect(await all(selected)).toEqual(['ADDED b']);
      const path = '/api/v1/watch/namespaces/default/configmaps/c';
      expect(await all(await openRawWatch(server, path, { timeoutSeconds: '1' }))).toEqual(['ADDED c']);
      const other = await send(server, 'GET', path, { query: { fieldSelector: 'metadata.name=b' } });
      expect([other.status, other.json.message]).toEqual([
        400,
        "fieldSelector metadata.name doesn't match requested name",
      ]);
    }));
});
