import { describe, expect, test } from 'vitest';
import type { Pod } from '#api/generated/types.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import type { AdmissionRequest, RequestInfo, UserInfo } from '../pipeline/types.ts';
import { defaultAdmissionPlugins } from './default-plugins.ts';
import { FakeViews } from './fake-views.ts';
import { nodeTokenRefusal } from './node-restriction.ts';

const admin: UserInfo = { username: 'admin', groups: ['system:authenticated'] };
const node: UserInfo = { username: 'system:node:n1', groups: ['system:nodes'] };

function object(kind: string, name: string, fields: object = {}, metadata: object = {}): KubeObject {
  return { kind, apiVersion: 'v1', metadata: { name, ...metadata }, ...fields };
}

function setUp() {
  const views = new FakeViews();
  views.put('', 'namespaces', object('Namespace', 'a'));
  views.put('', 'serviceaccounts', object('ServiceAccount', 'default', {}, { namespace: 'a' }));
  const plugins = defaultAdmissionPlugins({
    view: views.view,
    random: new SeededRandom('admission'),
    // No plugin asks for the time.
    clock: {} as Clock,
  });
  return { views, plugins };
}

interface Write {
  readonly resource?: string;
  readonly group?: string;
  readonly namespace?: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly operation?: AdmissionRequest['operation'];
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  readonly user?: UserInfo;
}

async function admit(plugins: ReturnType<typeof setUp>['plugins'], write: Write) {
  const { resource = 'pods', group = '', namespace = 'a', subresource = '', name = '' } = write;
  const info: RequestInfo = {
    isResourceRequest: true,
    path: '',
    verb: 'create',
    group,
    version: 'v1',
    resource,
    subresource,
    namespace,
    name,
    rest: [],
  };
  const request: AdmissionRequest = {
    operation: write.operation ?? 'CREATE',
    info,
    user: write.user ?? admin,
    kind: write.object?.kind ?? '',
    ...(write.object && { object: write.object }),
    ...(write.oldObject && { oldObject: write.oldObject }),
    dryRun: false,
    warnings: [],
  };
  for (const plugin of plugins) await plugin.mutate?.(request);
  for (const plugin of plugins) await plugin.validate?.(request);
  return request;
}

function pod(spec: object = {}, metadata: object = {}): Pod {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'a', ...metadata },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  };
}

