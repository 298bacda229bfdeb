import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runTiphys, spawnTiphys } from './support/cluster.ts';
import { eventually } from './support/eventually.ts';
import { snapshotMachine } from './support/machine.ts';
import { kubectlFor } from './support/run.ts';

const OTHER = `# mine
apiVersion: v1
kind: Config
clusters:
  - name: work
    cluster: { server: "https://work.example:6443", custom: kept }
users:
  - name: me
    user: { token: secret }
contexts:
  - name: work
    context: { cluster: work, user: me }
current-context: work
`;

interface Kubeconfig {
  readonly 'current-context': string;
  readonly contexts: readonly { readonly name: string }[];
  readonly clusters: readonly { readonly name: string; readonly cluster: Record<string, unknown> }[];
}

describe('up in the foreground', () => {
  let folder: string;
  let dataDir: string;
  let kubeconfig: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tiphys-up-'));
    dataDir = join(folder, 'data');
    kubeconfig = join(folder, 'config');
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGTERM');
    await runTiphys('delete', '--data-dir', dataDir, '--kubeconfig', kubeconfig);
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (...args: string[]) => {
    const child = spawnTiphys(['up', '--data-dir', dataDir, '--kubeconfig', kubeconfig, '--port', '0', ...args]);
    children.push(child);
    const output = { text: '' };
    child.stderr?.on('data', (chunk: Buffer) => {
      output.text += chunk.toString();
    });
    const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
    return { child, output, exit };
  };
  const ready = (output: { text: string }) =>
    eventually(
      'the cluster is ready',
      async () => output.text,
      (text) => text.includes('ready in '),
    );

  test('prints steps and the next command, Ctrl-C leaves nothing, and a new start finds the same objects', async () => {
    writeFileSync(kubeconfig, OTHER, { mode: 0o644 });
    const before = await snapshotMachine();
    const first = start();
    await ready(first.output);
    expect(first.output.text).toMatch(/✓ control plane \(\d+/);
    expect(first.output.text).toMatch(/ready in [\d.]+ s: https:\/\/127\.0\.0\.1:\d+/);
    expect(first.output.text).toContain(`next: npx tiphys kubectl --data-dir ${dataDir} get nodes`);
    const kubectl = await kubectlFor(kubeconfig);
    await kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
    first.child.kill('SIGINT');
    expect(await first.exit).toBe(0);
    expect(await snapshotMachine()).toEqual(before);

    const second = start();
    await ready(second.output);
    expect(await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('b');
    second.child.kill('SIGTERM');
    expect(await second.exit).toBe(0);
  });

  test('adds its context to the kubeconfig and takes it away again, and leaves the rest alone', async () => {
    writeFileSync(kubeconfig, OTHER, { mode: 0o644 });
    const { child, output, exit } = start('--runtime', 'simulated');
    await ready(output);
    expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
    const text = readFileSync(kubeconfig, 'utf8');
    expect(text).toContain('# mine');
    // Safe: the parts that are looked at below.
    const config = parse(text) as Kubeconfig;
    expect(config['current-context']).toBe('tiphys');
    expect(config.contexts.map(({ name }) => name)).toEqual(['work', 'tiphys']);
    expect(config.clusters[0]?.cluster['custom']).toBe('kept');
    child.kill('SIGINT');
    expect(await exit).toBe(0);
    // Stopped, but not gone: the context stays for the next start.
    expect(readFileSync(kubeconfig, 'utf8')).toContain('tiphys');
  });

  test('delete removes the data and the context', async () => {
    const { child, output, exit } = start('--runtime', 'simulated');
    await ready(output);
    const deleted = await runTiphys('delete', '--data-dir', dataDir, '--kubeconfig', kubeconfig);
    expect(deleted.code, deleted.stderr).toBe(0);
    expect(await exit).toBe(0);
    expect(existsSync(dataDir)).toBe(false);
    expect(readFileSync(kubeconfig, 'utf8')).not.toContain('tiphys');
    expect(child.exitCode).toBe(0);
  });

  test('a second up of the same data directory says that one is running', async () => {
    const { output } = start('--runtime', 'simulated');
    await ready(output);
    const again = await runTiphys('up', '--data-dir', dataDir, '--no-kubeconfig', '--runtime', 'simulated');
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('is running in');
    expect(again.stderr).toContain('tiphys down');
    const detached = await runTiphys('up', '--detach', '--data-dir', dataDir, '--no-kubeconfig');
    expect(detached.code).toBe(1);
    expect(detached.stderr).toContain('is running in');
    const status = await runTiphys('status', '--data-dir', dataDir);
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(/state\s+ready/);
  });
});
