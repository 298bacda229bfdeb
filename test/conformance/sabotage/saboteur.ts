import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Connection } from '../support/kubeconfig.ts';

/** A request on its way to the server; a sabotage may change all of it. */
export interface Passing {
  readonly method: string;
  path: string;
  readonly query: URLSearchParams;
  readonly headers: Record<string, string>;
  body: Buffer;
}

export interface Answered {
  status: number;
  readonly headers: Record<string, string>;
  body: Buffer;
}

/** One behaviour of the server switched off. */
export interface Sabotage {
  readonly name: string;
  /** The official name of a test that must notice. */
  readonly noticedBy: string;
  /** Changes the request, or answers it in the server's place. */
  readonly request?: (request: Passing) => Answered | undefined;
  readonly response?: (answer: Answered, request: Passing) => void;
  /** Sees the lines of a watch, one event each, and says what goes on. */
  readonly watch?: (line: string) => readonly string[];
}

/** A proxy between the tests and a server that spoils one behaviour. Resolves to the URL that it listens at. */
export async function startSaboteur(
  connection: Connection,
  sabotage: Omit<Sabotage, 'noticedBy'>,
): Promise<{ url: string; close(): void }> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing, { connection, sabotage, agent }).catch((error: unknown) =>
      outgoing.destroy(asError(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Safe: it listens on TCP.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

interface Route {
  readonly connection: Connection;
  readonly sabotage: Omit<Sabotage, 'noticedBy'>;
  readonly agent: Agent;
}

async function pass(incoming: IncomingMessage, outgoing: ServerResponse, route: Route): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'http://server');
  const request: Passing = {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: plain(incoming.headers),
    body: await bodyOf(incoming),
  };
  const own = route.sabotage.request?.(request);
  if (own !== undefined) return send(outgoing, own);
  const response = await forward(request, route, outgoing);
  const isWatch = request.query.get('watch') === 'true' && response.statusCode === 200;
  if (isWatch) return relayWatch(response, outgoing, route.sabotage);
  const answer: Answered = {
    status: response.statusCode ?? 502,
    headers: plain(response.headers),
    body: await bodyOf(response),
  };
  route.sabotage.response?.(answer, request);
  send(outgoing, answer);
}

function forward(request: Passing, { connection, agent }: Route, outgoing: ServerResponse): Promise<IncomingMessage> {
  const { server, ca, cert, key, token, isInsecure } = connection;
  const query = request.query.toString();
  const { host: _, connection: __, 'transfer-encoding': ___, 'content-length': ____, ...headers } = request.headers;
  // A test may come with a token of its own, or with none at all.
  const isOwn = headers['authorization'] !== undefined;
  const options = {
    method: request.method,
    host: server.hostname,
    port: server.port === '' ? undefined : server.port,
    path: query === '' ? request.path : `${request.path}?${query}`,
    headers: {
      ...headers,
      ...(request.body.length === 0 ? {} : { 'content-length': String(request.body.length) }),
      ...(token === undefined || isOwn ? {} : { authorization: `Bearer ${token}` }),
    },
  };
  const identity = isOwn ? {} : { cert, key };
  return new Promise((resolve, reject) => {
    const sent =
      server.protocol === 'http:'
        ? httpRequest(options, resolve)
        : httpsRequest(
            { ...options, ca, ...identity, rejectUnauthorized: !isInsecure, agent: isOwn ? false : agent },
            resolve,
          );
    sent.on('error', reject);
    outgoing.on('close', () => sent.destroy());
    sent.end(request.body);
  });
}

function relayWatch(response: IncomingMessage, outgoing: ServerResponse, sabotage: Route['sabotage']): void {
  outgoing.writeHead(200, plain(response.headers));
  outgoing.flushHeaders();
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      for (const each of sabotage.watch?.(line) ?? [line]) outgoing.write(`${each}\n`);
    }
  });
  response.on('close', () => outgoing.end());
  response.on('error', () => outgoing.destroy());
}

function send(outgoing: ServerResponse, { status, headers, body }: Answered): void {
  const { 'transfer-encoding': _, 'content-length': __, connection: ___, ...rest } = headers;
  outgoing.writeHead(status, { ...rest, 'content-length': body.length });
  outgoing.end(body);
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // Safe: no encoding is set, so chunks are buffers.
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function plain(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
