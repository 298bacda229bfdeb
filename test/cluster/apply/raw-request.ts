import { ADMIN, type TestServer } from '#apiserver/testing/test-server.ts';
import type { WatchFrame, WatchSource } from '#apiserver/pipeline/types.ts';

export interface RawRequest {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // The tests read answers as a client would: by what it expects to be there.
  // oxlint-disable-next-line no-explicit-any
  readonly json: any;
}

/** One request as it comes from a socket, with nothing between the test and the wire's words. */
export async function send(
  { server }: TestServer,
  method: string,
  path: string,
  { query = {}, body, contentType = 'application/json', headers = {} }: RawRequest = {},
): Promise<RawAnswer> {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const response = await server.handle({
    method,
    path,
    query: new URLSearchParams(query),
    headers: { ...(body === undefined ? {} : { 'content-type': contentType }), 'user-agent': 'tests/1', ...headers },
    readBody: () => Promise.resolve(Buffer.from(text)),
    signal: new AbortController().signal,
    localUser: ADMIN,
  });
  if (response.type === 'bytes') return answerOf(response.status, response.headers, Buffer.concat(response.body));
  if (response.type !== 'stream') throw new Error(`an answer of type ${response.type}`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(Buffer.from(chunk));
  return answerOf(response.status, response.headers, Buffer.concat(chunks));
}

function answerOf(status: number, headers: Readonly<Record<string, string>>, body: Buffer): RawAnswer {
  return { status, headers, json: body.length === 0 ? undefined : JSON.parse(body.toString()) };
}

/** A watch as it comes from a socket. */
export async function openRawWatch(
  { server }: TestServer,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<WatchSource> {
  const response = await server.handle({
    method: 'GET',
    path,
    query: new URLSearchParams({ watch: 'true', ...query }),
    headers: { 'user-agent': 'tests/1' },
    readBody: () => Promise.resolve(new Uint8Array()),
    signal: new AbortController().signal,
    localUser: ADMIN,
  });
  if (response.type !== 'watch') throw new Error(`no watch but an answer of type ${response.type}`);
  return response.watch;
}

/** The next events of a watch, as `TYPE name`. */
export async function takeEvents(source: WatchSource, count: number): Promise<string[]> {
  const frames: WatchFrame[] = [];
  while (frames.length < count) {
    const batch = await source.next();
    if (batch === undefined) break;
    frames.push(...batch);
  }
  return frames.map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`);
}
