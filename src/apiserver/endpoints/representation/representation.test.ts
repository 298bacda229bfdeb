import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFIG_MAPS, EVENTS, EVENTS_V1_EVENTS } from '#api/generated/resources.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { type TestServer, startTestServer } from '../../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
  const metadata = { name: 'one', namespace: 'default', labels: { a: 'b' } };
  await server.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { k: 'v' } });
});
afterAll(() => server.close());

const PATH = '/api/v1/namespaces/default/configmaps';

async function get(path: string, accept: string): Promise<{ type: string | undefined; text: string }> {
  const { headers, body } = await server.client.raw({ method: 'GET', path, headers: { accept } });
  return { type: headers['content-type'], text: Buffer.from(body).toString() };
}

describe('representations', () => {
  test('a table has the columns and a row an object', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const table = JSON.parse((await get(PATH, accept)).text);
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Data', 'Age']);
    expect(table.rows).toMatchObject([
      {
        cells: ['one', expect.anything(), expect.any(String)],
        object: { kind: 'PartialObjectMetadata', metadata: { name: 'one' } },
      },
    ]);
    expect(JSON.parse((await get(`${PATH}?includeObject=None`, accept)).text).rows[0].object).toBeUndefined();
    expect(JSON.parse((await get(`${PATH}?includeObject=Object`, accept)).text).rows[0].object.kind).toBe('ConfigMap');
  });

  test('metadata only', async () => {
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
    const list = JSON.parse((await get(PATH, accept)).text);
    expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
    expect(list.items[0].metadata.labels).toEqual({ a: 'b' });
    expect(list.items[0].data).toBeUndefined();
  });

  test('YAML, and indented JSON for people', async () => {
    const yaml = await get(`${PATH}/one`, 'application/yaml');
    expect(yaml.type).toBe('application/yaml');
    expect(yaml.text).toContain('data:\n  k: v\n');
    expect((await get(`${PATH}/one?pretty=true`, 'application/json')).text).toContain('\n  "kind": "ConfigMap",\n');
  });

  test('protobuf falls back to JSON where the client takes that, too, and is 406 where it does not', async () => {
    const both = 'application/vnd.kubernetes.protobuf,application/json';
    expect((await get(`${PATH}/one`, both)).type).toBe('application/json');
    await expect(get(`${PATH}/one`, 'application/vnd.kubernetes.protobuf')).rejects.toMatchObject({
      status: { code: 406 },
    });
  });

  test('bodies may be YAML, and nothing unknown', async () => {
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\ndata:\n  a: "1"\n';
    const post = (type: string, body: string) =>
      server.client.raw({ method: 'POST', path: PATH, headers: { 'content-type': type }, body: Buffer.from(body) });
    expect((await post('application/yaml', yaml)).status).toBe(201);
    await expect(post('text/plain', yaml)).rejects.toMatchObject({
      status: { code: 415, reason: 'UnsupportedMediaType' },
    });
    await expect(post('application/json', '{"kind": nonsense')).rejects.toMatchObject({
      status: {
        code: 400,
        message: expect.stringMatching(
          /^the object provided is unrecognized \(must be of type ConfigMap\): couldn't get version\/kind; json parse error: /,
        ),
      },
    });
    await expect(post('application/json', '{"apiVersion":"v1","kind":"Secret"}')).rejects.toMatchObject({
      status: {
        code: 400,
        message: expect.stringContaining('Secret in version "v1" cannot be handled as a ConfigMap'),
      },
    });
  });

  test('a large list comes in chunks and is the same as a small one', async () => {
    const data = { text: 'x'.repeat(20_000) };
    for (let index = 0; index < 60; index++) {
      const metadata = { name: `large-${index}`, namespace: 'large' };
      await server.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
    }
    const list = await server.client.list(CONFIG_MAPS, { namespace: 'large' });
    expect(list.items).toHaveLength(60);
    const single = await server.client.get(CONFIG_MAPS, { namespace: 'large', name: 'large-7' });
    expect(list.items.find(({ metadata }) => metadata.name === 'large-7')).toEqual(single);
    const { headers, body } = await server.client.raw({ method: 'GET', path: '/api/v1/namespaces/large/configmaps' });
    expect(headers['content-length']).toBe(String(body.length));
  });

  test('what is large is compressed for those who take it', async () => {
    const ask = (path: string) =>
      server.server.handle({
        method: 'GET',
        path,
        query: new URLSearchParams(),
        headers: { 'accept-encoding': 'gzip' },
        readBody: () => Promise.resolve(new Uint8Array(0)),
        signal: new AbortController().signal,
      });
    const large = await ask('/api/v1/namespaces/large/configmaps');
    if (large.type !== 'stream') throw new Error(`no stream but ${large.type}`);
    expect(large.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(large.headers).not.toHaveProperty('content-length');
    const chunks: Uint8Array[] = [];
    for await (const chunk of large.body) chunks.push(chunk);
    expect(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()).items).toHaveLength(60);
    expect(await ask('/api/v1/namespaces/default/configmaps/one')).not.toMatchObject({
      headers: { 'content-encoding': 'gzip' },
    });
  });

  test('two versions are views of one stored object', async () => {
    const metadata = { name: 'seen', namespace: 'default' };
    const involvedObject = { kind: 'Pod', namespace: 'default', name: 'web' };
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata,
      involvedObject,
      reason: 'Started',
      message: 'it runs',
      type: 'Normal',
    };
    const made = await server.client.create(EVENTS, event);
    const viewed = await server.client.get(EVENTS_V1_EVENTS, metadata);
    expect(viewed).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      metadata: { uid: made.metadata.uid, resourceVersion: made.metadata.resourceVersion },
      regarding: involvedObject,
      note: 'it runs',
    });
    for (const [resource, fieldSelector] of [
      [EVENTS, 'involvedObject.name=web'],
      [EVENTS_V1_EVENTS, 'regarding.name=web'],
    ] as const) {
      expect((await server.client.list<KubeObject>(resource, { fieldSelector })).items).toHaveLength(1);
    }
  });

  test('a long table comes in chunks and has every row', async () => {
    for (let index = 0; index < 300; index++) {
      const metadata = { name: `row-${index}`, namespace: 'long' };
      await server.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    }
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const table = JSON.parse((await get('/api/v1/namespaces/long/configmaps', accept)).text);
    expect(table).toMatchObject({ kind: 'Table', metadata: { resourceVersion: expect.any(String) } });
    expect(table.rows).toHaveLength(300);
    expect(table.rows[299].cells).toHaveLength(table.columnDefinitions.length);
  });

  test('frozen lists share the objects of the cache, without managedFields', async () => {
    const frozen = server.clientFor({ username: 'x', groups: [] }, { frozen: true });
    const [first] = (await frozen.list(CONFIG_MAPS, { namespace: 'default' })).items;
    const [second] = (await frozen.list(CONFIG_MAPS, { namespace: 'default' })).items;
    expect(first).toBe(second);
    expect(Object.isFrozen(first?.metadata)).toBe(true);
    expect(first?.metadata.managedFields).toBeUndefined();
    expect(first?.metadata.resourceVersion).toMatch(/^\d+$/);
  });
});
