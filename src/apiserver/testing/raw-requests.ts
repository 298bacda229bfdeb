import type { ApiResponse } from '../pipeline/types.ts';
import type { TestServer } from './test-server.ts';

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
}

/** Sends a request as it comes from a socket: nobody's in this process. */
export function ask(
  server: TestServer,
  { method = 'GET', path, accept, contentType, body, signal }: Ask,
): Promise<ApiResponse> {
  const [plain = '', query = ''] = path.split('?');
  return server.server.handle({
    method,
    path: plain,
    query: new URLSearchParams(query),
    headers: {
      ...(accept === undefined ? {} : { accept }),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    },
    readBody: () => Promise.resolve(body ?? new Uint8Array()),
    signal: signal ?? new AbortController().signal,
  });
}

export async function read(
  server: TestServer,
  request: Ask,
): Promise<{ status: number; type: string | undefined; body: Buffer }> {
  const response = await ask(server, request);
  if (response.type !== 'bytes' && response.type !== 'stream') throw new Error(`answered with ${response.type}`);
  const parts: Uint8Array[] = [];
  // A piece of a stream is good only until the next one.
  for await (const part of response.body) parts.push(Buffer.from(part));
  return { status: response.status, type: response.headers['content-type'], body: Buffer.concat(parts) };
}
