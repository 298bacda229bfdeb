import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  MUTATING_ADMISSION_POLICIES,
  MUTATING_ADMISSION_POLICY_BINDINGS,
  NAMESPACES,
  VALIDATING_ADMISSION_POLICIES,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
} from '#api/generated/resources.ts';
import type {
  MutatingAdmissionPolicyBindingSpec,
  MutatingAdmissionPolicySpec,
  Mutation,
  RuleWithOperations,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

interface Ship extends KubeObject {
  spec?: { size?: number; sails?: { name: string; area?: number }[]; flags?: string[] };
}

const resource = (version: string): ResourceType<Ship> => ({
  group: 'sea.example.com',
  version,
  resource: 'ships',
  kind: 'Ship',
  namespaced: true,
});
const [SHIPS, SHIPS_V2] = [resource('v1'), resource('v2')];

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        sails: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, area: { type: 'integer' } },
          },
        },
        flags: { type: 'array', items: { type: 'string' } },
      },
    },
  },
};

const ADMISSION = { apiVersion: 'admissionregistration.k8s.io/v1' as const };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({ nodes: 0, seed: 'policies' });
  await cluster.client.create(CUSTOM_RESOURCE_DEFINITIONS, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'ships.sea.example.com' },
    spec: {
      group: 'sea.example.com',
      scope: 'Namespaced',
      names: { plural: 'ships', singular: 'ship', kind: 'Ship' },
      versions: ['v1', 'v2'].map((name) => ({
        name,
        served: true,
        storage: name === 'v1',
        schema: { openAPIV3Schema: SCHEMA },
      })),
    },
  });
  await cluster.settle();
});
afterAll(() => cluster.stop());

const ship = (name: string, label: string, spec: Ship['spec'] = {}, version = 'v1'): Ship => ({
  apiVersion: `sea.example.com/${version}`,
  kind: 'Ship',
  metadata: { name, namespace: 'default', labels: { test: label } },
  spec,
});

const rule = (group: string, version: string, resources: string[]): RuleWithOperations => ({
  apiGroups: [group],
  apiVersions: [version],
  operations: ['*'],
  resources,
});
const SHIP_RULE = rule('sea.example.com', 'v1', ['ships']);

const ofTest = (label: string, rules = [SHIP_RULE]) => ({
  resourceRules: rules,
  objectSelector: { matchLabels: { test: label } },
});

async function validate(
  name: string,
  spec: ValidatingAdmissionPolicySpec,
  binding: Partial<ValidatingAdmissionPolicyBindingSpec> = {},
): Promise<void> {
  const kind = 'ValidatingAdmissionPolicy';
  const metadata = { name };
  await cluster.client.create(VALIDATING_ADMISSION_POLICIES, { ...ADMISSION, kind, metadata, spec });
  await cluster.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, {
    ...ADMISSION,
    kind: `${kind}Binding`,
    metadata,
    spec: { policyName: name, validationActions: ['Deny'], ...binding },
  });
}

async function mutate(
  name: string,
  spec: MutatingAdmissionPolicySpec,
  binding: Partial<MutatingAdmissionPolicyBindingSpec> = {},
): Promise<void> {
  const kind = 'MutatingAdmissionPolicy';
  const metadata = { name };
  const base = { failurePolicy: 'Fail', reinvocationPolicy: 'Never' };
  await cluster.client.create(MUTATING_ADMISSION_POLICIES, {
    ...ADMISSION,
    kind,
    metadata,
    spec: { ...base, ...spec },
  });
  await cluster.client.create(MUTATING_ADMISSION_POLICY_BINDINGS, {
    ...ADMISSION,
    kind: `${kind}Binding`,
    metadata,
    spec: { policyName: name, ...binding },
  });
}

const apply = (expression: string): Mutation => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: { expression },
});
const patch = (expression: string): Mutation => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

const saying = (text: string): unknown => expect.stringContaining(text);

test('a custom resource is parameter and target', async () => {
  await cluster.client.create(SHIPS, ship('limit', 'none', { size: 5 }));
  await validate(
    'sizes',
    {
      paramKind: { apiVersion: 'sea.example.com/v1', kind: 'Ship' },
      matchConstraints: ofTest('sizes'),
      validations: [
        {
          expression: 'object.spec.size <= params.spec.size',
          messageExpression: "'at most ' + string(params.spec.size) + ' as ' + params.metadata.name + ' has it'",
        },
      ],
    },
    { paramRef: { name: 'limit', namespace: 'default', parameterNotFoundAction: 'Deny' } },
  );
  await cluster.client.create(SHIPS, ship('fits', 'sizes', { size: 5 }));
  await expect(cluster.client.create(SHIPS, ship('large', 'sizes', { size: 6 }))).rejects.toMatchObject({
    code: 422,
    message: saying('ships.sea.example.com "large" is forbidden: ValidatingAdmissionPolicy \'sizes\''),
  });
  await expect(cluster.client.create(SHIPS_V2, ship('other', 'sizes', { size: 7 }, 'v2'))).rejects.toMatchObject({
    message: saying('at most 5 as limit has it'),
  });
});

