import { describe, expect, test } from 'vitest';
import { FakeViews } from '../admission/fake-views.ts';
import type { AdmissionRequest, AuthorizationAttributes, UserInfo } from '../pipeline/types.ts';
import { bootstrapPolicy } from './bootstrap/bootstrap-policy.ts';
import { rbacEscalationCheck } from './escalation.ts';
import { NodeAuthorizer } from './node-authorizer.ts';
import { NodeGraph } from './node-graph.ts';
import { RbacAuthorizer } from './rbac.ts';
import { RbacIndex } from './rbac-index.ts';
import { privilegedAuthorizer, unionAuthorizer } from './union.ts';

const GROUP = 'rbac.authorization.k8s.io';
const API_VERSION = `${GROUP}/v1`;
const alice: UserInfo = { username: 'alice', groups: ['dev', 'system:authenticated'] };
const node: UserInfo = { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };

function ask(user: UserInfo, question: Partial<AuthorizationAttributes>): AuthorizationAttributes {
  return {
    user,
    verb: 'get',
    isResourceRequest: question.path === undefined,
    group: '',
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
    ...question,
  };
}

function bootstrapped() {
  const views = new FakeViews();
  const policy = bootstrapPolicy();
  for (const role of policy.clusterRoles) views.put(GROUP, 'clusterroles', role);
  for (const binding of policy.clusterRoleBindings) views.put(GROUP, 'clusterrolebindings', binding);
  for (const role of policy.roles) views.put(GROUP, 'roles', role);
  for (const binding of policy.roleBindings) views.put(GROUP, 'rolebindings', binding);
  const rbac = new RbacAuthorizer(new RbacIndex((resource) => views.view(GROUP, resource)));
  return { views, rbac };
}

function bind(views: FakeViews, options: { role: string; user: string; namespace?: string }) {
  const { role, user, namespace } = options;
  const binding = {
    kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    apiVersion: API_VERSION,
    metadata: { name: `${role}-${user}`, ...(namespace !== undefined && { namespace }) },
    subjects: [{ apiGroup: GROUP, kind: 'User', name: user }],
    roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: role },
  };
  views.put(GROUP, namespace === undefined ? 'clusterrolebindings' : 'rolebindings', binding);
  return binding;
}