describe('NamespaceLifecycle', () => {
  test('refuses namespaces that are missing or going', async () => {
    const { views, plugins } = setUp();
    await expect(admit(plugins, { namespace: 'b', object: pod() })).rejects.toThrow('namespaces "b" not found');
    views.put('', 'namespaces', object('Namespace', 'a', { status: { phase: 'Terminating' } }));
    await expect(admit(plugins, { object: pod() })).rejects.toMatchObject({
      message: 'pods "web" is forbidden: unable to create new content in namespace a because it is being terminated',
      status: { details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    });
  });

  test('keeps the namespaces that the system lives in', async () => {
    const { plugins } = setUp();
    const write = { resource: 'namespaces', namespace: '', operation: 'DELETE', name: 'kube-system' } as const;
    await expect(admit(plugins, write)).rejects.toThrow(
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    );
    await admit(plugins, { ...write, name: 'a' });
  });
});

describe('ServiceAccount', () => {
  test('gives a pod its account, token volume and mounts', async () => {
    const { plugins } = setUp();
    const written = pod({ initContainers: [{ name: 'i', image: 'i' }] });
    await admit(plugins, { object: written });
    const [volume] = written.spec?.volumes ?? [];
    expect(volume?.name).toMatch(/^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(volume?.projected?.sources?.[0]).toEqual({
      serviceAccountToken: { expirationSeconds: 3607, path: 'token' },
    });
    for (const container of [...(written.spec?.containers ?? []), ...(written.spec?.initContainers ?? [])]) {
      expect(container.volumeMounts).toEqual([
        { name: volume?.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
      ]);
    }
    expect(written.spec).toMatchObject({ serviceAccountName: 'default', serviceAccount: 'default' });
  });

  test('mounts no token where pod or account does not want one', async () => {
    const { views, plugins } = setUp();
    const quiet = pod({ automountServiceAccountToken: false });
    await admit(plugins, { object: quiet });
    expect(quiet.spec?.volumes).toBeUndefined();
    const account = { automountServiceAccountToken: false, imagePullSecrets: [{ name: 'registry' }] };
    views.put('', 'serviceaccounts', object('ServiceAccount', 'default', account, { namespace: 'a' }));
    const other = pod();
    await admit(plugins, { object: other });
    expect(other.spec?.volumes).toBeUndefined();
    expect(other.spec?.imagePullSecrets).toEqual([{ name: 'registry' }]);
  });

  test('refuses a pod whose account does not exist', async () => {
    const { plugins } = setUp();
    await expect(admit(plugins, { object: pod({ serviceAccountName: 'nobody' }) })).rejects.toThrow(
      'pods "web" is forbidden: error looking up service account a/nobody: serviceaccount "nobody" not found',
    );
  });
});

describe('Priority', () => {
  const priorityClass = (name: string, fields: object) =>
    ({ ...object('PriorityClass', name, fields), apiVersion: 'scheduling.k8s.io/v1' }) as KubeObject;

  test('resolves the class, or the default', async () => {
    const { views, plugins } = setUp();
    const plain = pod();
    await admit(plugins, { object: plain });
    expect(plain.spec).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
    views.put(
      'scheduling.k8s.io',
      'priorityclasses',
      priorityClass('high', { value: 1000, preemptionPolicy: 'Never' }),
    );
    views.put('scheduling.k8s.io', 'priorityclasses', priorityClass('normal', { value: 5, globalDefault: true }));
    const high = pod({ priorityClassName: 'high' });
    await admit(plugins, { object: high });
    expect(high.spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never' });
    const normal = pod();
    await admit(plugins, { object: normal });
    expect(normal.spec).toMatchObject({ priority: 5, priorityClassName: 'normal' });
    await expect(admit(plugins, { object: pod({ priorityClassName: 'x' }) })).rejects.toThrow(
      'pods "web" is forbidden: no PriorityClass with name x was found',
    );
    await expect(admit(plugins, { object: pod({ priorityClassName: 'high', priority: 3 }) })).rejects.toThrow(
      'the integer value of priority (3) must not be provided in pod spec; ' +
        'priority admission controller computed 1000 from the given PriorityClass name',
    );
  });
});

describe('small mutating plugins', () => {
  test('DefaultTolerationSeconds adds what is not tolerated', async () => {
    const { plugins } = setUp();
    const written = pod({ tolerations: [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists' }] });
    await admit(plugins, { object: written });
    expect(written.spec?.tolerations?.slice(1)).toEqual([
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ]);
  });

  test('TaintNodesByCondition keeps pods off a new node', async () => {
    const { plugins } = setUp();
    const written = object('Node', 'n1');
    await admit(plugins, { resource: 'nodes', namespace: '', object: written });
    expect(written).toMatchObject({
      spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] },
    });
  });

  test('claims get the finalizer and the default class', async () => {
    const { views, plugins } = setUp();
    const isDefault = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    views.put('storage.k8s.io', 'storageclasses', object('StorageClass', 'fast', {}, { annotations: isDefault }));
    const claim = object('PersistentVolumeClaim', 'data', { spec: {} });
    await admit(plugins, { resource: 'persistentvolumeclaims', object: claim });
    expect(claim).toMatchObject({
      metadata: { finalizers: ['kubernetes.io/pvc-protection'] },
      spec: { storageClassName: 'fast' },
    });
  });

  test('RuntimeClass adds overhead and scheduling, and must exist', async () => {
    const { views, plugins } = setUp();
    views.put(
      'node.k8s.io',
      'runtimeclasses',
      object('RuntimeClass', 'vm', {
        handler: 'vm',
        overhead: { podFixed: { memory: '64Mi' } },
        scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm' }] },
      }),
    );
    const written = pod({ runtimeClassName: 'vm' });
    await admit(plugins, { object: written });
    expect(written.spec).toMatchObject({ overhead: { memory: '64Mi' }, nodeSelector: { vm: 'yes' } });
    await expect(admit(plugins, { object: pod({ runtimeClassName: 'no' }) })).rejects.toThrow(
      'pods "web" is forbidden: pod rejected: RuntimeClass "no" not found',
    );
  });
});

describe('LimitRanger', () => {
  const range = (limits: object[]) => object('LimitRange', 'limits', { spec: { limits } }, { namespace: 'a' });

  test('fills defaults and says so', async () => {
    const { views, plugins } = setUp();
    views.put(
      '',
      'limitranges',
      range([{ type: 'Container', default: { cpu: '500m', memory: '1Gi' }, defaultRequest: { cpu: '100m' } }]),
    );
    const written = pod();
    await admit(plugins, { object: written });
    expect(written.spec?.containers[0]?.resources).toEqual({
      limits: { cpu: '500m', memory: '1Gi' },
      requests: { cpu: '100m' },
    });
    expect(written.metadata.annotations?.['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: cpu request for container c; cpu, memory limit for container c',
    );
  });

  test('refuses what lies outside the bounds', async () => {
    const { views, plugins } = setUp();
    views.put('', 'limitranges', range([{ type: 'Container', min: { cpu: '100m' }, max: { memory: '1Gi' } }]));
    const resources = { requests: { cpu: '50m', memory: '2Gi' }, limits: { memory: '2Gi' } };
    await expect(
      admit(plugins, { object: pod({ containers: [{ name: 'c', image: 'i', resources }] }) }),
    ).rejects.toThrow(
      'pods "web" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, ' +
        'maximum memory usage per Container is 1Gi, but limit is 2Gi]',
    );
  });
});

describe('PodSecurity', () => {
  const labelled = (labels: Record<string, string>) => object('Namespace', 'a', {}, { labels });

  test('enforces the level of the namespace, in upstream’s words', async () => {
    const { views, plugins } = setUp();
    views.put('', 'namespaces', labelled({ 'pod-security.kubernetes.io/enforce': 'restricted' }));
    await expect(admit(plugins, { object: pod({ hostNetwork: true }) })).rejects.toThrow(
      'pods "web" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true), ' +
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    const securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    await admit(plugins, { object: pod({ containers: [{ name: 'c', image: 'i', securityContext }] }) });
  });

  test('warns about workloads and refuses unknown levels', async () => {
    const { views, plugins } = setUp();
    views.put('', 'namespaces', labelled({ 'pod-security.kubernetes.io/warn': 'baseline' }));
    const template = { spec: { containers: [{ name: 'c', image: 'i', securityContext: { privileged: true } }] } };
    const { warnings } = await admit(plugins, {
      group: 'apps',
      resource: 'deployments',
      object: object('Deployment', 'd', { spec: { template } }),
    });
    expect(warnings).toEqual([
      'would violate PodSecurity "baseline:latest": privileged ' +
        '(container "c" must not set securityContext.privileged=true)',
    ]);
    const wrong = labelled({ 'pod-security.kubernetes.io/enforce': 'strict' });
    await expect(admit(plugins, { resource: 'namespaces', namespace: '', object: wrong })).rejects.toThrow(
      'must be one of privileged, baseline, restricted',
    );
  });
});

describe('NodeRestriction', () => {
  test('keeps a kubelet to its own node and pods', async () => {
    const { plugins } = setUp();
    const lease = object('Lease', 'n2', {}, { namespace: 'kube-node-lease' });
    const cases: [Write, string][] = [
      [{ object: pod() }, 'node "n1" can only create mirror pods'],
      [
        { operation: 'DELETE', name: 'web', oldObject: pod({ nodeName: 'n2' }) },
        'node "n1" can only delete pods with spec.nodeName set to itself',
      ],
      [
        { operation: 'UPDATE', subresource: 'status', name: 'web', object: pod(), oldObject: pod({ nodeName: 'n2' }) },
        'node "n1" can only update pod status for pods with spec.nodeName set to itself',
      ],
      [
        { resource: 'nodes', namespace: '', name: 'n2', operation: 'UPDATE', object: object('Node', 'n2') },
        'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
      ],
      [
        {
          resource: 'nodes',
          namespace: '',
          object: object('Node', 'n1', {}, { labels: { 'node-restriction.kubernetes.io/x': 'y' } }),
        },
        'is not allowed to set the following labels: node-restriction.kubernetes.io/x',
      ],
      [
        { resource: 'leases', group: 'coordination.k8s.io', namespace: 'a', object: lease },
        'can only access leases in the "kube-node-lease" system namespace',
      ],
    ];
    for (const [write, text] of cases) {
      await expect(admit(plugins, { ...write, user: node })).rejects.toThrow(text);
    }
    const own = object('Node', 'n1', {}, { labels: { 'kubernetes.io/hostname': 'n1', 'example.test/x': 'y' } });
    await admit(plugins, { resource: 'nodes', namespace: '', object: own, user: node });
  });

  test('lets a node ask for tokens of its own pods only', () => {
    const { views } = setUp();
    views.put('', 'pods', pod({ nodeName: 'n1' }, { uid: 'u1' }));
    views.put('', 'pods', pod({ nodeName: 'n2' }, { uid: 'u2', name: 'far' }));
    const ask = (bound: { kind: string; name: string; uid?: string } | undefined) =>
      nodeTokenRefusal(node, { bound, namespace: 'a' }, views.view);
    expect(ask(undefined)).toBe('node requested token not bound to a pod');
    expect(ask({ kind: 'Pod', name: 'web' })).toBe('node requested token with a pod binding without a uid');
    expect(ask({ kind: 'Pod', name: 'web', uid: 'u1' })).toBeUndefined();
    expect(ask({ kind: 'Pod', name: 'far', uid: 'u2' })).toBe(
      'node requested token bound to a pod scheduled on a different node',
    );
    expect(nodeTokenRefusal(admin, { bound: undefined, namespace: 'a' }, views.view)).toBeUndefined();
  });
});
