import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { run, type RunResult } from './support/run.ts';

let cluster: TestCluster;
let folder: string;

beforeAll(async () => {
  cluster = await startCluster({ runtime: 'simulated' });
  folder = mkdtempSync(join(tmpdir(), 'tiphys-apply-'));
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster[Symbol.asyncDispose]();
});

const kubectl = (args: readonly string[], input = ''): Promise<RunResult> => cluster.kubectl.try(args, { input });

async function done(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** kubectl with more in its environment. */
function withEnv(env: Record<string, string>, args: readonly string[], input = ''): Promise<RunResult> {
  return run(cluster.kubectl.path, args, { env: { ...cluster.kubectl.env, ...env }, input });
}

const configMap = (name: string, data: Record<string, string>, labels = ''): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${labels}data: ${JSON.stringify(data)}\n`;

const deployment = (name: string, replicas: number | undefined, image = 'image:1'): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
${replicas === undefined ? '' : `  replicas: ${replicas}\n`}  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: c, image: "${image}", ports: [{containerPort: 80}]}
`;

describe('kubectl apply --server-side', () => {
  test('creates, says when nothing changes, and shares with a scaler', async () => {
    const file = deployment('ssa', 1);
    expect(await done(['apply', '--server-side', '-f', '-'], file)).toBe('deployment.apps/ssa serverside-applied\n');
    const version = () => done(['get', 'deployment', 'ssa', '-o', 'jsonpath={.metadata.generation}']);
    expect(await version()).toBe('1');
    expect(await done(['apply', '--server-side', '-f', '-'], file)).toBe('deployment.apps/ssa serverside-applied\n');
    expect(await version()).toBe('1');
    await done(['scale', 'deployment', 'ssa', '--replicas=3']);
    const conflict = await kubectl(['apply', '--server-side', '-f', '-'], file);
    expect(conflict.code).toBe(1);
    expect(conflict.stderr).toContain(
      'error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
    );
    expect(conflict.stderr).toContain('Please review the fields above--they currently have other managers.');
    await done(['apply', '--server-side', '-f', '-'], deployment('ssa', undefined));
    expect(await done(['get', 'deployment', 'ssa', '-o', 'jsonpath={.spec.replicas}'])).toBe('3');
    await done(['apply', '--server-side', '--force-conflicts', '-f', '-'], file);
    expect(await done(['get', 'deployment', 'ssa', '-o', 'jsonpath={.spec.replicas}'])).toBe('1');
  });

  test('takes over from a client-side apply, and gives back to it', async () => {
    await done(['apply', '-f', '-'], configMap('moves', { a: '1', b: '1' }));
    await done(['apply', '--server-side', '-f', '-'], configMap('moves', { a: '2' }));
    const data = ['get', 'configmap', 'moves', '-o', 'jsonpath={.data}'];
    expect(JSON.parse(await done(data))).toEqual({ a: '2' });
    await done(['apply', '-f', '-'], configMap('moves', { a: '3', c: '1' }));
    expect(JSON.parse(await done(data))).toEqual({ a: '3', c: '1' });
  });

  test('names the field that is not known', async () => {
    const { code, stderr } = await kubectl(['apply', '--server-side', '-f', '-'], `${configMap('x', {})}datta: {}\n`);
    expect(code).toBe(1);
    expect(stderr).toContain('.datta: field not declared in schema');
  });
});

describe('kubectl apply', () => {
  test('changes what differs, and prunes what is no longer there', async () => {
    const label = '  labels: {set: pruned}\n';
    const both = [configMap('one', { a: '1' }, label), configMap('two', { a: '1' }, label)].join('---\n');
    const prune = ['apply', '--prune', '-l', 'set=pruned', '--prune-allowlist=core/v1/ConfigMap', '-f', '-'];
    expect((await kubectl(prune, both)).stdout).toBe('configmap/one created\nconfigmap/two created\n');
    const fewer = await kubectl(prune, configMap('one', { a: '2' }, label));
    expect(fewer.stdout).toBe('configmap/one configured\nconfigmap/two pruned\n');
    const again = await kubectl(prune, configMap('one', { a: '2' }, label));
    expect(again.stdout).toBe('configmap/one unchanged\n');
  });

  test('changes lists of ports and environments by key', async () => {
    await done(['apply', '-f', '-'], deployment('csa', 1));
    await done(['set', 'env', 'deployment/csa', 'KEPT=yes']);
    await done(['apply', '-f', '-'], deployment('csa', 1, 'image:2'));
    const text = await done(['get', 'deployment', 'csa', '-o', 'jsonpath={.spec.template.spec.containers}']);
    expect(JSON.parse(text)).toMatchObject([{ image: 'image:2', env: [{ name: 'KEPT', value: 'yes' }] }]);
  });

  test('keeps sets of objects by an applyset', async () => {
    const env = { KUBECTL_APPLYSET: 'true' };
    const args = ['apply', '--prune', '--applyset=secret/my-set', '-n', 'default', '-f', '-'];
    const both = [configMap('in-one', { a: '1' }), configMap('in-two', { a: '1' })].join('---\n');
    const made = await withEnv(env, args, both);
    expect([made.code, made.stdout]).toEqual([0, 'configmap/in-one created\nconfigmap/in-two created\n']);
    const fewer = await withEnv(env, args, configMap('in-one', { a: '1' }));
    expect([fewer.code, fewer.stdout]).toEqual([0, 'configmap/in-one unchanged\nconfigmap/in-two pruned\n']);
    const parent = await done(['get', 'secret', 'my-set', '-o', 'jsonpath={.metadata.labels}']);
    expect(parent).toContain('applyset.kubernetes.io/id');
  });
});

describe('kubectl diff, edit and wait', () => {
  test('diff shows what would change, of both kinds of apply', async () => {
    await done(['apply', '-f', '-'], configMap('differs', { a: '1' }));
    const same = await kubectl(['diff', '-f', '-'], configMap('differs', { a: '1' }));
    expect([same.code, same.stdout]).toEqual([0, '']);
    for (const flags of [[], ['--server-side', '--force-conflicts']]) {
      const { code, stdout } = await kubectl(['diff', ...flags, '-f', '-'], configMap('differs', { a: '2' }));
      expect(code).toBe(1);
      expect(stdout).toContain('-  a: "1"');
      expect(stdout).toContain('+  a: "2"');
    }
    expect(await done(['get', 'configmap', 'differs', '-o', 'jsonpath={.data.a}'])).toBe('1');
  });

  test('edit writes what the editor leaves', async () => {
    await done(['apply', '-f', '-'], configMap('edited', { word: 'before' }));
    const editor = join(folder, 'editor.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/before/after/" "$1"\n', { mode: 0o755 });
    const { code, stdout } = await withEnv({ KUBE_EDITOR: editor }, ['edit', 'configmap', 'edited']);
    expect([code, stdout]).toEqual([0, 'configmap/edited edited\n']);
    expect(await done(['get', 'configmap', 'edited', '-o', 'jsonpath={.data.word}'])).toBe('after');
  });

  test('wait ends when a condition, a field or a deletion comes about', async () => {
    await done(['apply', '-f', '-'], deployment('awaited', 1));
    const available = await done(['wait', 'deployment/awaited', '--for=condition=Available', '--timeout=60s']);
    expect(available).toBe('deployment.apps/awaited condition met\n');
    await done(['wait', 'deployment/awaited', '--for=jsonpath={.status.readyReplicas}=1', '--timeout=60s']);
    const deleted = kubectl(['wait', 'deployment/awaited', '--for=delete', '--timeout=60s']);
    await done(['delete', 'deployment', 'awaited']);
    expect((await deleted).code).toBe(0);
    const late = await kubectl(['wait', 'configmap/edited', '--for=delete', '--timeout=1s']);
    expect(late.stderr).toContain('timed out waiting for the condition on configmaps/edited');
  });

  test('patches of all types, and a watch', async () => {
    await done(['apply', '-f', '-'], configMap('patched', { a: '1' }));
    await done(['patch', 'configmap', 'patched', '--type=merge', '-p', '{"data":{"b":"2"}}']);
    await done(['patch', 'configmap', 'patched', '--type=json', '-p', '[{"op":"remove","path":"/data/a"}]']);
    const watch = kubectl([
      'get',
      'configmap',
      'patched',
      '-o',
      'jsonpath={.data}{"\\n"}',
      '-w',
      '--request-timeout=3s',
    ]);
    const failed = await kubectl([
      'patch',
      'configmap',
      'patched',
      '--type=json',
      '-p',
      '[{"op":"test","path":"/data/b","value":"3"}]',
    ]);
    expect(failed.stderr).toBe(
      'The request is invalid: the server rejected our request due to an error in our request\n',
    );
    const { stdout } = await watch;
    expect(stdout).toContain('{"b":"2"}');
  });
});
