import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { canRunContainers, whyNoContainers } from './support/requirements.ts';
import { run } from './support/run.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');

describe.skipIf(!canRunContainers)(`zero downtime with containerd${whyNoContainers}`, () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await startCluster({ runtime: 'containerd' });
    await buildSecondImage(cluster);
    await cluster.kubectl('apply', '-f', join(EXAMPLES, 'web.yaml'), '-f', join(EXAMPLES, 'client.yaml'));
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  test('no request fails during set image and rollout undo', async () => {
    const traffic = startTraffic(cluster);
    await cluster.kubectl('set', 'image', 'deployment/web', 'web=localhost/busybox:2');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    const images = await cluster.kubectl(
      'get',
      'pods',
      '-l',
      'app=web',
      '-o',
      'jsonpath={.items[*].spec.containers[*].image}',
    );
    expect(images).toContain('localhost/busybox:2');
    await cluster.kubectl('rollout', 'undo', 'deployment/web');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    const history = await cluster.kubectl('rollout', 'history', 'deployment/web');
    expect(history).toMatch(/^3\s/m);
    const answers = await traffic.stop();
    expect(answers.filter((line) => line !== 'ok')).toEqual([]);
    expect(answers.length).toBeGreaterThan(15);
  });
});

/** A request each 100 ms or so from the client pod, to the end. */
function startTraffic(cluster: TestCluster): { stop(): Promise<string[]> } {
  const script =
    'while [ ! -e /tmp/stop ]; do if wget -q -O /dev/null http://web; then echo ok; else echo failed at $(date); fi; sleep 0.1; done';
  const child = spawn(cluster.kubectl.path, ['exec', 'client', '--', 'sh', '-c', script], {
    env: cluster.kubectl.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return {
    stop: async () => {
      await cluster.kubectl('exec', 'client', '--', 'touch', '/tmp/stop');
      await ended;
      return output.trim().split('\n');
    },
  };
}

/** The same busybox under a second tag, built from the first image's own files. */
async function buildSecondImage(cluster: TestCluster): Promise<void> {
  const listed = await cluster.tiphys('image', 'list');
  expect(listed.stdout).toContain('localhost/busybox:1');
  const archive = join(cluster.dataDir, 'images', 'second.tar');
  const rootfs = join(cluster.dataDir, 'images', 'rootfs');
  const script = `mkdir -p ${rootfs}/bin ${rootfs}/tmp && cp /bin/busybox ${rootfs}/bin/busybox && ${rootfs}/bin/busybox --install -s ${rootfs}/bin && for f in ${rootfs}/bin/*; do [ -L $f ] && ln -sf busybox $f; done; chmod 1777 ${rootfs}/tmp`;
  expect((await run('sh', ['-c', script])).code).toBe(0);
  const built = await cluster.tiphys('image', 'build', '--tag', 'localhost/busybox:2', '--output', archive, rootfs);
  expect(built.code, built.stderr).toBe(0);
  expect(readFileSync(archive).length).toBeGreaterThan(100_000);
  const loaded = await cluster.tiphys('image', 'load', archive);
  expect(loaded.code, loaded.stderr).toBe(0);
  expect((await cluster.tiphys('image', 'list')).stdout).toContain('localhost/busybox:2');
}
