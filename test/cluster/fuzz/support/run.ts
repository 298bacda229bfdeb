import { SeededRandom } from '#machinery/random/seeded-random.ts';
import type { FuzzRequest, FuzzTarget, Outcome } from './target.ts';

/** The first seed of a run and how much longer than usual it is; `npm run test:long -- --seed N` sets both. */
export const FUZZ_SEED = process.env['TIPHYS_FUZZ_SEED'] ?? '1';
export const FUZZ_FACTOR = Number(process.env['TIPHYS_FUZZ_FACTOR'] ?? '1');

/** The event loop may be held as long as this by one request. A garbage collection alone can take a third of it. */
const HELD_MS_MAX = Number(process.env['TIPHYS_FUZZ_HELD_MS'] ?? '30000');

/** Where the answer to a request is wrong: in words, or undefined. */
export type Check = (request: FuzzRequest, outcome: Outcome) => string | undefined;

/** A random source with the questions that generators ask. */
export class Dice extends SeededRandom {
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined && items.length === 0) throw new Error('nothing to pick from');
    // Safe: the index is within the list.
    return item as T;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.int(times) === 0;
  }
}

/**
 * Sends `rounds` generated requests, each made from a seed of its own. Gives a text for each kind of failure: the seed
 * (`TIPHYS_FUZZ_ONLY` repeats it), what was wrong and the smallest request that was found to do the same.
 */
export async function fuzz(
  target: FuzzTarget,
  {
    name,
    rounds,
    generate,
    check = judge,
  }: {
    name: string;
    rounds: number;
    generate: (dice: Dice) => FuzzRequest;
    check?: Check;
  },
): Promise<string[]> {
  const found = new Map<string, string>();
  const counts = new Map<number, number>();
  let heldMs = 0;
  const only = process.env['TIPHYS_FUZZ_ONLY'];
  for (let round = 0; round < rounds * FUZZ_FACTOR; round += 1) {
    const seed = `${name}:${FUZZ_SEED}:${round}`;
    if (only !== undefined && only !== seed) continue;
    const request = generate(new Dice(seed));
    target.failures.length = 0;
    const outcome = await target.send(request);
    counts.set(outcome.status, (counts.get(outcome.status) ?? 0) + 1);
    heldMs = Math.max(heldMs, Math.round(outcome.heldMs));
    const problem = [check(request, outcome) ?? [], target.failures.filter((text) => !UPSTREAM_FAILURES.test(text))]
      .flat()
      .join('\n');
    if (problem === '') continue;
    const smallest = target.failures.length === 0 ? request : await minimal(target, request, check);
    const key = placeOf(target.failures.at(-1) ?? problem);
    if (!found.has(key)) found.set(key, `seed ${seed}: ${problem}\n${shown(smallest)}`);
    if (found.size >= PROBLEMS_MAX) break;
  }
  if (process.env['TIPHYS_FUZZ_COUNTS'] !== undefined)
    console.log(name, Object.fromEntries(counts), `held ${heldMs} ms`);
  return [...found.values()];
}

const PROBLEMS_MAX = 25;

/** What every answer must be: in time, no failure of the server's own, and the loop free. */
export function judge(_request: FuzzRequest, { status, body, heldMs }: Outcome): string | undefined {
  if (status === 0) return 'no answer in time';
  const isRefused = status === 500 && UPSTREAM_FAILURES.test(body.toString('latin1'));
  if (status === 500 && !isRefused) return `500: ${body.toString('utf8').slice(0, 600)}`;
  if (status < 101 || status > 599) return `no status: ${status}`;
  if (heldMs > HELD_MS_MAX) return `the event loop was held for ${heldMs.toFixed(0)} ms`;
  return undefined;
}

/** What upstream, too, answers with 500: more ports asked for than there are, a node without addresses. */
const UPSTREAM_FAILURES = /failed to allocate a nodePort: range is full|no preferred addresses found/;

/** Two failures of the same line of code are one. */
function placeOf(text: string): string {
  return /\((?:file:\/\/)?([^()]+\.ts:\d+):\d+\)/.exec(text)?.[1] ?? text.replaceAll(/[\d"]+/g, '').slice(0, 120);
}

/** The same failure with less: headers and parts of a JSON body are left out as long as it still fails. */
async function minimal(target: FuzzTarget, request: FuzzRequest, check: Check): Promise<FuzzRequest> {
  let best = request;
  const place = placeOf(target.failures.at(-1) ?? '');
  let tries = 0;
  const fails = async (candidate: FuzzRequest): Promise<boolean> => {
    tries += 1;
    target.failures.length = 0;
    const outcome = await target.send(candidate);
    const problem = check(candidate, outcome) ?? target.failures[0];
    return problem !== undefined && placeOf(target.failures.at(-1) ?? '') === place;
  };
  for (const name of Object.keys(request.headers ?? {})) {
    const { [name]: _left, ...headers } = best.headers ?? {};
    if (await fails({ ...best, headers })) best = { ...best, headers };
  }
  for (let isSmaller = true; isSmaller && tries < TRIES_MAX; ) {
    isSmaller = false;
    for (const body of smallerBodies(best.body)) {
      if (tries >= TRIES_MAX || !(await fails({ ...best, body }))) continue;
      best = { ...best, body };
      isSmaller = true;
      break;
    }
  }
  return best;
}

const TRIES_MAX = 60;

function* smallerBodies(body: Uint8Array | undefined): Generator<Uint8Array> {
  if (body === undefined) return;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString());
  } catch {
    return;
  }
  for (const smaller of smallerValues(value)) yield Buffer.from(JSON.stringify(smaller));
}

function* smallerValues(value: unknown, depth = 0): Generator<unknown> {
  if (typeof value !== 'object' || value === null || depth > 40) return;
  if (Array.isArray(value)) {
    for (const index of value.keys()) yield value.toSpliced(index, 1);
    for (const [index, item] of value.entries()) {
      for (const smaller of smallerValues(item, depth + 1)) yield value.with(index, smaller);
    }
    return;
  }
  for (const key of Object.keys(value)) {
    // Safe: any object can be read by its own keys.
    const { [key]: child, ...rest } = value as Record<string, unknown>;
    yield rest;
    for (const smaller of smallerValues(child, depth + 1)) yield { ...rest, [key]: smaller };
  }
}

const SHOWN_CHARACTERS = 1_500;

function shown({ method, target, headers = {}, body }: FuzzRequest): string {
  const text = body === undefined ? '' : Buffer.from(body).toString('utf8');
  const isText = !/\p{Cc}|\ufffd/u.test(text.replaceAll('\n', ''));
  const content = isText ? text : `hex ${Buffer.from(body ?? []).toString('hex')}`;
  return `${method} ${target.slice(0, 500)} ${JSON.stringify(headers)}\n${content.slice(0, SHOWN_CHARACTERS)}`;
}