describe('RbacAuthorizer', () => {
  test('allows what a binding of the namespace grants, and only there', () => {
    const { views, rbac } = bootstrapped();
    bind(views, { role: 'view', user: 'alice', namespace: 'a' });
    const read = { verb: 'list', resource: 'pods' };
    expect(rbac.authorize(ask(alice, { ...read, namespace: 'a' }))).toEqual({
      type: 'allow',
      reason: 'RBAC: allowed by RoleBinding "view-alice/a" of ClusterRole "view" to User "alice"',
    });
    expect(rbac.authorize(ask(alice, { ...read, namespace: 'b' })).type).toBe('noOpinion');
    expect(rbac.authorize(ask(alice, read)).type).toBe('noOpinion');
    expect(rbac.authorize(ask(alice, { verb: 'create', resource: 'pods', namespace: 'a' })).type).toBe('noOpinion');
    expect(rbac.authorize(ask(alice, { verb: 'get', resource: 'secrets', namespace: 'a' })).type).toBe('noOpinion');
  });

  test('follows changes of roles and bindings', () => {
    const { views, rbac } = bootstrapped();
    const question = ask(alice, { verb: 'delete', resource: 'deployments', group: 'apps', namespace: 'a' });
    expect(rbac.authorize(question).type).toBe('noOpinion');
    const binding = bind(views, { role: 'edit', user: 'alice', namespace: 'a' });
    expect(rbac.authorize(question).type).toBe('allow');
    views.put(GROUP, 'rolebindings', {
      ...binding,
      subjects: [{ apiGroup: GROUP, kind: 'User', name: 'bob' }],
    } as never);
    expect(rbac.authorize(question).type).toBe('noOpinion');
    views.put(GROUP, 'rolebindings', binding);
    views.remove(GROUP, 'rolebindings', binding);
    expect(rbac.authorize(question).type).toBe('noOpinion');
  });

  test('names roles that are missing', () => {
    const { views, rbac } = bootstrapped();
    bind(views, { role: 'nowhere', user: 'alice' });
    expect(rbac.authorize(ask(alice, { resource: 'pods' }))).toEqual({
      type: 'noOpinion',
      reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "nowhere" not found',
    });
  });

  test.each([
    ['everybody may discover', alice, { path: '/apis/apps/v1' }, true],
    [
      'everybody may ask what they may',
      alice,
      { verb: 'create', resource: 'selfsubjectaccessreviews', group: 'authorization.k8s.io' },
      true,
    ],
    [
      'anonymous may ask for the version',
      { username: 'system:anonymous', groups: ['system:unauthenticated'] },
      { path: '/version' },
      true,
    ],
    [
      'anonymous may not discover',
      { username: 'system:anonymous', groups: ['system:unauthenticated'] },
      { path: '/apis' },
      false,
    ],
    ['nobody reads metrics by default', alice, { path: '/metrics' }, false],
    ['masters may do all', { username: 'x', groups: ['system:masters'] }, { verb: 'delete', resource: 'nodes' }, true],
    [
      'the scheduler binds pods',
      { username: 'system:kube-scheduler', groups: [] },
      { verb: 'create', resource: 'pods', subresource: 'binding', namespace: 'a' },
      true,
    ],
    [
      'the scheduler writes no secrets',
      { username: 'system:kube-scheduler', groups: [] },
      { verb: 'create', resource: 'secrets', namespace: 'a' },
      false,
    ],
    [
      'its lease belongs to it alone',
      { username: 'system:kube-scheduler', groups: [] },
      {
        verb: 'update',
        resource: 'leases',
        group: 'coordination.k8s.io',
        namespace: 'kube-system',
        name: 'kube-scheduler',
      },
      true,
    ],
    [
      'another lease does not',
      { username: 'system:kube-scheduler', groups: [] },
      { verb: 'update', resource: 'leases', group: 'coordination.k8s.io', namespace: 'kube-system', name: 'x' },
      false,
    ],
    [
      'a controller is its service account',
      { username: 'system:serviceaccount:kube-system:job-controller', groups: [] },
      { verb: 'create', resource: 'pods', namespace: 'a' },
      true,
    ],
    [
      'the autoscaler scales anything',
      { username: 'system:serviceaccount:kube-system:horizontal-pod-autoscaler', groups: [] },
      { verb: 'update', resource: 'things', group: 'x.test', subresource: 'scale', namespace: 'a' },
      true,
    ],
  ] as [string, UserInfo, Partial<AuthorizationAttributes>, boolean][])(
    'bootstrap policy: %s',
    (_name, user, question, isAllowed) => {
      const { rbac } = bootstrapped();
      expect(rbac.authorize(ask(user, question)).type === 'allow').toBe(isAllowed);
    },
  );

  test('lists a user’s rules', () => {
    const { rbac } = bootstrapped();
    const { resourceRules, nonResourceRules } = rbac.rulesFor(alice, 'a');
    expect(resourceRules).toContainEqual({
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    });
    expect(nonResourceRules.flatMap((rule) => rule.nonResourceURLs)).toContain('/openapi/*');
  });
});

describe('bootstrapPolicy', () => {
  test('holds every role of Kubernetes by name, each bound role existing', () => {
    const { clusterRoles, clusterRoleBindings } = bootstrapPolicy();
    const names = new Set(clusterRoles.map(({ metadata }) => metadata.name));
    expect(names.size).toBe(clusterRoles.length);
    for (const name of [
      'cluster-admin',
      'admin',
      'edit',
      'view',
      'system:node',
      'system:controller:deployment-controller',
    ]) {
      expect(names).toContain(name);
    }
    for (const { roleRef } of clusterRoleBindings) expect(names).toContain(roleRef.name);
    const view = clusterRoles.find(({ metadata }) => metadata.name === 'view');
    expect(view?.metadata.labels).toEqual({
      'kubernetes.io/bootstrapping': 'rbac-defaults',
      'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
    });
    expect(view?.rules?.some((rule) => rule.resources?.includes('secrets'))).toBe(false);
  });
});

