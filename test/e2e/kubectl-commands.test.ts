import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { eventually } from './support/eventually.ts';
import { run } from './support/run.ts';

/** kubectl's commands, one by one, against simulated nodes: the server must be what kubectl takes for Kubernetes. */
describe('kubectl', () => {
  let cluster: TestCluster;
  let kubectl: TestCluster['kubectl'];
  let folder: string;

  beforeAll(async () => {
    cluster = await startCluster({ runtime: 'simulated', nodes: 2 });
    ({ kubectl } = cluster);
    folder = mkdtempSync(join(tmpdir(), 'tiphys-kubectl-'));
    await kubectl('create', 'deployment', 'web', '--image=localhost/web:1', '--replicas=2', '--port=80');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster[Symbol.asyncDispose]();
  });

  const file = (name: string, object: object): string => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(object));
    return path;
  };

  // Command, and what `get -o name` then shows of it.
  const generators: [string, string][] = [
    ['configmap c1 --from-literal=a=b', 'configmap/c1'],
    ['secret generic s1 --from-literal=a=b', 'secret/s1'],
    ['secret docker-registry s2 --docker-server=r.example --docker-username=u --docker-password=p', 'secret/s2'],
    ['serviceaccount sa1', 'serviceaccount/sa1'],
    ['namespace ns1', 'namespace/ns1'],
    ['quota q1 --hard=pods=100,services=50', 'resourcequota/q1'],
    ['role r1 --verb=get,list --resource=pods', 'role.rbac.authorization.k8s.io/r1'],
    ['rolebinding rb1 --role=r1 --serviceaccount=default:sa1', 'rolebinding.rbac.authorization.k8s.io/rb1'],
    ['clusterrole cr1 --verb=get --resource=nodes', 'clusterrole.rbac.authorization.k8s.io/cr1'],
    ['clusterrolebinding crb1 --clusterrole=cr1 --user=u', 'clusterrolebinding.rbac.authorization.k8s.io/crb1'],
    ['job j1 --image=localhost/web:1', 'job.batch/j1'],
    ['cronjob cj1 --image=localhost/web:1 --schedule=*/5*****', 'cronjob.batch/cj1'],
    ['poddisruptionbudget pdb1 --selector=app=web --min-available=1', 'poddisruptionbudget.policy/pdb1'],
    ['priorityclass pc1 --value=10 --description=d', 'priorityclass.scheduling.k8s.io/pc1'],
    ['ingress i1 --rule=a.example/*=web:80', 'ingress.networking.k8s.io/i1'],
    ['service clusterip svc1 --tcp=80:80', 'service/svc1'],
    ['service nodeport svc2 --tcp=80:80', 'service/svc2'],
    ['service loadbalancer svc3 --tcp=80:80', 'service/svc3'],
    ['service externalname svc4 --external-name=a.example', 'service/svc4'],
    ['deployment d1 --image=localhost/web:1', 'deployment.apps/d1'],
  ];

  test.each(generators)('create %s', async (command, name) => {
    const args = command.replace('*/5*****', '*/5 * * * *').split(/ (?=--|[^* ]+(?: |$))/);
    expect(await kubectl('create', ...args)).toBe(`${name} created\n`);
    expect(await kubectl('get', name, '-o', 'name')).toBe(`${name}\n`);
  });

  test('create token gives one that the server takes', async () => {
    const token = (await kubectl('create', 'token', 'default', '--duration=1h')).trim();
    const server = await kubectl('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}');
    const alone = ['--kubeconfig=/dev/null', `--server=${server}`, '--insecure-skip-tls-verify', `--token=${token}`];
    const whoami = await kubectl('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}', ...alone);
    expect(whoami).toBe('system:serviceaccount:default:default');
  });

  test('run, expose, autoscale', async () => {
    await kubectl('run', 'pod1', '--image=localhost/web:1', '--port=80', '--labels=app=pod1');
    await kubectl('expose', 'pod', 'pod1', '--name=pod1', '--port=80');
    await kubectl('expose', 'deployment', 'web', '--port=80', '--type=NodePort');
    expect(await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}')).toMatch(/^3\d{4}$/);
    await kubectl('autoscale', 'deployment', 'web', '--min=2', '--max=5', '--cpu=80%');
    expect(await kubectl('get', 'hpa', 'web', '-o', 'jsonpath={.spec.maxReplicas}')).toBe('5');
    await kubectl('wait', '--for=condition=Ready', 'pod/pod1', '--timeout=60s');
  });

  test('get in every output format', async () => {
    const get = (...format: string[]) => kubectl('get', 'deployment', 'web', ...format);
    expect(await get()).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +/);
    expect(await get('-o', 'wide')).toMatch(/CONTAINERS +IMAGES +SELECTOR\n.* web +localhost\/web:1 +app=web/);
    // Safe: what kubectl prints as JSON is an object.
    expect((JSON.parse(await get('-o', 'json')) as { kind: string }).kind).toBe('Deployment');
    expect(await get('-o', 'yaml')).toMatch(/^apiVersion: apps\/v1\nkind: Deployment\n/);
    expect(await get('-o', 'name')).toBe('deployment.apps/web\n');
    expect(await get('-o', 'jsonpath={.spec.replicas}')).toBe('2');
    expect(await get('-o', 'jsonpath-as-json={.spec.replicas}')).toContain('2');
    expect(await get('-o', 'go-template={{.spec.replicas}}')).toBe('2');
    expect(await get('-o', 'custom-columns=A:.metadata.name,B:.spec.replicas')).toMatch(/^A +B\nweb +2\n$/);
    expect(await get('-o', 'kyaml')).toContain('kind: "Deployment"');
    expect(await get('--no-headers')).toMatch(/^web /);
    expect(await get('--show-labels')).toContain('app=web');
    expect(await kubectl('get', 'all', '-A')).toContain('deployment.apps/web');
    expect(await kubectl('get', 'pods', '--sort-by=.metadata.name', '-L', 'app')).toMatch(/APP\n/);
    expect(await kubectl('get', 'pods', '--field-selector=status.phase=Running', '-o', 'name')).toContain('pod/web-');
    expect(await kubectl('get', 'pods', '--chunk-size=1', '-o', 'name')).toContain('pod/web-');
    const watched = spawn(kubectl.path, ['get', 'deployments', '-w', '--output-watch-events'], { env: kubectl.env });
    let shown = '';
    watched.stdout.on('data', (text) => (shown += String(text)));
    await eventually(
      'an event',
      () => Promise.resolve(shown),
      (text) => /^EVENT +NAME[^]*\nADDED +web/.test(text),
    );
    watched.kill();
  });

  test('patch in all its types, also of subresources', async () => {
    const patch = (type: string, body: unknown, ...rest: string[]) =>
      kubectl('patch', 'deployment', 'web', `--type=${type}`, '-p', JSON.stringify(body), ...rest);
    await patch('merge', { metadata: { annotations: { merge: '1' } } });
    await patch('json', [{ op: 'add', path: '/metadata/annotations/json', value: '2' }]);
    const containers = [{ name: 'web', env: [{ name: 'A', value: 'b' }] }];
    await patch('strategic', { spec: { template: { spec: { containers } } } });
    await patch('merge', { spec: { replicas: 3 } }, '--subresource=scale');
    const shown = await kubectl('get', 'deployment', 'web', '-o', 'json');
    const { metadata, spec } = JSON.parse(shown) as {
      metadata: { annotations: object };
      spec: { replicas: number; template: { spec: { containers: object[] } } };
    };
    expect(metadata.annotations).toMatchObject({ merge: '1', json: '2' });
    expect(spec.replicas).toBe(3);
    expect(spec.template.spec.containers).toMatchObject([{ image: 'localhost/web:1', env: [{ name: 'A' }] }]);
    const refused = await kubectl.try([
      'patch',
      'deployment',
      'web',
      '--type=json',
      '-p',
      '[{"op":"test","path":"/spec/replicas","value":9}]',
    ]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('the server rejected our request due to an error in our request');
  });

  test('label, annotate, set', async () => {
    await kubectl('label', 'deployment', 'web', 'tier=front');
    const again = await kubectl.try(['label', 'deployment', 'web', 'tier=back']);
    expect(again.stderr).toContain("'tier' already has a value (front), and --overwrite is false");
    await kubectl('label', 'deployment', 'web', 'tier-');
    await kubectl('annotate', 'deployment', 'web', 'note=x', '--overwrite');
    await kubectl('set', 'env', 'deployment/web', 'B=c');
    await kubectl('set', 'resources', 'deployment/web', '--limits=cpu=200m,memory=64Mi');
    await kubectl('set', 'serviceaccount', 'deployment/web', 'default');
    await kubectl('set', 'selector', 'service', 'svc1', 'app=web');
    const shown = await kubectl(
      'get',
      'deployment',
      'web',
      '-o',
      'jsonpath={.metadata.labels.tier}{.metadata.annotations.note}',
    );
    expect(shown).toBe('x');
  });

  test('edit with a scripted editor; replace, also by force', async () => {
    const editor = join(folder, 'editor.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/a: b/a: edited/" "$1"\n');
    chmodSync(editor, 0o755);
    await kubectl('create', 'configmap', 'edited', '--from-literal=a=b');
    const edited = await run(kubectl.path, ['edit', 'configmap', 'edited'], {
      env: { ...kubectl.env, EDITOR: editor },
    });
    expect(edited.stdout).toContain('configmap/edited edited');
    expect(await kubectl('get', 'configmap', 'edited', '-o', 'jsonpath={.data.a}')).toBe('edited');
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'edited' }, data: { a: 'replaced' } };
    expect(await kubectl('replace', '-f', file('map.json', map))).toBe('configmap/edited replaced\n');
    expect(await kubectl('replace', '--force', '-f', file('map.json', map))).toContain('configmap/edited replaced');
    expect(await kubectl('get', 'configmap', 'edited', '-o', 'jsonpath={.data.a}')).toBe('replaced');
  });

  test('explain, api-resources, api-versions, cluster-info, version, get --raw', async () => {
    const explained = await kubectl('explain', 'pods', '--recursive');
    expect(explained).toContain('ephemeralContainers\t<[]EphemeralContainer>');
    expect(await kubectl('explain', 'deployment.spec.strategy.rollingUpdate.maxSurge')).toContain('FIELD: maxSurge');
    expect(await kubectl('explain', 'hpa', '--api-version=autoscaling/v1')).toContain('VERSION:    v1');
    const resources = await kubectl('api-resources', '-o', 'wide');
    expect(resources).toMatch(/deployments +deploy +apps\/v1 +true +Deployment +create,delete,deletecollection,get/);
    expect(await kubectl('api-versions')).toContain('autoscaling/v2\n');
    expect(await kubectl('cluster-info')).toContain('Kubernetes control plane');
    expect(await kubectl('version')).toContain('Server Version: v1.36');
    expect(await kubectl('get', '--raw', '/readyz')).toBe('ok');
    expect(await kubectl('get', '--raw', '/livez?verbose')).toContain('[+]ping ok');
    expect(await kubectl('get', 'componentstatuses')).toMatch(/etcd-0 +Healthy +ok/);
  });

  test('metrics, their indicators of health, statusz and flagz', async () => {
    const metrics = await kubectl('get', '--raw', '/metrics');
    const created = 'apiserver_request_total{verb="POST",group="apps",version="v1",resource="deployments"';
    expect(metrics).toContain(created);
    for (const name of [
      'apiserver_request_duration_seconds_bucket',
      'apiserver_longrunning_requests{verb="WATCH"',
      'apiserver_watch_events_total{',
      'apiserver_admission_controller_admission_duration_seconds_count{name="LimitRanger"',
      'authentication_attempts{result="success"}',
      'authorization_attempts_total{result="allowed"}',
      'etcd_requests_total{operation="create",group="",resource="pods"}',
      'apiserver_storage_objects{resource="pods"}',
      'kubernetes_feature_enabled{name="',
      'kubernetes_build_info{major="1",minor="36"',
      'process_cpu_seconds_total',
    ]) {
      expect(metrics).toContain(name);
    }
    expect(await kubectl('get', '--raw', '/metrics/slis')).toContain(
      'kubernetes_healthcheck{name="etcd",type="readyz"} 1',
    );
    expect(await kubectl('get', '--raw', '/statusz')).toContain('Binary version: 1.36');
    expect(await kubectl('get', '--raw', '/flagz')).toContain('secure-port=');
  });

  test('events and describe tell what happened', async () => {
    const events = await eventually(
      'events of the deployment',
      () => kubectl('events', '--for=deployment/web'),
      (text) => text.includes('ScalingReplicaSet'),
    );
    expect(events).toContain('Scaled up replica set');
    const described = await kubectl('describe', 'deployment', 'web');
    expect(described).toMatch(/StrategyType: +RollingUpdate/);
    expect(described).toContain('ScalingReplicaSet');
    for (const kind of ['nodes', 'services', 'jobs', 'hpa', 'ingress', 'quota', 'serviceaccounts', 'pods']) {
      expect(await kubectl('describe', kind)).toMatch(/Name: /);
    }
  });

  test('auth can-i, whoami, reconcile', async () => {
    expect(await kubectl('auth', 'can-i', 'create', 'deployments')).toBe('yes\n');
    const denied = await kubectl.try(['auth', 'can-i', 'list', 'secrets', '--as=system:serviceaccount:default:sa1']);
    expect(denied.stdout).toBe('no\n');
    const allowed = await kubectl.try(['auth', 'can-i', 'list', 'pods', '--as=system:serviceaccount:default:sa1']);
    expect(allowed.stdout).toBe('yes\n');
    expect(await kubectl('auth', 'can-i', '--list')).toContain('*.*');
    expect(await kubectl('auth', 'whoami')).toContain('kubernetes-admin');
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'r1', namespace: 'default' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }],
    };
    expect(await kubectl('auth', 'reconcile', '-f', file('role.json', role))).toContain('reconciled');
  });

  test('proxy serves the API on a port of its own', async () => {
    const proxy = spawn(kubectl.path, ['proxy', '--port=0'], { env: kubectl.env });
    try {
      const text = await new Promise<string>((resolve) => proxy.stdout.once('data', (chunk) => resolve(String(chunk))));
      const port = /:(\d+)/.exec(text)?.[1] ?? '';
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/namespaces/default`);
      expect(await response.json()).toMatchObject({ kind: 'Namespace' });
    } finally {
      proxy.kill();
    }
  });

  test('rollout history, pause, resume, undo, restart', async () => {
    expect(await kubectl('rollout', 'history', 'deployment/web')).toMatch(/REVISION +CHANGE-CAUSE\n1 /);
    await kubectl('rollout', 'pause', 'deployment/web');
    await kubectl('rollout', 'resume', 'deployment/web');
    await kubectl('rollout', 'restart', 'deployment/web');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await kubectl('rollout', 'undo', 'deployment/web');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  });

  test('delete by selector, by file, all, in the background and not waiting', async () => {
    await kubectl('delete', 'configmap', '-l', 'nothing=here');
    await kubectl('delete', 'pod', 'pod1', '--now');
    await kubectl('delete', 'deployment', 'd1', '--cascade=orphan');
    expect(await kubectl('get', 'replicaset', '-l', 'app=d1', '-o', 'name')).toContain('replicaset.apps/d1-');
    await kubectl('delete', 'replicaset', '-l', 'app=d1', '--cascade=foreground');
    await kubectl('delete', 'namespace', 'ns1', '--timeout=60s');
    expect((await kubectl.try(['get', 'namespace', 'ns1'])).stderr).toContain('namespaces "ns1" not found');
  });
});
