import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { kubectl, kubectlPath } from '../support/kubectl.ts';

const deployment = (image: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'httpd-deployment', labels: { app: 'httpd' } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'httpd' } },
      template: {
        metadata: { labels: { app: 'httpd' } },
        spec: { containers: [{ name: 'httpd', image, ports: [{ containerPort: 80 }] }] },
      },
    },
  });

conformanceTest(
  '[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]',
  async ({ kubeconfig }) => {
    const { code, stdout } = await kubectl(kubeconfig, ['api-versions']);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toContain('v1');
  },
);

conformanceTest(
  '[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info [Conformance]',
  async ({ kubeconfig }) => {
    const { stdout } = await kubectl(kubeconfig, ['cluster-info']);
    expect(stdout).toContain('Kubernetes control plane');
    expect(stdout).toContain('is running at');
  },
);

conformanceTest(
  '[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]',
  async ({ kubeconfig, namespace }) => {
    const place = ['-n', namespace, '-f', '-'];
    const created = await kubectl(kubeconfig, ['apply', ...place], { input: deployment('localhost/httpd:1') });
    expect(created.code, created.stderr).toBe(0);
    const same = await kubectl(kubeconfig, ['diff', ...place], { input: deployment('localhost/httpd:1') });
    expect(same.code, same.stdout).toBe(0);
    const other = await kubectl(kubeconfig, ['diff', ...place], { input: deployment('localhost/busybox:2') });
    expect(other.code, other.stderr).toBe(1);
    expect(other.stdout).toMatch(/^-\s+- image: localhost\/httpd:1$/m);
    expect(other.stdout).toMatch(/^\+\s+- image: localhost\/busybox:2$/m);
  },
);

conformanceTest(
  '[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]',
  async ({ kubeconfig }) => {
    const { stdout } = await kubectl(kubeconfig, ['version']);
    expect(stdout).toMatch(/^Client Version: v\d+\.\d+/m);
    expect(stdout).toMatch(/^Server Version: v\d+\.\d+/m);
  },
);

conformanceTest(
  '[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]',
  async ({ kubeconfig }) => {
    await withProxy(kubeconfig, ['--port=0', '--disable-filter=true'], async (announced) => {
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(announced)?.[1]);
      const answer = await get({ host: '127.0.0.1', port });
      expect(answer['versions']).toContain('v1');
    });
  },
);

conformanceTest(
  '[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]',
  async ({ kubeconfig, after }) => {
    const folder = mkdtempSync(join(tmpdir(), 'kubectl-proxy-'));
    after(() => Promise.resolve(rmSync(folder, { recursive: true, force: true })));
    const socketPath = join(folder, 'socket');
    await withProxy(kubeconfig, [`--unix-socket=${socketPath}`], async (announced) => {
      expect(announced).toContain(socketPath);
      expect((await get({ socketPath }))['versions']).toContain('v1');
    });
  },
);

async function withProxy(
  kubeconfig: string,
  args: readonly string[],
  body: (announced: string) => Promise<void>,
): Promise<void> {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const proxy = spawn(kubectlPath(), ['proxy', ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => proxy.once('close', () => resolve()));
  try {
    const announced = await new Promise<string>((resolve, reject) => {
      proxy.stdout.once('data', (chunk) => resolve(String(chunk)));
      proxy.once('error', reject);
      proxy.once('exit', (code) => reject(new Error(`kubectl proxy ended with ${code}`)));
    });
    await body(announced);
  } finally {
    proxy.kill();
    await ended;
  }
}

function get(where: { host: string; port: number } | { socketPath: string }): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path: '/api/' }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      // Safe: `/api` answers with an object; a wrong shape fails the assertion.
      response.on('end', () => resolve(JSON.parse(text) as Record<string, unknown>));
    });
    sent.on('error', reject);
    sent.end();
  });
}