describe('NodeAuthorizer', () => {
  const onNode = (value: string) => ({ field: 'spec.nodeName', operator: '=' as const, value });
  const pod = (name: string, nodeName: string, secretName: string) => ({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace: 'a', uid: name },
    spec: {
      nodeName,
      serviceAccountName: 'default',
      containers: [{ name: 'c', image: 'i', envFrom: [{ configMapRef: { name: 'settings' } }] }],
      volumes: [
        { name: 's', secret: { secretName } },
        { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
      ],
    },
  });

  function setUp() {
    const views = new FakeViews();
    views.put('', 'pods', pod('mine', 'n1', 'my-secret'));
    views.put('', 'pods', pod('other', 'n2', 'other-secret'));
    views.put('', 'persistentvolumes', {
      kind: 'PersistentVolume',
      apiVersion: 'v1',
      metadata: { name: 'pv' },
      spec: {
        claimRef: { namespace: 'a', name: 'data' },
        csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { namespace: 'storage', name: 'mount-key' } },
      },
    } as never);
    views.put('', 'persistentvolumeclaims', {
      kind: 'PersistentVolumeClaim',
      apiVersion: 'v1',
      metadata: { name: 'data', namespace: 'a' },
      spec: { volumeName: 'pv' },
    } as never);
    return { views, authorizer: new NodeAuthorizer(new NodeGraph(views.view)) };
  }

  test.each([
    ['a secret of its pod', { resource: 'secrets', name: 'my-secret', namespace: 'a' }, true],
    ['a secret of another node’s pod', { resource: 'secrets', name: 'other-secret', namespace: 'a' }, false],
    ['its pod’s config map', { resource: 'configmaps', name: 'settings', namespace: 'a' }, true],
    ['all secrets', { verb: 'list', resource: 'secrets', namespace: 'a' }, false],
    ['a volume through its claim', { resource: 'persistentvolumes', name: 'pv' }, true],
    [
      'a token for its pod’s account',
      { verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'default', namespace: 'a' },
      true,
    ],
    [
      'a token for another account',
      { verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'boss', namespace: 'a' },
      false,
    ],
    ['its own node', { resource: 'nodes', name: 'n1' }, true],
    ['another node', { resource: 'nodes', name: 'n2' }, false],
    ['its node’s status', { verb: 'patch', resource: 'nodes', subresource: 'status', name: 'n1' }, true],
    [
      'its lease',
      { verb: 'update', resource: 'leases', group: 'coordination.k8s.io', namespace: 'kube-node-lease', name: 'n1' },
      true,
    ],
    [
      'another lease',
      { verb: 'update', resource: 'leases', group: 'coordination.k8s.io', namespace: 'kube-node-lease', name: 'n2' },
      false,
    ],
    ['the services', { verb: 'watch', resource: 'services' }, true],
    ['its own pods', { verb: 'list', resource: 'pods', fieldSelector: [onNode('n1')] }, true],
    ['a watch of its own pods', { verb: 'watch', resource: 'pods', fieldSelector: [onNode('n1')] }, true],
    ['another node’s pods', { verb: 'list', resource: 'pods', fieldSelector: [onNode('n2')] }, false],
    [
      'pods that are not its own',
      { verb: 'list', resource: 'pods', fieldSelector: [{ field: 'spec.nodeName', operator: '!=', value: 'n1' }] },
      false,
    ],
    ['all pods', { verb: 'list', resource: 'pods' }, false],
    ['one pod of its own by name', { verb: 'watch', resource: 'pods', namespace: 'a', name: 'mine' }, true],
    ['one pod of another node by name', { verb: 'get', resource: 'pods', namespace: 'a', name: 'other' }, false],
    ['pods it updates', { verb: 'update', resource: 'pods', namespace: 'a', name: 'mine' }, false],
    ['all pods that it would delete', { verb: 'deletecollection', resource: 'pods', namespace: 'a' }, false],
    ['a shell in its pod', { verb: 'create', resource: 'pods', subresource: 'exec', namespace: 'a' }, false],
    ['all nodes', { verb: 'list', resource: 'nodes' }, false],
    ['its own node deleted', { verb: 'delete', resource: 'nodes', name: 'n1' }, false],
    ['a secret of its pod’s volume', { resource: 'secrets', name: 'mount-key', namespace: 'storage' }, true],
    [
      'its resource slices',
      {
        verb: 'watch',
        resource: 'resourceslices',
        group: 'resource.k8s.io',
        fieldSelector: [{ field: 'nodeName', operator: '=', value: 'n1' }],
      },
      true,
    ],
    ['all resource slices', { verb: 'list', resource: 'resourceslices', group: 'resource.k8s.io' }, false],
    ['deployments', { verb: 'list', resource: 'deployments', group: 'apps' }, false],
  ] as [string, Partial<AuthorizationAttributes>, boolean][])('a node and %s', (_name, question, isAllowed) => {
    const { authorizer } = setUp();
    expect(authorizer.authorize(ask(node, question)).type === 'allow').toBe(isAllowed);
  });

  test('forgets a pod that is gone and says why it has no opinion', () => {
    const { views, authorizer } = setUp();
    const question = ask(node, { resource: 'secrets', name: 'my-secret', namespace: 'a' });
    expect(authorizer.authorize(question).type).toBe('allow');
    views.remove('', 'pods', pod('mine', 'n1', 'my-secret'));
    expect(authorizer.authorize(question)).toEqual({
      type: 'noOpinion',
      reason: "no relationship found between node 'n1' and this object",
    });
  });
});

