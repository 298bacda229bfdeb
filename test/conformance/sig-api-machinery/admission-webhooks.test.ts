import { afterAll, beforeAll, expect } from 'vitest';
import { ApiError } from '../support/api.ts';
import { conformanceTest as officialTest, type Scene } from '../support/conformance-test.ts';
import { DEFINITIONS, kindFrom, newDefinition, serve } from '../support/custom-resources.ts';
import { eventually } from '../support/eventually.ts';
import { CONFIG_MAPS, type JsonObject, kindOf, PODS } from '../support/kinds.ts';
import { kubectl } from '../support/kubectl.ts';
import {
  canMakeCertificates,
  patching,
  type ReviewRequest,
  type Webhook,
  WebhookServer,
} from '../support/webhook-server.ts';

// The official tests run their webhook as a pod behind a service. Here it is a server of the test at a loopback address:
// the server under test must be on the same machine, and the way through services is not part of these tests.

const ADMISSION = 'admissionregistration.k8s.io/v1';
const TITLE = '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin]';

type Flavour = 'Mutating' | 'Validating';

const configurations = (flavour: Flavour) =>
  kindOf<JsonObject>(ADMISSION, `${flavour}WebhookConfiguration`, `${flavour.toLowerCase()}webhookconfigurations`);

let outside: WebhookServer;
const lacks = canMakeCertificates() ? undefined : 'openssl';
beforeAll(async () => {
  if (lacks === undefined) outside = await WebhookServer.start();
});
afterAll(() => (lacks === undefined ? outside[Symbol.asyncDispose]() : undefined));

function conformanceTest(name: string, body: (scene: Scene) => Promise<void>): void {
  officialTest(name, body, { lacks });
}

const MAPS = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };

interface Hook {
  readonly rules: readonly object[];
  readonly [field: string]: unknown;
}

function hookOf({ namespace, unique }: Scene, webhook: Webhook, hook: Hook): Record<string, unknown> {
  const name = unique('hook');
  return {
    name: `${name}.k8s.io`,
    clientConfig: outside.serve(name, webhook),
    sideEffects: 'None',
    admissionReviewVersions: ['v1', 'v1beta1'],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    ...hook,
  };
}

/** Registers a webhook for the test's namespace; it goes after the test. */
async function register(scene: Scene, flavour: Flavour, webhook: Webhook, hook: Hook): Promise<string> {
  const { api, after, unique } = scene;
  const name = unique('webhooks');
  const labels = { test: scene.namespace };
  await api
    .of(configurations(flavour))
    .create({ metadata: { name, labels }, webhooks: [hookOf(scene, webhook, hook)] });
  after(() => api.of(configurations(flavour)).delete(name));
  return name;
}

async function refusalOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ApiError) return error.status.message ?? '';
    throw error;
  }
  throw new Error('the request was allowed');
}

const deny: Webhook = () => ({ allowed: false, status: { message: 'this webhook denies all requests', code: 403 } });

const dataOf = ({ object }: ReviewRequest): Record<string, unknown> => {
  const data = object?.['data'];
  // Safe: the data of the test's objects are objects.
  return (data ?? {}) as Record<string, unknown>;
};

const denyUnwanted: Webhook = (request) => {
  const data = dataOf({ ...request, object: request.object ?? request.oldObject });
  const isUnwanted = data['webhook-e2e-test'] === 'webhook-disallow';
  return isUnwanted
    ? { allowed: false, status: { message: 'the object contains unwanted key and value' } }
    : { allowed: true };
};

const mapOf = (scene: Scene, data: Record<string, string>) => ({ metadata: { name: scene.unique('map') }, data });

conformanceTest(`${TITLE} should include webhook resources in discovery documents [Conformance]`, async ({ api }) => {
  const groups = await api.call<{ groups: { name: string; versions: { version: string }[] }[] }>('GET', '/apis');
  const group = groups.groups.find(({ name }) => name === 'admissionregistration.k8s.io');
  expect(group?.versions.map(({ version }) => version)).toContain('v1');
  const own = await api.call<JsonObject>('GET', '/apis/admissionregistration.k8s.io');
  expect(own).toMatchObject({ kind: 'APIGroup', name: 'admissionregistration.k8s.io' });
  const list = await api.call<{ resources: { name: string }[] }>('GET', `/apis/${ADMISSION}`);
  const names = list.resources.map(({ name }) => name);
  expect(names).toContain('mutatingwebhookconfigurations');
  expect(names).toContain('validatingwebhookconfigurations');
});

