import { describe, expect, test } from 'vitest';
import { run as runProgram } from '../support/run.ts';
import { manifest, ownCluster } from './support.ts';

const kubectl = ownCluster();
const { done, refused, run } = kubectl;

const DEPTH = 20;
/** Fields of a level besides the one that goes deeper; what Crossplane's providers have, and some more. */
const FIELDS = 120;
const DESCRIPTION = 'What the cloud is told about this part of the resource, and what it answers. '.repeat(2);

/** A schema as providers generate them: deep, wide, described, and with a rule here and there. */
function level(depth: number): object {
  const fields: Record<string, object> = {};
  for (let index = 0; index < FIELDS; index++) {
    const type = ['string', 'integer', 'boolean', 'number'][index % 4];
    fields[`field${index}`] = { type, description: DESCRIPTION };
  }
  fields['id'] = { type: 'string', maxLength: 32, default: `level-${depth}` };
  fields['tags'] = { type: 'object', additionalProperties: { type: 'string' }, 'x-kubernetes-map-type': 'granular' };
  if (depth > 0) {
    fields['inner'] = level(depth - 1);
    const item = {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, size: { type: 'integer' } },
    };
    fields['parts'] = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: item,
    };
  }
  const validations = [{ rule: "self.id != 'forbidden'", message: 'a forbidden id' }];
  return { type: 'object', properties: fields, 'x-kubernetes-validations': validations };
}

interface Versions {
  readonly name: string;
  readonly storage: boolean;
}

function definition(
  plural: string,
  kind: string,
  { depth, versions }: { depth: number; versions: Versions[] },
): string {
  const openAPIV3Schema = { type: 'object', properties: { spec: level(depth) } };
  return manifest('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `${plural}.cloud.example.com`, {
    spec: {
      group: 'cloud.example.com',
      scope: 'Cluster',
      names: { plural, singular: kind.toLowerCase(), kind, categories: ['cloud'] },
      versions: versions.map((version) => ({ ...version, served: true, schema: { openAPIV3Schema } })),
    },
  });
}

const V1 = [{ name: 'v1', storage: true }];
const LARGE = definition('databases', 'Database', { depth: DEPTH, versions: V1 });
const inner = (depth: number): string => `.spec${'.inner'.repeat(depth)}`;

/** A spec whose innermost part is given. */
function nested(depth: number, last: object): object {
  return depth === 0 ? last : { inner: nested(depth - 1, last) };
}

describe('a definition of 500 KB that is 20 levels deep', () => {
  test('is too large for client-side apply, and fits server-side apply', async () => {
    expect(LARGE.length).toBeGreaterThan(500_000);
    expect(await refused(['apply', '-f', '-'], LARGE)).toContain(
      'The CustomResourceDefinition "databases.cloud.example.com" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
    );
    expect(await done(['apply', '--server-side', '-f', '-'], LARGE)).toContain('serverside-applied');
    await done(['wait', '--for=condition=Established', 'crd/databases.cloud.example.com', '--timeout=20s']);
    expect(await done(['apply', '--server-side', '-f', '-'], LARGE)).toContain('serverside-applied');
    expect((await run(['diff', '--server-side', '-f', '-'], LARGE)).stdout).toBe('');
  });

  test('defaults, validates and explains down to its last level', async () => {
    const deep = (last: object) =>
      manifest('cloud.example.com/v1', 'Database', 'deep', { spec: nested(DEPTH, { ...last, tags: { a: 'b' } }) });
    await done(['apply', '-f', '-'], deep({ field1: 7 }));
    const path = `-o=jsonpath={${inner(DEPTH)}.id} {${inner(DEPTH)}.tags.a} {.spec.inner.id}`;
    expect(await done(['get', 'database', 'deep', path])).toBe('level-0 b level-19');
    expect(await refused(['apply', '-f', '-'], deep({ field1: 'text' }))).toContain(
      `${inner(DEPTH).slice(1)}.field1 in body must be of type integer: "string"`,
    );
    expect(await refused(['apply', '-f', '-'], deep({ id: 'forbidden' }))).toContain(
      `${inner(DEPTH).slice(1)}: Invalid value: a forbidden id`,
    );
    expect(await refused(['apply', '-f', '-'], deep({ nothing: 1 }))).toContain(
      `unknown field "${inner(DEPTH).slice(1)}.nothing"`,
    );
    expect(await done(['explain', `databases${inner(DEPTH)}.field0`])).toContain('What the cloud is told');
    const recursive = await done(['explain', 'databases', '--recursive']);
    expect(recursive.match(/field117\t<integer>/g)).toHaveLength(DEPTH + 1);
    const apply = ['apply', '--server-side', '--field-manager=parts', '-f', '-'];
    const parts = { spec: { parts: [{ name: 'a', size: 1 }] } };
    await done(apply, manifest('cloud.example.com/v1', 'Database', 'deep', parts));
    expect(await done(['get', 'database', 'deep', '-o=jsonpath={.spec.parts[0].size}'])).toBe('1');
  });
});