describe('rbacEscalationCheck', () => {
  function setUp() {
    const { views, rbac } = bootstrapped();
    const authorizer = unionAuthorizer([privilegedAuthorizer(), rbac]);
    const plugin = rbacEscalationCheck({ rbac, authorizer });
    const write = (user: UserInfo, resource: string, object: object) => {
      const request: AdmissionRequest = {
        operation: 'CREATE',
        info: {
          isResourceRequest: true,
          path: '',
          verb: 'create',
          group: GROUP,
          version: 'v1',
          resource,
          subresource: '',
          namespace: 'a',
          name: '',
          rest: [],
        },
        user,
        kind: 'Role',
        object: { kind: 'Role', apiVersion: API_VERSION, metadata: { name: 'r', namespace: 'a' }, ...object },
        dryRun: false,
        warnings: [],
      };
      return Promise.resolve(plugin.validate?.(request));
    };
    return { views, write };
  }

  test('refuses a role beyond the writer’s own rights, in upstream’s words', async () => {
    const { views, write } = setUp();
    bind(views, { role: 'admin', user: 'alice', namespace: 'a' });
    const allowed = { rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }] };
    await expect(write(alice, 'roles', allowed)).resolves.toBeUndefined();
    const tooMuch = { rules: [{ verbs: ['get', 'delete'], apiGroups: [''], resources: ['nodes'] }] };
    await expect(write(alice, 'roles', tooMuch)).rejects.toThrow(
      'roles.rbac.authorization.k8s.io "r" is forbidden: user "alice" (groups=["dev" "system:authenticated"]) is ' +
        'attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete"]}',
    );
    await expect(write({ username: 'root', groups: ['system:masters'] }, 'roles', tooMuch)).resolves.toBeUndefined();
  });

  test('refuses to bind a role that the writer does not hold', async () => {
    const { views, write } = setUp();
    bind(views, { role: 'admin', user: 'alice', namespace: 'a' });
    const to = (name: string) => ({ roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name }, subjects: [] });
    await expect(write(alice, 'rolebindings', to('edit'))).resolves.toBeUndefined();
    await expect(write(alice, 'rolebindings', to('cluster-admin'))).rejects.toThrow('not currently held');
  });
});
