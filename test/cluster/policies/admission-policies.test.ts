import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CONFIG_MAPS,
  MUTATING_ADMISSION_POLICIES,
  MUTATING_ADMISSION_POLICY_BINDINGS,
  VALIDATING_ADMISSION_POLICIES,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
} from '#api/generated/resources.ts';
import type { MutatingAdmissionPolicy, ValidatingAdmissionPolicy } from '#api/generated/types.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({ nodes: 0 });
  await cluster.settle();
});
afterAll(() => cluster.stop());

const ADMISSION = { apiVersion: 'admissionregistration.k8s.io/v1' as const };

const constraints = (operations: string[], selector: string) => ({
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations, resources: ['configmaps'] }],
  objectSelector: { matchLabels: { test: selector } },
});

const map = (name: string, label: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1' as const,
  kind: 'ConfigMap' as const,
  metadata: { name, namespace: 'default', labels: { test: label } },
  data,
});

async function validate(name: string, spec: Omit<NonNullable<ValidatingAdmissionPolicy['spec']>, 'matchConstraints'>) {
  const matchConstraints = constraints(['CREATE', 'UPDATE'], name);
  await cluster.client.create(VALIDATING_ADMISSION_POLICIES, {
    ...ADMISSION,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: { matchConstraints, ...spec },
  });
  await cluster.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, {
    ...ADMISSION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: `${name}-binding` },
    spec: { policyName: name, validationActions: ['Deny'] },
  });
}

async function mutate(name: string, spec: Omit<NonNullable<MutatingAdmissionPolicy['spec']>, 'matchConstraints'>) {
  const matchConstraints = constraints(['CREATE'], name);
  await cluster.client.create(MUTATING_ADMISSION_POLICIES, {
    ...ADMISSION,
    kind: 'MutatingAdmissionPolicy',
    metadata: { name },
    spec: { matchConstraints, ...spec },
  });
  await cluster.client.create(MUTATING_ADMISSION_POLICY_BINDINGS, {
    ...ADMISSION,
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name: `${name}-binding` },
    spec: { policyName: name },
  });
}

