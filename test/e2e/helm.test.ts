import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../src/cli/kubectl-binary.ts';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { run } from './support/run.ts';

describe('helm', () => {
  let cluster: TestCluster;
  let chart: string;

  beforeAll(async () => {
    cluster = await startCluster({ runtime: 'simulated' });
    chart = mkdtempSync(join(tmpdir(), 'tiphys-chart-'));
    mkdirSync(join(chart, 'templates'));
    writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: chart\nversion: 0.1.0\n');
    const map =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {a: "{{ .Values.a }}"}\n';
    writeFileSync(join(chart, 'templates', 'map.yaml'), map);
  });

  afterAll(async () => {
    rmSync(chart, { recursive: true, force: true });
    await cluster[Symbol.asyncDispose]();
  });

  test('installs, upgrades, rolls back and uninstalls a chart', async () => {
    const path = await findTool('helm', { preferNpm: true });
    const helm = async (...args: string[]) => {
      const result = await run(path, args, { env: { ...process.env, KUBECONFIG: cluster.kubeconfig } });
      expect(result.code, result.stderr).toBe(0);
      return result.stdout;
    };
    const value = () => cluster.kubectl('get', 'configmap', 'release', '-o', 'jsonpath={.data.a}');
    await helm('install', 'release', chart, '--set', 'a=1');
    expect(await value()).toBe('1');
    await helm('upgrade', 'release', chart, '--set', 'a=2');
    expect(await value()).toBe('2');
    await helm('rollback', 'release', '1');
    expect(await value()).toBe('1');
    expect(await helm('list')).toMatch(/release\s+default\s+3/);
    await helm('uninstall', 'release');
    expect((await cluster.kubectl.try(['get', 'configmap', 'release'])).code).toBe(1);
  });
});
