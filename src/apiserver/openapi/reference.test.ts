import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { FeatureGates } from '#api/features/feature-gates.ts';
import { builtinResources, ResourceRegistry } from '#api/registry/registry.ts';
import { builtinSchemas } from '#api/schema/load.ts';
import type { ApiRequest, RequestContext } from '../pipeline/types.ts';
import { OpenApi } from './openapi.ts';

type Json = Record<string, unknown>;

/**
 * Names, types, extensions, operations and parameters of the official OpenAPI v2 document of Kubernetes 1.36
 * (Apache-2.0, The Kubernetes Authors), without its sentences and without the media types of CBOR, which is off.
 */
const FACTS = new URL('./testdata/openapi-v2-facts.json.gz', import.meta.url);
// Alpha: a parameter of sharded lists and watches.
const NOT_SERVED_PARAMETER = 'shardSelector-Kgyki_3_';

let reference: Json;
let served: Json;

beforeAll(async () => {
  // Safe: both are JSON objects.
  reference = withoutShards(JSON.parse(gunzipSync(readFileSync(FACTS)).toString())) as Json;
  const gates = new FeatureGates({ AllAlpha: true, AllBeta: true });
  const registry = new ResourceRegistry(builtinResources({ runtimeConfig: { 'api/all': 'true' }, gates }));
  const openApi = new OpenApi({ registry, schemas: builtinSchemas(), descriptions: () => Promise.resolve({}) });
  const request = { headers: {}, query: new URLSearchParams() } as unknown as ApiRequest;
  const response = await openApi.serveV2({ request, info: { path: '/openapi/v2' } } as RequestContext);
  if (response.type !== 'bytes') throw new Error('the document is not bytes');
  served = JSON.parse(Buffer.concat(response.body).toString()) as Json;
});

describe('the served OpenAPI v2 document and the official one', () => {
  test('have the same paths with the same operations', () => {
    expect(differences(reference['paths'], served['paths'], 'paths')).toEqual([]);
  });

  test('have the same definitions', () => {
    expect(differences(reference['definitions'], served['definitions'], 'definitions')).toEqual([]);
  });

  test('share the same parameters and say the same of security', () => {
    for (const key of ['parameters', 'security', 'securityDefinitions', 'swagger']) {
      expect(differences(reference[key], served[key], key)).toEqual([]);
    }
  });
});

/** Where two documents differ; the server adds enums, and `required` has no order. */
function differences(expected: unknown, actual: unknown, path: string): string[] {
  if (isObject(expected) && isObject(actual)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
    return [...keys].flatMap((key) => {
      if ((key === 'enum' || key === 'description') && expected[key] === undefined) return [];
      const [a, b] = key === 'required' ? [sorted(expected[key]), sorted(actual[key])] : [expected[key], actual[key]];
      return differences(a, b, `${path}/${key}`);
    });
  }
  const [a, b] = [JSON.stringify(expected), JSON.stringify(actual)];
  if (a === b) return [];
  if (!Array.isArray(expected) || !Array.isArray(actual)) return [`${path}: expected ${short(a)}, served ${short(b)}`];
  const length = Math.max(expected.length, actual.length);
  return Array.from({ length }, (_, index) => differences(expected[index], actual[index], `${path}/${index}`)).flat();
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value.toSorted() : value;
}

function short(text: string | undefined): string {
  return text === undefined ? 'nothing' : text.slice(0, 80);
}

function withoutShards(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !(isObject(item) && item['$ref'] === `#/parameters/${NOT_SERVED_PARAMETER}`))
      .map(withoutShards);
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== NOT_SERVED_PARAMETER)
      .map(([key, item]) => [key, withoutShards(item)]),
  );
}
