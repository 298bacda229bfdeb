import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { protobufMessageOf, protobufTable } from '#api/schema/protobuf.ts';
import { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { decodeYaml } from '#machinery/codec/yaml.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { type Ask, ask as rawAsk, read as rawRead } from '../../testing/raw-requests.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const PODS = '/api/v1/namespaces/default/pods';

let server: TestServer;
let codec: ProtobufCodec;

beforeAll(async () => {
  const source = { table: protobufTable, messageOf: protobufMessageOf };
  codec = new ProtobufCodec({ table: await source.table(), messageOf: source.messageOf });
  server = await startTestServer(new RealExecutor(), { protobuf: source, options: { servesCbor: true } });
});
afterAll(() => server.close());

const ask = (request: Ask) => rawAsk(server, request);
const read = (request: Ask) => rawRead(server, request);

const pod = (name: string) => ({
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name, namespace: 'default', labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'busybox', resources: { requests: { cpu: '100m' } } }] },
});

function create(name: string): Promise<{ status: number; type: string | undefined; body: Buffer }> {
  const body = codec.encodeObject(pod(name));
  return read({ method: 'POST', path: PODS, accept: PROTOBUF, contentType: PROTOBUF, body });
}

describe('a client that speaks protobuf only', () => {
  test('creates, reads, changes and lists', async () => {
    const created = await create('proto');
    expect(created).toMatchObject({ status: 201, type: PROTOBUF });
    const object = codec.decodeObject(created.body);
    expect(object).toMatchObject({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'proto', managedFields: [{}] } });

    const got = await read({ path: `${PODS}/proto`, accept: PROTOBUF });
    expect(got.type).toBe(PROTOBUF);
    expect(codec.decodeObject(got.body)).toEqual(object);

    const changed = structuredClone(object);
    Object.assign(Object(changed['metadata']), { labels: { app: 'other' } });
    const body = codec.encodeObject(changed);
    const put = await read({ method: 'PUT', path: `${PODS}/proto`, accept: PROTOBUF, contentType: PROTOBUF, body });
    expect(put.status).toBe(200);
    expect(codec.decodeObject(put.body)).toMatchObject({ metadata: { labels: { app: 'other' } } });

    const list = codec.decodeObject((await read({ path: PODS, accept: PROTOBUF })).body);
    expect(list).toMatchObject({ kind: 'PodList', apiVersion: 'v1', items: [{ metadata: { name: 'proto' } }] });
    const json = JSON.parse((await read({ path: PODS })).body.toString());
    expect(list['metadata']).toEqual(json.metadata);
    expect({ kind: 'Pod', apiVersion: 'v1', ...Reflect.get(Object(list['items']), '0') }).toEqual(json.items[0]);
  });

  test('gets failures as protobuf', async () => {
    const missing = await read({ path: `${PODS}/nobody`, accept: PROTOBUF });
    expect(missing).toMatchObject({ status: 404, type: PROTOBUF });
    expect(codec.decodeObject(missing.body)).toMatchObject({
      kind: 'Status',
      apiVersion: 'v1',
      reason: 'NotFound',
      code: 404,
    });
  });

  test('gets a refusal in its own encoding for a body that is broken', async () => {
    const body = codec.encodeObject(pod('broken')).subarray(0, 60);
    const refused = await read({ method: 'POST', path: PODS, accept: PROTOBUF, contentType: PROTOBUF, body });
    expect(refused.status).toBe(400);
    expect(codec.decodeObject(refused.body)).toMatchObject({
      reason: 'BadRequest',
      message: expect.stringContaining('unexpected EOF'),
    });
  });

  test('a list of nothing, and one of metadata only', async () => {
    const empty = await read({ path: '/api/v1/namespaces/empty/pods', accept: PROTOBUF });
    expect(codec.decodeObject(empty.body)).toEqual({
      kind: 'PodList',
      apiVersion: 'v1',
      metadata: { resourceVersion: expect.any(String) },
    });
    await create('meta');
    const accept = `${PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;
    const list = codec.decodeObject((await read({ path: `${PODS}?fieldSelector=metadata.name%3Dmeta`, accept })).body);
    expect(list).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ metadata: { name: 'meta', labels: { app: 'web' } } }],
    });
    const one = `${PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`;
    const partial = codec.decodeObject((await read({ path: `${PODS}/meta`, accept: one })).body);
    expect(partial).toMatchObject({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'meta' },
    });
  });

  test('a long list comes in chunks, cold and warm the same', async () => {
    for (let index = 0; index < 400; index++) {
      const body = Buffer.from(
        JSON.stringify({
          kind: 'ConfigMap',
          apiVersion: 'v1',
          metadata: { name: `c-${index}` },
          data: { text: 'x'.repeat(25_000) },
        }),
      );
      await read({ method: 'POST', path: '/api/v1/namespaces/long/configmaps', contentType: 'application/json', body });
    }
    const path = '/api/v1/namespaces/long/configmaps';
    const cold = await read({ path, accept: PROTOBUF });
    const warm = await read({ path, accept: PROTOBUF });
    expect(Reflect.get(codec.decodeObject(cold.body), 'items')).toHaveLength(400);
    expect(warm.body.equals(cold.body)).toBe(true);
    expect(await ask({ path, accept: PROTOBUF })).toMatchObject({
      type: 'stream',
      headers: { 'content-length': String(cold.body.length) },
    });
  });

  test('watches: frames with a length, bookmarks and the failure at the end', async () => {
    const stop = new AbortController();
    const path = `${PODS}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Dwatched`;
    await create('watched');
    const response = await ask({ path, accept: `${PROTOBUF};stream=watch`, signal: stop.signal });
    if (response.type !== 'watch') throw new Error(`answered with ${response.type}`);
    expect(response.headers['content-type']).toBe(`${PROTOBUF};stream=watch`);
    const events: Record<string, unknown>[] = [];
    while (events.length < 2) {
      const frames = (await response.watch.next()) ?? [];
      events.push(...frames.map(({ bytes }) => eventOf(Buffer.concat(bytes))));
    }
    expect(events).toMatchObject([
      { type: 'ADDED', object: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'watched' } } },
      { type: 'BOOKMARK', object: { kind: 'Pod', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } },
    ]);
    stop.abort();

    await server.server.compact();
    const gone = await ask({ path: `${PODS}?watch=true&resourceVersion=1`, accept: `${PROTOBUF};stream=watch` });
    if (gone.type !== 'watch') throw new Error(`answered with ${gone.type}`);
    const [frame] = (await gone.watch.next()) ?? [];
    expect(eventOf(Buffer.concat(frame?.bytes ?? []))).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
    gone.watch.close();
  });

  function eventOf(frame: Buffer): Record<string, unknown> {
    expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
    return codec.decodeMessage('k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent', frame.subarray(4));
  }
});

describe('negotiation', () => {
  const TABLE =
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';

  test.each([
    ['nothing said', undefined, 200, 'application/json', 'PodList'],
    ['anything', '*/*', 200, 'application/json', 'PodList'],
    ['tables, as kubectl does', TABLE, 200, 'application/json', 'Table'],
    [
      'a table as protobuf, then anything',
      `${PROTOBUF};as=Table;v=v1;g=meta.k8s.io,*/*`,
      200,
      'application/json',
      'PodList',
    ],
    [
      'a table without a version',
      'application/json;as=Table;g=meta.k8s.io,application/json',
      200,
      'application/json',
      'PodList',
    ],
    ['what it likes better', `application/json;q=0.5,${PROTOBUF}`, 200, PROTOBUF, 'PodList'],
    ['a table as protobuf alone', `${PROTOBUF};as=Table;v=v1;g=meta.k8s.io`, 406, 'application/json', 'Status'],
    ['what nobody has', 'text/html', 406, 'application/json', 'Status'],
  ])('%s', async (_name, accept, status, type, kind) => {
    const answer = await read({ path: PODS, ...(accept === undefined ? {} : { accept }) });
    expect(answer).toMatchObject({ status, type });
    const object = type === PROTOBUF ? codec.decodeObject(answer.body) : JSON.parse(answer.body.toString());
    expect(object.kind).toBe(kind);
  });

  test('says what there is', async () => {
    const { body } = await read({ path: PODS, accept: 'text/html' });
    expect(JSON.parse(body.toString()).message).toBe(
      'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor',
    );
    const watch = await read({ path: `${PODS}?watch=true`, accept: 'application/yaml' });
    expect(watch.status).toBe(406);
    expect(decodeYaml(watch.body.toString())).toMatchObject([
      {
        message:
          'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch, application/cbor-seq',
      },
    ]);
  });

  test('reviews and discovery', async () => {
    const accept = `${PROTOBUF},application/json`;
    const groups = await read({ path: '/apis', accept });
    expect(groups.type).toBe(PROTOBUF);
    expect(codec.decodeObject(groups.body)).toMatchObject({ kind: 'APIGroupList', apiVersion: 'v1' });
    const resources = await read({ path: '/api/v1', accept });
    expect(codec.decodeObject(resources.body)).toMatchObject({ kind: 'APIResourceList', groupVersion: 'v1' });
    const form = 'g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const all = await read({ path: '/apis', accept: `${PROTOBUF};${form},application/json;${form},application/json` });
    expect(all.type).toBe(`${PROTOBUF};${form}`);
    const json = await read({ path: '/apis', accept: `application/json;${form},application/json` });
    const { items } = JSON.parse(json.body.toString());
    expect(codec.decodeObject(all.body)).toMatchObject({ kind: 'APIGroupDiscoveryList', items });
    expect((await read({ path: '/apis', accept: 'text/html' })).status).toBe(406);
    expect((await read({ path: '/version', accept })).type).toBe('application/json');
  });

  test('a watched table has its columns in the first event only', async () => {
    const path = '/api/v1/namespaces/columns/configmaps';
    const post = (name: string) =>
      read({
        method: 'POST',
        path,
        contentType: 'application/json',
        body: Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name } })),
      });
    await post('a');
    await post('b');
    const stop = new AbortController();
    const response = await ask({ path: `${path}?watch=true`, accept: TABLE, signal: stop.signal });
    if (response.type !== 'watch') throw new Error(`answered with ${response.type}`);
    const tables: { columnDefinitions: unknown; rows: unknown[] }[] = [];
    while (tables.length < 2) {
      for (const { bytes } of (await response.watch.next()) ?? []) {
        tables.push(JSON.parse(Buffer.concat(bytes).toString()).object);
      }
    }
    stop.abort();
    expect(tables).toMatchObject([
      { columnDefinitions: [{ name: 'Name' }, {}, {}], rows: [{ object: { metadata: { name: 'a' } } }] },
      { columnDefinitions: null, rows: [{ object: { metadata: { name: 'b' } } }] },
    ]);
  });

  test('YAML lists read as one document', async () => {
    const { body, type } = await read({ path: PODS, accept: 'application/yaml' });
    expect(type).toBe('application/yaml');
    expect(body.toString()).toMatch(/^apiVersion: v1\nitems:\n- apiVersion: v1\n {2}kind: Pod\n/);
    const empty = await read({ path: '/api/v1/namespaces/empty/pods', accept: 'application/yaml' });
    expect(empty.body.toString()).toMatch(
      /^apiVersion: v1\nitems: \[\]\nkind: PodList\nmetadata:\n {2}resourceVersion: "\d+"\n$/,
    );
  });

  test('an indented list is what JSON.stringify would make of it', async () => {
    const text = (await read({ path: `${PODS}?pretty=true` })).body.toString();
    expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`);
    const empty = (await read({ path: '/api/v1/namespaces/empty/pods?pretty=1' })).body.toString();
    expect(empty).toBe(`${JSON.stringify(JSON.parse(empty), null, 2)}\n`);
  });
});