test('Exact looks at the version of the rule only, and excluded rules win', async () => {
  const validations = [{ expression: "object.apiVersion != 'sea.example.com/v1'", message: 'never' }];
  await validate('exact', { matchConstraints: { ...ofTest('exact'), matchPolicy: 'Exact' }, validations });
  await validate('excluded', {
    matchConstraints: { ...ofTest('excluded'), excludeResourceRules: [{ ...SHIP_RULE, resourceNames: ['free'] }] },
    validations,
  });
  await cluster.client.create(SHIPS_V2, ship('exact', 'exact', {}, 'v2'));
  await expect(cluster.client.create(SHIPS, ship('exact-1', 'exact'))).rejects.toMatchObject({ code: 422 });
  await cluster.client.create(SHIPS, ship('free', 'excluded'));
  await expect(cluster.client.create(SHIPS, ship('bound', 'excluded'))).rejects.toMatchObject({ code: 422 });
});

test('an apply configuration merges lists of a custom resource by their keys, in whatever version', async () => {
  await mutate('sails', {
    matchConstraints: ofTest('sails'),
    mutations: [apply('Object{spec: Object.spec{sails: [Object.spec.sails{name: "main", area: 9}]}}')],
  });
  const sails = [{ name: 'main', area: 1 }, { name: 'jib' }];
  const made = await cluster.client.create(SHIPS, ship('sails', 'sails', { sails }));
  expect(made.spec).toEqual({ sails: [{ name: 'main', area: 9 }, { name: 'jib' }] });
  const other = await cluster.client.create(SHIPS_V2, ship('sails-2', 'sails', { sails }, 'v2'));
  expect([other.apiVersion, other.spec?.sails?.[0]]).toEqual(['sea.example.com/v2', { name: 'main', area: 9 }]);
});

test('an apply configuration changes nothing that is owned as a whole, nor what the schema does not know', async () => {
  await mutate('flags', {
    matchConstraints: ofTest('flags'),
    mutations: [apply('Object{spec: Object.spec{flags: ["red"]}}')],
  });
  await expect(cluster.client.create(SHIPS, ship('flags', 'flags'))).rejects.toMatchObject({
    code: 403,
    status: {
      reason: 'Invalid',
      message:
        "policy 'flags' with binding 'flags' denied request: error applying patch: invalid ApplyConfiguration: " +
        'may not mutate atomic arrays, maps or structs: .spec.flags',
    },
  });
  await mutate('unknown', {
    matchConstraints: ofTest('unknown'),
    mutations: [apply('Object{spec: Object.spec{rudder: 1}}')],
  });
  await expect(cluster.client.create(SHIPS, ship('unknown', 'unknown'))).rejects.toMatchObject({
    message: saying(
      'error applying patch: failed to convert patch object to typed object: .spec.rudder: field not declared in schema',
    ),
  });
});

test('a JSON patch whose test does not hold changes nothing', async () => {
  await mutate('tested', {
    matchConstraints: ofTest('tested'),
    mutations: [
      patch(
        '[JSONPatch{op: "test", path: "/spec/size", value: 1}, JSONPatch{op: "replace", path: "/spec/size", value: 2}]',
      ),
    ],
  });
  expect((await cluster.client.create(SHIPS, ship('one', 'tested', { size: 1 }))).spec?.size).toBe(2);
  expect((await cluster.client.create(SHIPS, ship('three', 'tested', { size: 3 }))).spec?.size).toBe(3);
});

test('mutations see what those before them made, and run again where they may', async () => {
  const size = 'object.spec.size';
  await mutate('a-again', {
    matchConstraints: ofTest('again'),
    reinvocationPolicy: 'IfNeeded',
    mutations: [apply(`Object{metadata: Object.metadata{annotations: {"seen": string(${size})}}}`)],
  });
  await mutate('b-once', {
    matchConstraints: ofTest('again'),
    mutations: [
      apply(`Object{spec: Object.spec{size: ${size} + 1}}`),
      apply(`Object{spec: Object.spec{size: ${size} * 10}}`),
    ],
  });
  const made = await cluster.client.create(SHIPS, ship('again', 'again', { size: 1 }));
  expect([made.spec?.size, made.metadata.annotations]).toEqual([20, { seen: '20' }]);
});