conformanceTest(`${TITLE} should be able to deny pod and configmap creation [Conformance]`, async (scene) => {
  const { api, namespace } = scene;
  const rules = [{ ...MAPS, operations: ['CREATE', 'UPDATE'] }];
  await register(scene, 'Validating', denyUnwanted, { rules });
  const podRules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
  const message = 'the pod contains unwanted container name; the pod contains unwanted label';
  await register(scene, 'Validating', () => ({ allowed: false, status: { message } }), { rules: podRules });
  const pod = {
    metadata: { name: scene.unique('pod'), labels: { 'webhook-e2e-test': 'webhook-disallow' } },
    spec: { containers: [{ name: 'webhook-disallow', image: 'registry.k8s.io/pause:3.10' }] },
  };
  expect(await refusalOf(api.of(PODS, namespace).create(pod))).toContain(message);
  const maps = api.of(CONFIG_MAPS, namespace);
  const unwanted = { 'webhook-e2e-test': 'webhook-disallow' };
  const refusal = await refusalOf(maps.create(mapOf(scene, unwanted)));
  expect(refusal).toMatch(/^admission webhook ".*" denied the request: the object contains unwanted key and value$/);
  const allowed = mapOf(scene, { fine: 'yes' });
  await maps.create(allowed);
  const patch = maps.patch(allowed.metadata.name, { data: unwanted });
  expect(await refusalOf(patch)).toContain('the object contains unwanted key and value');
});

conformanceTest(`${TITLE} should be able to deny attaching pod [Conformance]`, async (scene) => {
  const { api, namespace, kubeconfig } = scene;
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods/attach'], operations: ['CONNECT'] }];
  const message = "attaching to pod 'to-be-attached-pod' is not allowed";
  let seen: ReviewRequest | undefined;
  const webhook: Webhook = (request) => {
    seen = request;
    return { allowed: false, status: { message } };
  };
  await register(scene, 'Validating', webhook, { rules });
  const pods = api.of(PODS, namespace);
  const containers = [{ name: 'container1', image: 'registry.k8s.io/pause:3.10' }];
  await pods.create({ metadata: { name: 'to-be-attached-pod' }, spec: { containers } });
  await eventually('the pod to run', async () => {
    expect((await pods.get('to-be-attached-pod')).status?.phase).toBe('Running');
  });
  const args = ['attach', `--namespace=${namespace}`, 'to-be-attached-pod', '-i', '-c=container1'];
  const { code, stderr } = await kubectl(kubeconfig, args);
  expect(code).not.toBe(0);
  expect(stderr).toContain(message);
  expect(seen).toMatchObject({
    kind: { kind: 'PodAttachOptions' },
    subResource: 'attach',
    object: { container: 'container1', stdin: true },
  });
});

conformanceTest(
  `${TITLE} should be able to deny custom resource creation, update and deletion [Conformance]`,
  async (scene) => {
    const { api, namespace } = scene;
    const definition = await serve(scene, newDefinition());
    const { group, names } = definition.spec;
    const operations = ['CREATE', 'UPDATE', 'DELETE'];
    const rules = [{ apiGroups: [group], apiVersions: ['*'], resources: [names.plural], operations }];
    await register(scene, 'Validating', denyUnwanted, { rules });
    const objects = api.of(kindFrom(definition), namespace);
    const text = 'the object contains unwanted key and value';
    const unwanted = { data: { 'webhook-e2e-test': 'webhook-disallow' } };
    expect(await refusalOf(objects.create({ metadata: { name: 'one' }, ...unwanted }))).toContain(text);
    await objects.create({ metadata: { name: 'two' }, data: {} });
    expect(await refusalOf(objects.patch('two', unwanted))).toContain(text);
    const undeletable = await register(scene, 'Validating', deny, { rules: [{ ...rules[0], operations: ['DELETE'] }] });
    expect(await refusalOf(objects.delete('two'))).toContain('denies all requests');
    await api.of(configurations('Validating')).delete(undeletable);
    await objects.delete('two');
  },
);

conformanceTest(
  `${TITLE} should unconditionally reject operations on fail closed webhook [Conformance]`,
  async (scene) => {
    const { api, namespace } = scene;
    const rules = [{ ...MAPS, operations: ['CREATE'] }];
    // Without its authority the server cannot tell who it talks to.
    const { url } = outside.serve('fail-closed', () => ({ allowed: true }));
    await register(scene, 'Validating', deny, { rules, clientConfig: { url } });
    const failure = await refusalOf(api.of(CONFIG_MAPS, namespace).create(mapOf(scene, {})));
    expect(failure).toMatch(/^Internal error occurred: failed calling webhook ".*": failed to call webhook: Post /);
  },
);

