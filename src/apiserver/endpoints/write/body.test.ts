import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { protobufMessageOf, protobufTable } from '#api/schema/protobuf.ts';
import { encodeCbor } from '#machinery/codec/cbor.ts';
import { decodeCbor } from '#machinery/codec/cbor-decode.ts';
import { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { type Ask, ask as rawAsk, read as rawRead } from '../../testing/raw-requests.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

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

describe('bodies', () => {
  const post = (contentType: string, body: string | Uint8Array, query = '') =>
    read({
      method: 'POST',
      path: `/api/v1/namespaces/bodies/configmaps${query}`,
      contentType,
      body: Buffer.from(body),
    });
  const messageOf = async (answer: ReturnType<typeof post>): Promise<string> =>
    JSON.parse((await answer).body.toString()).message;

  test.each([
    ['text/plain', 'x'],
    ['application/json-patch+json', '{}'],
  ])('%s is refused with what there is', async (type, body) => {
    const answer = await post(type, body);
    expect(answer.status).toBe(415);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      reason: 'UnsupportedMediaType',
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor',
    });
  });

  test.each([
    [
      'JSON that is none',
      'application/json',
      'xyz',
      "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character 'x' looking for beginning of value (78797a)",
    ],
    [
      'JSON that ends early',
      'application/json',
      `{"kind":"ConfigMap","apiVersion":"v1"`,
      `the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({"kind":"ConfigMap","apiVersio ...)`,
    ],
    [
      'YAML that is none',
      'application/yaml',
      'a: 1\nb: c: d\n',
      'the object provided is unrecognized (must be of type ConfigMap): yaml: line 2: mapping values are not allowed in this context (613a20310a623a20633a20640a)',
    ],
    [
      'protobuf that is none',
      PROTOBUF,
      'xyz',
      'the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (78797a)',
    ],
  ])('%s', async (_name, type, body, message) => {
    expect(await messageOf(post(type, body))).toBe(message);
  });

  test('a protobuf object that is cut off names its kind', async () => {
    const whole = codec.encodeObject({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'cut' } });
    const raw = Buffer.from(whole);
    // The length of the metadata becomes larger than what is there.
    const at = raw.indexOf(Buffer.from('cut')) - 3;
    raw[at] = 0x7f;
    expect(await messageOf(post(PROTOBUF, raw))).toBe(
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: unexpected EOF',
    );
  });

  const strict = '?fieldValidation=Strict&dryRun=All';
  const head = '"kind":"ConfigMap","apiVersion":"v1"';
  test.each([
    [
      'unknown and repeated fields, in the order of the document',
      'application/json',
      `{${head},"foo":1,"metadata":{"name":"a","name":"b","labels":{"x":"1","x":"2"}},"bar":{"y":1,"y":2},"foo":2,"data":{"k":"v"},"data":{}}`,
      'strict decoding error: unknown field "foo", duplicate field "metadata.name", duplicate field "metadata.labels.x", unknown field "bar", duplicate field "data"',
    ],
    [
      'names in other cases',
      'application/json',
      `{${head},"Data":{},"metadata":{"name":"a","Labels":{}}}`,
      'strict decoding error: unknown field "Data", unknown field "metadata.Labels"',
    ],
    [
      'YAML, with lines',
      'application/yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\nfoo: 1\ndata:\n  k: v\n  k: w\n',
      'strict decoding error: yaml: unmarshal errors:\n  line 5: key "name" already set in map\n  line 9: key "k" already set in map, unknown field "foo"',
    ],
  ])('strict: %s', async (_name, type, body, reason) => {
    expect(await messageOf(post(type, body, strict))).toBe(
      `ConfigMap in version "v1" cannot be handled as a ConfigMap: ${reason}`,
    );
  });

  test('no more than a hundred findings', async () => {
    const fields = Array.from({ length: 150 }, (_, index) => `"f${index}":1`).join(',');
    const message = await messageOf(post('application/json', `{${head},"metadata":{"name":"a"},${fields}}`, strict));
    expect(message.match(/unknown field/g)).toHaveLength(100);
  });

  test('a body of nothing but findings is refused as quickly as any', async () => {
    const fields = Array.from({ length: 100_000 }, (_, index) => `"f${index % 50_000}":1`).join(',');
    const repeated = Array.from({ length: 50_000 }, () => '"k":"v"').join(',');
    const body = `{${head},"metadata":{"name":"a"},"data":{${repeated}},${fields}}`;
    expect(await messageOf(post('application/json', body, strict))).toContain('duplicate field "data.k"');
  });

  test('by default findings are warnings, one a line', async () => {
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: warned\nfoo: 1\ndata:\n  k: v\n  k: w\n';
    const response = await ask({
      method: 'POST',
      path: '/api/v1/namespaces/bodies/configmaps',
      contentType: 'application/yaml',
      body: Buffer.from(body),
    });
    if (response.type !== 'bytes') throw new Error(`answered with ${response.type}`);
    expect(response.status).toBe(201);
    expect(response.headers['warning']).toBe(
      '299 - "line 8: key \\"k\\" already set in map", 299 - "unknown field \\"foo\\""',
    );
    expect(JSON.parse(Buffer.concat(response.body).toString()).data).toEqual({ k: 'w' });
  });

  test('a validation that does not exist', async () => {
    const answer = await post('application/json', `{${head},"metadata":{"name":"a"}}`, '?fieldValidation=Wrong');
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.body.toString()).message).toBe(
      'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Wrong": supported values: "", "Ignore", "Strict", "Warn"',
    );
  });

  test.each([
    ['JSON', 'application/json', `${'['.repeat(20_000)}`],
    ['YAML', 'application/yaml', `${'['.repeat(20_000)}`],
    ['CBOR', 'application/cbor', Buffer.alloc(20_000, 0x81)],
    ['YAML of the largest size', 'application/yaml', '['.repeat(3_000_000)],
    ['YAML of keys in keys', 'application/yaml', '? '.repeat(5_000)],
  ])('%s that is nested without end is a 400', async (_name, type, body) => {
    expect((await post(type, body)).status).toBe(400);
  });

  test('CBOR, as an object and as an apply', async () => {
    const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'cbor' }, data: { k: 'v' } };
    const created = await post('application/cbor', encodeCbor(object));
    expect(created.status).toBe(201);
    const path = '/api/v1/namespaces/bodies/configmaps/cbor';
    const applied = await read({
      method: 'PATCH',
      path: `${path}?fieldManager=me&force=true`,
      contentType: 'application/apply-patch+cbor',
      accept: 'application/cbor',
      body: encodeCbor({ ...object, data: { k: 'w' } }),
    });
    expect(applied).toMatchObject({ status: 200, type: 'application/cbor' });
    expect(decodeCbor(applied.body)).toMatchObject({ kind: 'ConfigMap', data: { k: 'w' } });
    const list = await read({ path: '/api/v1/namespaces/bodies/configmaps', accept: 'application/cbor' });
    expect(decodeCbor(list.body)).toMatchObject({ kind: 'ConfigMapList', items: [{}, {}] });
  });

  test('integers beyond 2^53 survive', async () => {
    const name = 'big';
    const object = `{"kind":"ControllerRevision","apiVersion":"apps/v1","metadata":{"name":"${name}"},"data":{"n":9007199254740993},"revision":9007199254740993}`;
    const path = '/apis/apps/v1/namespaces/bodies/controllerrevisions';
    const made = await read({ method: 'POST', path, contentType: 'application/json', body: Buffer.from(object) });
    expect(made.body.toString()).toContain('"revision":9007199254740993');
    const { body: bytes } = await read({ path: `${path}/${name}`, accept: PROTOBUF });
    expect(codec.decodeObject(bytes)).toMatchObject({ revision: 9007199254740993n, data: { n: 9007199254740993n } });
    for (const query of ['', '?pretty=true']) {
      const text = (await read({ path: `${path}/${name}${query}` })).body.toString();
      expect(text.match(/9007199254740993/g)).toHaveLength(2);
    }
  });
});