describe('ValidatingAdmissionPolicy', () => {
  test('refuses what an expression does not allow, in upstream’s words', async () => {
    await validate('sizes', {
      variables: [{ name: 'size', expression: 'int(object.data.size)' }],
      validations: [
        { expression: 'variables.size < 10', messageExpression: "'too big: ' + string(variables.size)" },
        { expression: "object.data.size != '7'", message: 'not seven', reason: 'Forbidden' },
      ],
    });
    await cluster.client.create(CONFIG_MAPS, map('small', 'sizes', { size: '3' }));
    await expect(cluster.client.create(CONFIG_MAPS, map('big', 'sizes', { size: '11' }))).rejects.toMatchObject({
      code: 422,
      status: {
        reason: 'Invalid',
        message:
          "configmaps \"big\" is forbidden: ValidatingAdmissionPolicy 'sizes' with binding 'sizes-binding' denied request: too big: 11",
      },
    });
    await expect(cluster.client.create(CONFIG_MAPS, map('seven', 'sizes', { size: '7' }))).rejects.toMatchObject({
      code: 403,
      status: { reason: 'Forbidden' },
    });
  });

  test('fails closed on an error of an expression, and open where the policy says so', async () => {
    const validations = [{ expression: "object.data.missing == 'x'" }];
    await validate('closed', { validations });
    await validate('open', { failurePolicy: 'Ignore', validations });
    await expect(cluster.client.create(CONFIG_MAPS, map('closed', 'closed', { a: 'b' }))).rejects.toMatchObject({
      message: expect.stringContaining('resulted in error: no such key: missing') as unknown,
    });
    await cluster.client.create(CONFIG_MAPS, map('open', 'open', { a: 'b' }));
  });

  test('looks only at what the match conditions let through', async () => {
    await validate('conditions', {
      matchConditions: [{ name: 'not-exempt', expression: "!('exempt' in object.metadata.labels)" }],
      validations: [{ expression: 'false', message: 'never' }],
    });
    const exempt = map('exempt', 'conditions');
    await cluster.client.create(CONFIG_MAPS, {
      ...exempt,
      metadata: { ...exempt.metadata, labels: { ...exempt.metadata.labels, exempt: '' } },
    });
    await expect(cluster.client.create(CONFIG_MAPS, map('seen', 'conditions'))).rejects.toMatchObject({ code: 422 });
  });

  test('takes parameters from the object that the binding names', async () => {
    await cluster.client.create(CONFIG_MAPS, map('limits', 'none', { max: '5' }));
    await cluster.client.create(VALIDATING_ADMISSION_POLICIES, {
      ...ADMISSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'params' },
      spec: {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: constraints(['CREATE'], 'params'),
        validations: [{ expression: 'int(object.data.size) <= int(params.data.max)' }],
      },
    });
    await cluster.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, {
      ...ADMISSION,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'params' },
      spec: {
        policyName: 'params',
        validationActions: ['Deny'],
        paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
      },
    });
    await cluster.client.create(CONFIG_MAPS, map('fits', 'params', { size: '5' }));
    await expect(cluster.client.create(CONFIG_MAPS, map('fits-not', 'params', { size: '6' }))).rejects.toMatchObject({
      message: expect.stringContaining('failed expression: int(object.data.size) <= int(params.data.max)') as unknown,
    });
    await cluster.client.delete(CONFIG_MAPS, { name: 'limits', namespace: 'default' });
    await expect(cluster.client.create(CONFIG_MAPS, map('none', 'params', { size: '1' }))).rejects.toMatchObject({
      message: expect.stringContaining(
        'no params found for policy binding with `Deny` parameterNotFoundAction',
      ) as unknown,
    });
  });

  test('asks what the user may do', async () => {
    await validate('rights', {
      validations: [
        {
          expression:
            "authorizer.group('').resource('secrets').namespace('kube-system').check('get').allowed() && authorizer.requestResource.check('create').allowed()",
        },
      ],
    });
    const made = await cluster.client.create(CONFIG_MAPS, map('allowed', 'rights'));
    expect(made.metadata.name).toBe('allowed');
  });
});

describe('MutatingAdmissionPolicy', () => {
  test('merges an apply configuration', async () => {
    await mutate('apply', {
      reinvocationPolicy: 'Never',
      failurePolicy: 'Fail',
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: {
            expression: 'Object{metadata: Object.metadata{labels: {"added": object.metadata.name}}}',
          },
        },
      ],
    });
    const made = await cluster.client.create(CONFIG_MAPS, map('applied', 'apply'));
    expect(made.metadata.labels).toEqual({ test: 'apply', added: 'applied' });
  });

  test('applies the operations of a JSON patch', async () => {
    await mutate('patch', {
      reinvocationPolicy: 'Never',
      failurePolicy: 'Fail',
      mutations: [
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression:
              '[JSONPatch{op: "test", path: "/data/a", value: "b"}, JSONPatch{op: "add", path: "/data/" + jsonpatch.escapeKey("x/y"), value: "z"}]',
          },
        },
      ],
    });
    // A key with a slash is no key of a ConfigMap: what a policy makes is validated as what a client sends.
    await expect(cluster.client.create(CONFIG_MAPS, map('patched', 'patch', { a: 'b' }))).rejects.toMatchObject({
      message: expect.stringContaining('data[x/y]') as unknown,
    });
  });

  test('refuses names that do not fit their place', async () => {
    await mutate('names', {
      reinvocationPolicy: 'Never',
      failurePolicy: 'Fail',
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{metadata: Object.spec{labels: {"a": "b"}}}' },
        },
      ],
    });
    await expect(cluster.client.create(CONFIG_MAPS, map('named', 'names'))).rejects.toMatchObject({
      message: expect.stringContaining('unexpected type name "Object.spec", expected "Object.metadata"') as unknown,
    });
  });
});