conformanceTest(`${TITLE} should mutate configmap [Conformance]`, async (scene) => {
  const { api, namespace } = scene;
  const rules = [{ ...MAPS, operations: ['CREATE'] }];
  const stage =
    (from: string, to: string): Webhook =>
    (request) =>
      dataOf(request)[from] === 'yes' ? patching({ op: 'add', path: `/data/${to}`, value: 'yes' }) : { allowed: true };
  const webhooks = [
    hookOf(scene, stage('mutation-start', 'mutation-stage-1'), { rules }),
    hookOf(scene, stage('mutation-stage-1', 'mutation-stage-2'), { rules }),
  ];
  const name = scene.unique('webhooks');
  await api.of(configurations('Mutating')).create({ metadata: { name }, webhooks });
  scene.after(() => api.of(configurations('Mutating')).delete(name));
  const made = await api.of(CONFIG_MAPS, namespace).create(mapOf(scene, { 'mutation-start': 'yes' }));
  expect(made.data).toEqual({ 'mutation-start': 'yes', 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' });
});

conformanceTest(`${TITLE} should mutate pod and apply defaults after mutation [Conformance]`, async (scene) => {
  const { api, namespace } = scene;
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
  const init = { image: 'webhook-added-image', name: 'webhook-added-init-container', resources: {} };
  await register(scene, 'Mutating', () => patching({ op: 'add', path: '/spec/initContainers', value: [init] }), {
    rules,
  });
  const spec = { containers: [{ name: 'example', image: 'registry.k8s.io/pause:3.10' }] };
  const pod = await api.of(PODS, namespace).create({ metadata: { name: 'webhook-to-be-mutated' }, spec });
  expect(pod.spec?.initContainers).toHaveLength(1);
  expect(pod.spec?.initContainers?.[0]).toMatchObject({
    name: 'webhook-added-init-container',
    terminationMessagePolicy: 'File',
  });
});

conformanceTest(
  `${TITLE} should not be able to mutate or prevent deletion of webhook configuration objects [Conformance]`,
  async (scene) => {
    const { api } = scene;
    const resources = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'];
    const rules = [{ apiGroups: ['admissionregistration.k8s.io'], apiVersions: ['*'], resources, operations: ['*'] }];
    await register(scene, 'Validating', deny, { rules, namespaceSelector: {} });
    const change = patching({ op: 'add', path: '/metadata/labels', value: { 'mutated-by': 'webhook' } });
    await register(scene, 'Mutating', () => change, { rules, namespaceSelector: {} });
    for (const flavour of ['Validating', 'Mutating'] as const) {
      const name = scene.unique('dummy');
      const dummy = hookOf(scene, deny, { rules: [{ ...MAPS, operations: ['CREATE'] }] });
      const made = await api.of(configurations(flavour)).create({ metadata: { name }, webhooks: [dummy] });
      expect(made.metadata?.labels?.['mutated-by']).toBeUndefined();
      await api.of(configurations(flavour)).delete(name);
    }
  },
);

async function mutateCustom(scene: Scene, webhook: Webhook, schema?: Record<string, unknown>): Promise<JsonObject> {
  const { api, namespace } = scene;
  const definition = await serve(scene, newDefinition(schema === undefined ? {} : { schema }));
  const { group, names } = definition.spec;
  const rules = [{ apiGroups: [group], apiVersions: ['v1'], resources: [names.plural], operations: ['CREATE'] }];
  await register(scene, 'Mutating', webhook, { rules });
  const objects = api.of(kindFrom(definition), namespace);
  return objects.create({ metadata: { name: 'cr' }, data: { 'mutation-start': 'yes' } });
}

const stageOne: Webhook = (request) =>
  dataOf(request)['mutation-start'] === 'yes'
    ? patching({ op: 'add', path: '/data/mutation-stage-1', value: 'yes' })
    : { allowed: true };

conformanceTest(`${TITLE} should mutate custom resource [Conformance]`, async (scene) => {
  const made = await mutateCustom(scene, stageOne);
  expect(made['data']).toEqual({ 'mutation-start': 'yes', 'mutation-stage-1': 'yes' });
});

conformanceTest(`${TITLE} should mutate custom resource with pruning [Conformance]`, async (scene) => {
  const known = { 'mutation-start': { type: 'string' }, 'mutation-stage-2': { type: 'string' } };
  const schema = { type: 'object', properties: { data: { type: 'object', properties: known } } };
  expect((await mutateCustom(scene, stageOne, schema))['data']).toEqual({ 'mutation-start': 'yes' });
});

conformanceTest(`${TITLE} should mutate custom resource with different stored version [Conformance]`, async (scene) => {
  const { api, namespace } = scene;
  const versions = [
    { name: 'v1', storage: true },
    { name: 'v2', storage: false },
  ];
  const definition = await serve(scene, newDefinition({ versions }));
  const { group, names } = definition.spec;
  const rules = [{ apiGroups: [group], apiVersions: ['v1', 'v2'], resources: [names.plural], operations: ['*'] }];
  const annotate: Webhook = ({ kind, operation }) =>
    operation === 'UPDATE' ? patching({ op: 'add', path: '/data/seen', value: kind.version }) : { allowed: true };
  await register(scene, 'Mutating', annotate, { rules });
  await api.of(kindFrom(definition, 'v1'), namespace).create({ metadata: { name: 'cr' }, data: {} });
  const other = newVersions(definition, 'v2');
  await api.of(DEFINITIONS).patch(definition.metadata?.name ?? '', { spec: { versions: other } });
  const patched = await eventually('the object to be written in the new version', () =>
    api.of(kindFrom(definition, 'v2'), namespace).patch('cr', { data: { dummy: 'value' } }),
  );
  expect(patched).toMatchObject({ apiVersion: `${group}/v2`, data: { dummy: 'value', seen: 'v2' } });
});

function newVersions({ spec }: Awaited<ReturnType<typeof serve>>, stored: string) {
  return spec.versions.map((version) => ({ ...version, storage: version.name === stored }));
}

conformanceTest(`${TITLE} should deny crd creation [Conformance]`, async (scene) => {
  const rules = [
    {
      apiGroups: ['apiextensions.k8s.io'],
      apiVersions: ['*'],
      resources: ['customresourcedefinitions'],
      operations: ['CREATE'],
    },
  ];
  const objectSelector = { matchLabels: { 'e2e-crd': scene.namespace } };
  await register(scene, 'Validating', deny, { rules, namespaceSelector: {}, objectSelector });
  const definition = newDefinition();
  const labels = { 'e2e-crd': scene.namespace };
  const attempt = scene.api.of(DEFINITIONS).create({ ...definition, metadata: { ...definition.metadata, labels } });
  expect(await refusalOf(attempt)).toContain('denies all requests');
});

conformanceTest(`${TITLE} should honor timeout [Conformance]`, async (scene) => {
  const { api, namespace, unique } = scene;
  const rules = [{ ...MAPS, operations: ['CREATE'] }];
  const maps = api.of(CONFIG_MAPS, namespace);
  const slow: Webhook = () => new Promise((resolve) => setTimeout(() => resolve({ allowed: true }), 2_000));
  const attempt = async (hook: Record<string, unknown>): Promise<string | undefined> => {
    const name = unique('webhooks');
    await api.of(configurations('Validating')).create({
      metadata: { name },
      webhooks: [hookOf(scene, slow, { rules, ...hook })],
    });
    try {
      await maps.create(mapOf(scene, {}));
      return undefined;
    } catch (error) {
      return error instanceof ApiError ? error.status.message : String(error);
    } finally {
      await api.of(configurations('Validating')).delete(name);
    }
  };
  expect(await attempt({ timeoutSeconds: 1 })).toContain('context deadline exceeded');
  expect(await attempt({ timeoutSeconds: 1, failurePolicy: 'Ignore' })).toBeUndefined();
  expect(await attempt({ timeoutSeconds: 3 })).toBeUndefined();
  expect(await attempt({})).toBeUndefined();
});

for (const flavour of ['Validating', 'Mutating'] as const) {
  const lower = flavour.toLowerCase();
  const webhook: Webhook =
    flavour === 'Validating'
      ? denyUnwanted
      : () => patching({ op: 'add', path: '/data/mutation-stage-1', value: 'yes' });
  /** Whether the webhook does its work on a map that it is for. */
  const isAtWork = async (scene: Scene): Promise<boolean> => {
    const maps = scene.api.of(CONFIG_MAPS, scene.namespace);
    if (flavour === 'Mutating') {
      return (await maps.create(mapOf(scene, { key: 'value' }))).data?.['mutation-stage-1'] === 'yes';
    }
    const attempt = maps.create(mapOf(scene, { 'webhook-e2e-test': 'webhook-disallow' }));
    return attempt.then(
      () => false,
      () => true,
    );
  };

  conformanceTest(`${TITLE} patching/updating a ${lower} webhook should work [Conformance]`, async (scene) => {
    const hooks = scene.api.of(configurations(flavour));
    const name = await register(scene, flavour, webhook, { rules: [{ ...MAPS, operations: ['CREATE'] }] });
    expect(await isAtWork(scene)).toBe(true);
    const setOperations = (operations: string[]) => (object: JsonObject) => {
      // Safe: what was registered above.
      const [first] = object['webhooks'] as { rules: { operations: string[] }[] }[];
      if (first?.rules[0] !== undefined) first.rules[0].operations = operations;
    };
    await hooks.change(name, setOperations(['UPDATE']));
    expect(await isAtWork(scene)).toBe(false);
    const patch = [{ op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['CREATE'] }];
    await hooks.patch(name, patch, { type: 'json' });
    expect(await isAtWork(scene)).toBe(true);
  });

  conformanceTest(`${TITLE} listing ${lower} webhooks should work [Conformance]`, async (scene) => {
    const rules = [{ ...MAPS, operations: ['CREATE'] }];
    for (let index = 0; index < 3; index++) await register(scene, flavour, webhook, { rules });
    const hooks = scene.api.of(configurations(flavour));
    const labelSelector = `test=${scene.namespace}`;
    expect((await hooks.list({ labelSelector })).items).toHaveLength(3);
    expect(await isAtWork(scene)).toBe(true);
    await hooks.deleteAll({ labelSelector });
    expect((await hooks.list({ labelSelector })).items).toHaveLength(0);
    expect(await isAtWork(scene)).toBe(false);
  });

  conformanceTest(
    `${TITLE} should be able to create and update ${lower} webhook configurations with match conditions [Conformance]`,
    async (scene) => {
      const rules = [{ ...MAPS, operations: ['CREATE'] }];
      const first = [{ name: 'expression-1', expression: "object.metadata.namespace == 'production'" }];
      const name = await register(scene, flavour, webhook, { rules, matchConditions: first });
      const hooks = scene.api.of(configurations(flavour));
      expect(await hooks.get(name)).toMatchObject({ webhooks: [{ matchConditions: first }] });
      expect(await isAtWork(scene)).toBe(false);
      const second = [{ name: 'expression-1', expression: "object.metadata.namespace != 'production'" }];
      await hooks.patch(name, [{ op: 'replace', path: '/webhooks/0/matchConditions', value: second }], {
        type: 'json',
      });
      expect(await hooks.get(name)).toMatchObject({ webhooks: [{ matchConditions: second }] });
      expect(await isAtWork(scene)).toBe(true);
    },
  );

  conformanceTest(
    `${TITLE} should reject ${lower} webhook configurations with invalid match conditions [Conformance]`,
    async (scene) => {
      const matchConditions = [{ name: 'invalid-expression-1', expression: '... [] bad expression' }];
      const rules = [{ ...MAPS, operations: ['CREATE'] }];
      const refusal = await refusalOf(register(scene, flavour, webhook, { rules, matchConditions }));
      expect(refusal).toContain('compilation failed');
    },
  );
}

conformanceTest(`${TITLE} should mutate everything except 'skip-me' configmaps [Conformance]`, async (scene) => {
  const { api, namespace } = scene;
  const matchConditions = [{ name: 'skip-me', expression: "object.metadata.name != 'skip-me'" }];
  const rules = [{ ...MAPS, operations: ['CREATE'] }];
  const webhook = () => patching({ op: 'add', path: '/data/mutation-stage-1', value: 'yes' });
  await register(scene, 'Mutating', webhook, { rules, matchConditions });
  const maps = api.of(CONFIG_MAPS, namespace);
  const skipped = await maps.create({ metadata: { name: 'skip-me' }, data: { 'mutation-start': 'yes' } });
  expect(skipped.data).toEqual({ 'mutation-start': 'yes' });
  const made = await maps.create(mapOf(scene, { 'mutation-start': 'yes' }));
  expect(made.data).toEqual({ 'mutation-start': 'yes', 'mutation-stage-1': 'yes' });
});
