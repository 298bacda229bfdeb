import { expect } from 'vitest';
import { conformanceTest, type Scene } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { DEPLOYMENTS, type Deployment, type JsonObject, kindOf } from '../support/kinds.ts';
import { deploymentOf } from '../support/workloads.ts';

const ADMISSION = 'admissionregistration.k8s.io/v1';
const VALIDATING = '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin]';
const MUTATING = '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin]';

type Flavour = 'Validating' | 'Mutating';

const policies = (flavour: Flavour) =>
  kindOf<JsonObject>(ADMISSION, `${flavour}AdmissionPolicy`, `${flavour.toLowerCase()}admissionpolicies`);
const bindings = (flavour: Flavour) =>
  kindOf<JsonObject>(ADMISSION, `${flavour}AdmissionPolicyBinding`, `${flavour.toLowerCase()}admissionpolicybindings`);

/** Puts a policy to use for the deployments of the test's namespace; both of its objects go after the test. */
async function enforce(scene: Scene, flavour: Flavour, spec: Record<string, unknown>): Promise<void> {
  const { api, namespace, after } = scene;
  const name = scene.unique('policy');
  const here = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  const matchConstraints = {
    namespaceSelector: here,
    resourceRules: [
      { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] },
    ],
  };
  await api.of(policies(flavour)).create({ metadata: { name }, spec: { matchConstraints, ...spec } });
  after(() => api.of(policies(flavour)).delete(name));
  const actions = flavour === 'Validating' ? { validationActions: ['Deny'] } : {};
  const binding = { policyName: name, matchResources: { namespaceSelector: here }, ...actions };
  await api.of(bindings(flavour)).create({ metadata: { name }, spec: binding });
  after(() => api.of(bindings(flavour)).delete(name));
}

function deployment(scene: Scene, replicas: number): Deployment {
  const name = scene.unique('deployment');
  return deploymentOf({ name, replicas, labels: { app: name } });
}

/** Policies take effect a moment after they are written. */
async function untilRefused(scene: Scene, replicas: number, message: string): Promise<void> {
  const deployments = scene.api.of(DEPLOYMENTS, scene.namespace);
  await eventually('the policy to refuse', () =>
    expect(deployments.create(deployment(scene, replicas))).rejects.toMatchObject({
      code: 422,
      status: { reason: 'Invalid', message: expect.stringContaining(message) as unknown },
    }),
  );
}

conformanceTest(`${VALIDATING} should validate against a Deployment [Conformance]`, async (scene) => {
  await enforce(scene, 'Validating', {
    validations: [
      {
        expression: 'object.spec.replicas > 1',
        messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
      },
      { expression: `namespaceObject.metadata.name == '${scene.namespace}'`, message: 'another namespace' },
    ],
  });
  await untilRefused(scene, 1, 'denied request: wants replicas > 1, got 1');
  const deployments = scene.api.of(DEPLOYMENTS, scene.namespace);
  const two = await deployments.create(deployment(scene, 2));
  await expect(
    deployments.patch(two.metadata?.name ?? '', { spec: { replicas: 0 } }, { type: 'merge' }),
  ).rejects.toMatchObject({ code: 422 });
});

conformanceTest(`${VALIDATING} should allow expressions to refer variables. [Conformance]`, async (scene) => {
  await enforce(scene, 'Validating', {
    variables: [
      { name: 'replicas', expression: 'object.spec.replicas' },
      { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
    ],
    validations: [
      { expression: 'variables.replicas > 1' },
      { expression: 'variables.oddReplicas', messageExpression: "'even: ' + string(variables.replicas)" },
    ],
  });
  await untilRefused(scene, 1, 'failed expression: variables.replicas > 1');
  await untilRefused(scene, 4, 'even: 4');
  const made = await scene.api.of(DEPLOYMENTS, scene.namespace).create(deployment(scene, 3));
  expect(made.spec?.replicas).toBe(3);
});

conformanceTest(`${MUTATING} should mutate a Deployment [Conformance]`, async (scene) => {
  await enforce(scene, 'Mutating', {
    reinvocationPolicy: 'Never',
    mutations: [
      {
        patchType: 'ApplyConfiguration',
        applyConfiguration: {
          expression: 'Object{ spec: Object.spec{ replicas: object.spec.replicas + 100 } }',
        },
      },
    ],
  });
  const deployments = scene.api.of(DEPLOYMENTS, scene.namespace);
  await eventually('the policy to change deployments', async () => {
    const next = deployment(scene, 0);
    // Nobody needs the replicas to run.
    if (next.spec !== undefined) next.spec.paused = true;
    expect((await deployments.create(next)).spec?.replicas).toBe(100);
  });
});

conformanceTest(`${MUTATING} should mutate a Deployment with annotations [Conformance]`, async (scene) => {
  await enforce(scene, 'Mutating', {
    reinvocationPolicy: 'Never',
    matchConditions: [
      { name: 'unmarked', expression: "!has(object.metadata.annotations) || !('mark' in object.metadata.annotations)" },
    ],
    variables: [{ name: 'mark', expression: "'made in ' + namespaceObject.metadata.name" }],
    mutations: [
      {
        patchType: 'ApplyConfiguration',
        applyConfiguration: {
          expression: 'Object{ metadata: Object.metadata{ annotations: {"mark": variables.mark} } }',
        },
      },
      {
        patchType: 'JSONPatch',
        jsonPatch: {
          expression:
            '[JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("example.com/by"), value: "policy"}]',
        },
      },
    ],
  });
  const deployments = scene.api.of(DEPLOYMENTS, scene.namespace);
  const made = await eventually('the policy to annotate deployments', async () => {
    const next = await deployments.create(deployment(scene, 1));
    expect(next.metadata?.annotations).toMatchObject({
      mark: `made in ${scene.namespace}`,
      'example.com/by': 'policy',
    });
    return next;
  });
  const own = { ...deployment(scene, 1) };
  own.metadata = { ...own.metadata, annotations: { mark: 'mine' } };
  const kept = await deployments.create(own);
  expect(kept.metadata?.annotations).not.toHaveProperty('example.com/by');
  expect(made.metadata?.name).not.toBe(kept.metadata?.name);
});
