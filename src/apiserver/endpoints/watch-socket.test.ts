import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { CONFIG_MAPS } from '#api/generated/resources.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { x509Authenticator } from '../authentication/x509.ts';
import { ensurePki, type Pki } from '../pki/pki.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type HttpServer, listenHttps } from '../transport/http-server.ts';

let directory: string;
let pki: Pki;
let server: TestServer;
let https: HttpServer;

beforeAll(async () => {
  const executor = new RealExecutor();
  const { clock, random } = executor;
  directory = await mkdtemp(join(tmpdir(), 'tiphys-watch-'));
  pki = await ensurePki(directory, {}, { clock, random });
  server = await startTestServer(executor, {
    authenticator: x509Authenticator({ clientCa: pki.ca.certificate, clock }),
  });
  https = await listenHttps({
    server: server.server,
    host: '127.0.0.1',
    port: 0,
    clock,
    log: silentLogger,
    certificate: pki.serving.certificate,
    key: pki.serving.key,
    clientCas: [pki.ca.certificate],
  });
});

afterAll(async () => {
  await https.close();
  await server.close();
  await rm(directory, { recursive: true });
});

function connect(query: string, protocols: string[] = []): WebSocket {
  const url = `wss://127.0.0.1:${https.port}/api/v1/namespaces/default/configmaps?watch=true&${query}`;
  return new WebSocket(url, protocols, {
    ca: pki.ca.certificate,
    cert: pki.admin.certificate,
    key: pki.admin.key,
    origin: 'http://localhost',
  });
}

interface Message {
  readonly isText: boolean;
  readonly event: { readonly type: string; readonly object: { readonly metadata: { readonly name: string } } };
}

function messages(socket: WebSocket, count: number): Promise<Message[]> {
  const received: Message[] = [];
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (data: Buffer, isBinary) => {
      received.push({ isText: !isBinary, event: JSON.parse(data.toString()) });
      if (received.length === count) resolve(received);
    });
  });
}

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });

describe('a watch over a WebSocket', () => {
  test('sends an event a message, as text, until its client goes', async () => {
    await server.client.create(CONFIG_MAPS, configMap('a'));
    const socket = connect('');
    const received = messages(socket, 2);
    await new Promise((resolve) => {
      socket.once('open', resolve);
    });
    await server.client.create(CONFIG_MAPS, configMap('b'));
    const shown = (await received).map(({ isText, event }) => [isText, event.type, event.object.metadata.name]);
    expect(shown).toEqual([
      [true, 'ADDED', 'a'],
      [true, 'ADDED', 'b'],
    ]);
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    socket.close();
    await closed;
  });

  test('ends with its time', async () => {
    const token = 'base64url.bearer.authorization.k8s.io.dG9rZW4';
    const socket = connect('timeoutSeconds=1&resourceVersion=1', [token, 'base64.binary.k8s.io']);
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    await new Promise((resolve) => {
      socket.once('open', resolve);
    });
    expect(socket.protocol).toBe('base64.binary.k8s.io');
    await closed;
  });

  test('that may not be is refused as HTTP', async () => {
    const socket = connect('resourceVersionMatch=Exact');
    const status = await new Promise((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.once('error', () => undefined);
    });
    expect(status).toBe(422);
    socket.terminate();
  });
});
