import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './support/eventually.ts';
import { type Kubectl, kubectlFor } from './support/run.ts';

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'tiphys.mjs');

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'paper' },
  status: {
    allocatable: { cpu: '4', memory: '8Gi', pods: '20' },
    capacity: { cpu: '4', memory: '8Gi', pods: '20' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'as if' }],
  },
};

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'nowhere/web:1' }] },
    },
  },
};

/** A component in a process of its own. */
class Component {
  readonly #child: ChildProcess;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
  output = '';

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => this.#child.once('exit', resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.ended;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function ask(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

describe('components in processes of their own', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tiphys-components-'));
  const running: Component[] = [];
  let kubectl: Kubectl;
  let healthPort = 0;

  const start = (...args: string[]) => {
    const component = new Component(args);
    running.push(component);
    return component;
  };
  const startScheduler = (port: number) =>
    start(
      'scheduler',
      `--kubeconfig=${join(dataDir, 'scheduler.conf')}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
    );
  const nodesOfPods = () => kubectl('get', 'pods', '-o', 'jsonpath={range .items[*]}[{.spec.nodeName}]{end}');
  const holder = () =>
    kubectl('get', 'lease', 'kube-scheduler', '-n', 'kube-system', '-o', 'jsonpath={.spec.holderIdentity}');
  const apply = async (object: object) => {
    const { code, stderr } = await kubectl.try(['apply', '-f', '-'], { input: JSON.stringify(object) });
    if (code !== 0) throw new Error(stderr);
  };

  beforeAll(async () => {
    const args = ['--data-dir', dataDir, '--port', '0', '--disable', 'scheduler,controller-manager'];
    const server = start('server', ...args);
    await eventually(
      'the server serves',
      async () => server.output,
      (text) => text.includes('serving https://'),
    );
    kubectl = await kubectlFor(join(dataDir, 'admin.conf'));
    healthPort = await freePort();
  });

  afterAll(async () => {
    for (const component of running.toReversed()) await component.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  test('the controllers make pods with their own service accounts', async () => {
    const port = await freePort();
    start(
      'controller-manager',
      `--kubeconfig=${join(dataDir, 'controller-manager.conf')}`,
      '--use-service-account-credentials',
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--root-ca-file=${join(dataDir, 'pki', 'ca.crt')}`,
    );
    await eventually('the service account', () => kubectl('get', 'serviceaccount', 'default'), Boolean);
    const { status, ...node } = NODE;
    await apply(node);
    await kubectl('patch', 'node', 'paper', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }));
    await apply(DEPLOYMENT);
    await eventually('two pods', nodesOfPods, (nodes) => nodes === '[][]');
    await eventually('the root certificate', () => kubectl('get', 'configmap', 'kube-root-ca.crt'), Boolean);
    expect(await ask(port, '/healthz')).toEqual({ status: 200, body: 'ok' });
    expect((await ask(port, '/nothing')).status).toBe(404);
  });

  test('the scheduler binds them', async () => {
    startScheduler(healthPort);
    await eventually('bound pods', nodesOfPods, (nodes) => nodes === '[paper][paper]');
    expect(await ask(healthPort, '/readyz')).toEqual({ status: 200, body: 'ok' });
  });

  test('a second scheduler waits, and takes over when the first one stops', async () => {
    const first = running.at(-1);
    const before = await holder();
    startScheduler(await freePort());
    expect(await first?.stop()).toBe(0);
    await eventually('another holder', holder, (now) => now !== '' && now !== before);
    await kubectl('scale', 'deployment', 'web', '--replicas=3');
    await eventually('a third bound pod', nodesOfPods, (nodes) => nodes === '[paper][paper][paper]');
  });

  test('says what is wrong and ends', async () => {
    const wrong = new Component([
      'controller-manager',
      '--kubeconfig',
      join(dataDir, 'admin.conf'),
      '--controllers',
      'x',
    ]);
    running.push(wrong);
    await eventually(
      'the message',
      async () => wrong.output,
      (text) => text.includes('no controller is named x'),
    );
    expect(await wrong.ended).toBe(1);
    expect(readFileSync(join(dataDir, 'scheduler.conf'), 'utf8')).not.toContain('system:masters');
  });
});
