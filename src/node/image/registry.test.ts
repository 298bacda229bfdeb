import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { ImageStore } from './image-store.ts';
import { packEntries } from './layer-tar.ts';
import { hostArchitecture } from './oci-types.ts';

let directory = '';
let server: Server;
let host = '';
const blobs = new Map<string, Buffer>();
const tags = new Map<string, Buffer>();
const seen: string[] = [];

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function addBlob(bytes: Buffer): { digest: string; size: number } {
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return { digest, size: bytes.length };
}

/** A registry that wants a token, which it gives to `user` with the password `secret`. */
function fakeRegistry(): Server {
  return createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://registry');
    seen.push(pathname + search);
    const send = (status: number, body: Buffer | string, headers: Record<string, string> = {}): void => {
      response.writeHead(status, headers);
      response.end(body);
    };
    if (pathname === '/token') {
      const isUser = request.headers.authorization === `Basic ${Buffer.from('user:secret').toString('base64')}`;
      send(isUser ? 200 : 401, JSON.stringify({ token: 'sesame' }));
      return;
    }
    if (request.headers.authorization !== 'Bearer sesame') {
      const challenge = `Bearer realm="http://${host}/token",service="fake",scope="repository:team/web:pull"`;
      send(401, '', { 'WWW-Authenticate': challenge });
      return;
    }
    const [, , , , kind, key = ''] = pathname.split('/');
    const found = kind === 'manifests' ? (tags.get(key) ?? blobs.get(key)) : blobs.get(key);
    if (found === undefined) send(404, '');
    else send(200, found);
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-registry-test-'));
  server = fakeRegistry();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const chunks: Buffer[] = [];
  for await (const chunk of packEntries([{ type: 'file', path: 'hello', content: 'from the registry' }])) {
    chunks.push(chunk as Buffer);
  }
  const layer = addBlob(gzipSync(Buffer.concat(chunks)));
  const config = addBlob(Buffer.from('{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]},"rootfs":{}}'));
  const manifest = addBlob(Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [layer] })));
  const platform = { os: 'linux', architecture: hostArchitecture() };
  const other = { digest: `sha256:${'0'.repeat(64)}`, size: 1, platform: { os: 'plan9', architecture: 'vax' } };
  tags.set('1', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [other, { ...manifest, platform }] })));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
  blobs.clear();
  tags.clear();
  seen.length = 0;
});

const auth = { username: 'user', password: 'secret' };

describe('ImageStore.pull', () => {
  test('pulls the image of this platform with a token', async () => {
    const store = new ImageStore(join(directory, 'store'));
    const id = await store.pull(`${host}/team/web:1`, { auth });
    const image = await store.find(`${host}/team/web:1`);
    expect(image).toMatchObject({ id, repoDigests: [`${host}/team/web@${digestOf(tags.get('1')!)}`] });
    expect(await readFile(join(image!.rootfs, 'hello'), 'utf8')).toBe('from the registry');
    expect(seen).toContain('/token?service=fake&scope=repository%3Ateam%2Fweb%3Apull');
    expect(
      await store.pull(`${host}/team/web@${digestOf(tags.get('1')!)}`, { auth }).catch((error: Error) => error.message),
    ).toContain('not found');
  });

  test("says in containerd's words what is missing, forbidden or out of reach", async () => {
    const store = new ImageStore(join(directory, 'store'));
    const name = `${host}/team/web:2`;
    await expect(store.pull(name, { auth })).rejects.toThrow(
      `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`,
    );
    await expect(store.pull(`${host}/team/web:1`)).rejects.toThrow(
      'pull access denied, repository does not exist or may',
    );
    await expect(store.pull('127.0.0.1:1/a:1')).rejects.toThrow(
      /failed to do request: Get "http:.*ECONNREFUSED|bad port/,
    );
    await expect(store.pull('A B')).rejects.toThrow('invalid reference format');
    expect(await store.list()).toEqual([]);
  });

  test('refuses bytes that do not have their digest', async () => {
    for (const digest of blobs.keys()) if (blobs.get(digest)![0] === 0x1f) blobs.set(digest, Buffer.from('tampered'));
    const store = new ImageStore(join(directory, 'store'));
    await expect(store.pull(`${host}/team/web:1`, { auth })).rejects.toThrow('blob has digest');
    expect(await store.list()).toEqual([]);
  });
});
