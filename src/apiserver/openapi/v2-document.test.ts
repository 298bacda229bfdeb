import { describe, expect, test } from 'vitest';
import { ResourceRegistry } from '#api/registry/registry.ts';
import type { CustomRules, ResourceDefinition } from '#api/registry/resource.ts';
import { builtinSchemas } from '#api/schema/load.ts';
import { decodeJson } from '#machinery/codec/json.ts';
import type { ApiRequest, RequestContext } from '../pipeline/types.ts';
import { OpenApi } from './openapi.ts';

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

/** A registry with the built-in kinds, a document server, and how often schemas of custom resources were asked for. */
function setUp() {
  const registry = new ResourceRegistry();
  const asked: string[] = [];
  let pauses = 0;
  const executor = {
    shouldPause: () => true,
    pause: () => {
      pauses += 1;
      return Promise.resolve();
    },
  };
  const openApi = new OpenApi({
    registry,
    schemas: builtinSchemas(),
    descriptions: () => Promise.resolve({}),
    executor,
  });
  const template = registry.byResource('', 'v1', 'configmaps');
  if (template === undefined) throw new Error('no ConfigMaps');
  const define = (plural: string, description: string): void => {
    const kind = plural.slice(0, 1).toUpperCase() + plural.slice(1, -1);
    const publishedSchema = () => {
      asked.push(plural);
      return { description, type: 'object', properties: {} };
    };
    const definition: ResourceDefinition = {
      ...template,
      group: 'example.com',
      resource: plural,
      kind,
      listKind: `${kind}List`,
      schemaName: `com.example.v1.${kind}`,
      isCustom: true,
      // Safe: the documents read nothing else of it.
      custom: { fingerprint: description, publishedSchema } as unknown as CustomRules,
    };
    registry.add(definition);
  };
  const read = async (accept = 'application/json', ifNoneMatch?: string) => {
    const headers = { accept, ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }) };
    // Safe: serving looks at nothing else.
    const request = { headers, query: new URLSearchParams() } as unknown as ApiRequest;
    const response = await openApi.serveV2({ request, info: { path: '/openapi/v2' } } as RequestContext);
    if (response.type !== 'bytes') throw new Error('the document is not bytes');
    return { status: response.status, etag: response.headers['etag'] ?? '', body: Buffer.concat(response.body) };
  };
  return { registry, asked, define, read, pauses: () => pauses };
}

describe('the OpenAPI v2 document', () => {
  test('has each name once', async () => {
    const { define, read } = setUp();
    define('foos', 'a foo');
    const { value, duplicates } = decodeJson((await read()).body);
    expect(duplicates).toEqual([]);
    expect(value).toMatchObject({
      swagger: '2.0',
      paths: { '/apis/': {}, '/apis/example.com/v1/': {}, '/apis/example.com/v1/namespaces/{namespace}/foos': {} },
      definitions: { 'com.example.v1.Foo': { description: 'a foo' }, 'com.example.v1.FooList': {} },
      security: [{ BearerToken: [] }],
    });
  });

  test.each([['application/json'], [PROTOBUF]])('is made anew only where something changed: %s', async (accept) => {
    const { asked, define, read, registry, pauses } = setUp();
    define('foos', 'a foo');
    define('bars', 'a bar');
    const first = await read(accept);
    expect(asked).toEqual(['foos', 'bars']);
    expect(pauses()).toBeGreaterThan(0);
    define('bars', 'another bar');
    const second = await read(accept);
    expect(asked).toEqual(['foos', 'bars', 'bars']);
    expect(second.etag).not.toBe(first.etag);
    expect(second.body.includes('another bar')).toBe(true);
    expect((await read(accept, second.etag)).status).toBe(304);
    registry.remove('example.com', 'v1', 'bars');
    const third = await read(accept);
    expect(asked).toHaveLength(3);
    expect(third.body.includes('another bar')).toBe(false);
    expect(third.body.includes('a foo')).toBe(true);
  });

  test('does not tell in which order definitions came', async () => {
    const [one, other] = [setUp(), setUp()];
    one.define('foos', 'a foo');
    one.define('bars', 'a bar');
    other.define('bars', 'a bar');
    other.define('foos', 'a foo');
    expect((await one.read()).etag).toBe((await other.read()).etag);
  });
});