test('Warn and Audit do not refuse, not even where a condition fails', async () => {
  await validate(
    'warned',
    {
      matchConstraints: ofTest('warned'),
      matchConditions: [{ name: 'broken', expression: 'object.spec.none == 1' }],
      validations: [{ expression: 'false' }],
    },
    { validationActions: ['Warn', 'Audit'] },
  );
  expect((await cluster.client.create(SHIPS, ship('warned', 'warned'))).metadata.name).toBe('warned');
});

test('an audit annotation that fails refuses, one that is empty says nothing', async () => {
  const validations = [{ expression: 'true' }];
  await validate('audit', {
    matchConstraints: ofTest('audit'),
    validations,
    auditAnnotations: [
      { key: 'size', valueExpression: "object.spec.size > 3 ? 'large ' + string(object.spec.size) : ''" },
    ],
  });
  await cluster.client.create(SHIPS, ship('small', 'audit', { size: 1 }));
  await cluster.client.create(SHIPS, ship('large', 'audit', { size: 4 }));
  await expect(cluster.client.create(SHIPS, ship('none', 'audit'))).rejects.toMatchObject({
    message: saying('no such key: size'),
  });
});

test('an expression that costs too much fails', async () => {
  const validations = [{ expression: 'range.all(a, range.all(b, range.all(c, a + b + c >= 0)))' }];
  const range = `[${Array.from({ length: 300 }, (_, index) => index).join(',')}]`;
  await validate('costly', {
    matchConstraints: ofTest('costly'),
    validations: validations.map(({ expression }) => ({ expression: expression.replaceAll('range', range) })),
  });
  await expect(cluster.client.create(SHIPS, ship('costly', 'costly'))).rejects.toMatchObject({
    code: 422,
    message: saying('cost'),
  });
});

test('subresources are matched by name and speak their own kind', async () => {
  await validate('scales', {
    matchConstraints: { resourceRules: [rule('apps', 'v1', ['deployments/scale'])] },
    validations: [{ expression: "object.kind == 'Scale' && object.spec.replicas < 5", message: 'too many' }],
  });
  const labels = { app: 'web' };
  const container = { name: 'web', image: 'web' };
  await cluster.client.create(DEPLOYMENTS, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 9,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  });
  const scale = (replicas: number) =>
    cluster.client.patch(
      DEPLOYMENTS,
      { name: 'web', namespace: 'default' },
      { type: 'merge', body: { spec: { replicas } } },
      { subresource: 'scale' },
    );
  await expect(scale(7)).rejects.toMatchObject({ code: 422, message: saying('too many') });
  await scale(4);
  await mutate('doubles', {
    matchConstraints: { resourceRules: [rule('apps', 'v1', ['deployments/scale'])] },
    matchConditions: [{ name: 'changed', expression: 'object.spec.replicas != oldObject.spec.replicas' }],
    mutations: [apply('Object{spec: Object.spec{replicas: object.spec.replicas * 2}}')],
  });
  await scale(1);
  const { spec } = await cluster.client.get(DEPLOYMENTS, { name: 'web', namespace: 'default' });
  expect(spec?.replicas).toBe(2);
});

test('of a Namespace there is no namespace around it', async () => {
  await validate('namespaces', {
    matchConstraints: ofTest('namespaces', [rule('', 'v1', ['namespaces', 'configmaps'])]),
    validations: [{ expression: "object.kind == 'Namespace' ? namespaceObject == null : namespaceObject != null" }],
  });
  const labels = { test: 'namespaces' };
  await cluster.client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'sea', labels },
    spec: {},
  });
  const metadata = { name: 'map', namespace: 'sea', labels };
  const made = await cluster.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
  expect(made.metadata.namespace).toBe('sea');
});

test('a message does not depend on what the user may do', async () => {
  const messageExpression = "string(authorizer.group('').resource('pods').check('get').allowed())";
  await expect(
    validate('message', {
      matchConstraints: ofTest('message'),
      validations: [{ expression: 'true', messageExpression }],
    }),
  ).rejects.toMatchObject({
    code: 422,
    message: saying('undeclared reference to'),
  });
  const expression = "authorizer.group('').resource('pods').check('get').allowed()";
  await validate('rights', { matchConstraints: ofTest('rights'), validations: [{ expression }] });
});
