import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { parseRequestInfo } from '../request-info.ts';
import type { ApiResponse, RequestContext } from '../types.ts';
import { textResponse } from '../types.ts';
import { flowControl } from './flow-control.ts';

const NOBODY = { username: 'somebody', groups: ['system:authenticated'] };
const MASTER = { username: 'admin', groups: ['system:masters'] };

function contextOf(path: string, user = NOBODY, signal = new AbortController().signal): RequestContext {
  const request = {
    method: 'GET',
    path,
    query: new URLSearchParams(),
    headers: {},
    readBody: () => Promise.resolve(new Uint8Array()),
    signal,
  };
  return {
    request,
    info: parseRequestInfo(request),
    user,
    warnings: [],
    auditAnnotations: new Map(),
    auditId: '1',
  };
}

function setUp() {
  const clock = new VirtualClock();
  const stage = flowControl({ readsMax: 1, writesMax: 1, clock });
  const ends: (() => void)[] = [];
  const run = (context: RequestContext): Promise<ApiResponse> =>
    stage(context, () => new Promise((resolve) => ends.push(() => resolve(textResponse(200, 'ok')))));
  return { clock, run, ends };
}

const PODS = '/api/v1/pods';

describe('flowControl', () => {
  test('lets one wait for the place of another', async () => {
    const { run, ends } = setUp();
    const first = run(contextOf(PODS));
    const second = run(contextOf(PODS));
    expect(ends).toHaveLength(1);
    ends[0]?.();
    expect(await first).toMatchObject({ status: 200 });
    await Promise.resolve();
    ends[1]?.();
    expect(await second).toMatchObject({ status: 200 });
  });

  test('answers 429 with Retry-After to one who waited too long', async () => {
    const { clock, run } = setUp();
    void run(contextOf(PODS));
    const second = run(contextOf(PODS));
    clock.advance(15_000);
    expect(await second).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
  });

  test('forgets those who went away while they waited', async () => {
    const { run, ends } = setUp();
    const gone = new AbortController();
    const first = run(contextOf(PODS));
    const second = run(contextOf(PODS, NOBODY, gone.signal));
    const third = run(contextOf(PODS));
    gone.abort();
    await second;
    ends[0]?.();
    await first;
    ends[1]?.();
    expect(await third).toMatchObject({ status: 200 });
    expect(ends).toHaveLength(2);
  });

  test('keeps neither probes nor system:masters waiting', async () => {
    const { run, ends } = setUp();
    void run(contextOf(PODS));
    void run(contextOf('/healthz'));
    void run(contextOf('/readyz/ping'));
    void run(contextOf(PODS, MASTER));
    expect(ends).toHaveLength(4);
    void run(contextOf('/version'));
    expect(ends).toHaveLength(4);
  });
});