describe('the life of a definition', () => {
  const versioned = (versions: Versions[]) => definition('caches', 'Cache', { depth: 0, versions });
  const cache = (version: string, name: string) =>
    manifest(`cloud.example.com/${version}`, 'Cache', name, { spec: { field0: version } });
  const isStored = (isV2: boolean) => [
    { name: 'v1', storage: !isV2 },
    { name: 'v2', storage: isV2 },
  ];
  const storedVersions = () => done(['get', 'crd', 'caches.cloud.example.com', '-o=jsonpath={.status.storedVersions}']);

  test('gains a version, stores in it, and loses the old one when nothing is stored in it', async () => {
    await done(['apply', '-f', '-'], versioned(V1));
    await done(['wait', '--for=condition=Established', 'crd/caches.cloud.example.com', '--timeout=20s']);
    await done(['create', '-f', '-'], cache('v1', 'old'));
    await done(['apply', '-f', '-'], versioned(isStored(true)));
    expect(await storedVersions()).toBe('["v1","v2"]');
    await done(['create', '-f', '-'], cache('v2', 'new'));
    for (const version of ['v1', 'v2']) {
      const seen = await done(['get', `caches.${version}.cloud.example.com`, '-o=jsonpath={.items[*].apiVersion}']);
      expect(seen).toBe(`cloud.example.com/${version} cloud.example.com/${version}`);
    }
    const onlyV2 = versioned([{ name: 'v2', storage: true }]);
    expect(await refused(['apply', '-f', '-'], onlyV2)).toContain(
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, ' +
        'and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
    );
    await done(['annotate', 'caches', '--all', 'migrated=yes']);
    const status = '{"status":{"storedVersions":["v2"]}}';
    await done(['patch', 'crd', 'caches.cloud.example.com', '--subresource=status', '--type=merge', '-p', status]);
    await done(['apply', '-f', '-'], onlyV2);
    expect(await done(['get', 'caches', '-o=jsonpath={.items[*].spec.field0}'])).toBe('v2 v1');
  });

  test('objects are pruned by apply --prune and by an apply set', async () => {
    const labelled = (name: string) =>
      JSON.stringify({
        apiVersion: 'cloud.example.com/v2',
        kind: 'Cache',
        metadata: { name, labels: { app: 'pruned' } },
      });
    const prune = ['apply', '-f', '-', '--prune', '-l', 'app=pruned', '--prune-allowlist=cloud.example.com/v2/Cache'];
    await done(prune, `${labelled('keep')}\n---\n${labelled('prune')}`);
    expect(await done(prune, labelled('keep'))).toContain('cache.cloud.example.com/prune pruned');
    const apply = (input: string) => {
      const { path, env } = kubectl.cluster.kubectl;
      const args = ['apply', '-f', '-', '--prune', '--applyset=configmaps/set', '-n', 'default'];
      return runProgram(path, args, { input, env: { ...env, KUBECTL_APPLYSET: 'true' } });
    };
    const set = async (...names: string[]) => {
      const { code, stdout, stderr } = await apply(names.map((name) => cache('v2', name)).join('---\n'));
      expect(code, stderr).toBe(0);
      return stdout;
    };
    expect(await set('one', 'two')).toContain('cache.cloud.example.com/two created');
    expect(await set('one')).toContain('cache.cloud.example.com/two pruned');
  });

  test('waits for objects with finalizers, and takes all others with it', async () => {
    await done(['patch', 'cache', 'old', '--type=merge', '-p', '{"metadata":{"finalizers":["example.com/hold"]}}']);
    await done(['delete', 'crd', 'caches.cloud.example.com', '--wait=false']);
    const condition = '-o=jsonpath={.status.conditions[?(@.type=="Terminating")].status}';
    expect(await done(['get', 'crd', 'caches.cloud.example.com', condition])).toBe('True');
    expect(await refused(['create', '-f', '-'], cache('v2', 'late'))).toContain(
      'create not allowed while custom resource definition is terminating',
    );
    await done(['patch', 'cache', 'old', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await done(['wait', '--for=delete', 'crd/caches.cloud.example.com', '--timeout=20s']);
    expect(await done(['api-resources', '--categories=cloud', '-o', 'name'])).toBe('databases.cloud.example.com\n');
  });
});
