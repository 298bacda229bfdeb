import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { type MachineSnapshot, snapshotMachine } from './machine.ts';
import { canRunContainers } from './requirements.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', '..', 'examples');
const TRANSFER_BYTES = 50 * 1024 * 1024;

/** Starts a cluster, tells the story, stops the cluster, and compares the machine with what it was before. */
export function tellStoryOf(runtime: 'containerd' | 'process'): void {
  let before: MachineSnapshot;
  let cluster: TestCluster | undefined;

  beforeAll(async () => {
    before = await snapshotMachine();
    cluster = await startCluster({ runtime });
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  tellStory(() => {
    if (cluster === undefined) throw new Error('the cluster did not start');
    return cluster;
  });

  test('nothing is left after stop', async () => {
    await cluster?.[Symbol.asyncDispose]();
    cluster = undefined;
    expect(await snapshotMachine()).toEqual(before);
  });
}

/**
 * The story of a first user, told with real kubectl. The same for every runtime that runs real programs; `cluster` is
 * asked for at each step, since it starts in a hook. Steps build on each other.
 */
function tellStory(cluster: () => TestCluster): void {
  const kubectl = (...args: string[]) => cluster().kubectl(...args);
  const podNames = async () =>
    (await kubectl('get', 'pods', '-l', 'app=web', '--field-selector=status.phase=Running', '-o', 'name'))
      .trim()
      .split('\n')
      .map((name) => name.replace('pod/', ''));

  /** The client pod's program takes one connection: one that comes before it listens would be refused. */
  const untilListening = (port: number) => {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    return eventually(
      `port ${port} is listened on`,
      () => kubectl('exec', 'client', '--', 'cat', '/proc/net/tcp', '/proc/net/tcp6'),
      (table) => new RegExp(`:${hex} [0-9A-F]+:0000 0A `).test(table),
    );
  };

  test('apply: ConfigMap, Deployment and Service come up, and rollout status and wait agree', async () => {
    const applied = await kubectl('apply', '-f', join(EXAMPLES, 'web.yaml'));
    expect(applied).toContain('configmap/web-page created');
    expect(applied).toContain('deployment.apps/web created');
    expect(applied).toContain('service/web created');
    const status = await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    expect(status).toContain('deployment "web" successfully rolled out');
    const waited = await kubectl('wait', '--for=condition=Available', 'deployment/web', '--timeout=60s');
    expect(waited).toContain('deployment.apps/web condition met');
    await kubectl('apply', '-f', join(EXAMPLES, 'client.yaml'));
    await kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
    expect(await kubectl('apply', '-f', join(EXAMPLES, 'web.yaml'))).toContain('deployment.apps/web unchanged');
  });

  test('get -o wide and describe show what runs', async () => {
    const wide = await kubectl('get', 'pods', '-l', 'app=web', '-o', 'wide');
    expect(wide).toMatch(/NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\s+IP\s+NODE\s+NOMINATED NODE\s+READINESS GATES/);
    expect(wide.match(/1\/1\s+Running/g)).toHaveLength(3);
    const described = await kubectl('describe', 'pods', '-l', 'app=web');
    expect(described).toContain('Successfully assigned default/web-');
    expect(described).toContain('Started');
    expect(described).toMatch(/QoS Class:\s+Burstable/);
    const deployment = await kubectl('describe', 'deployment', 'web');
    expect(deployment).toMatch(/Scaled up replica set web-\w+ from 0 to 3/);
    const nodes = await kubectl('get', 'nodes', '-o', 'wide');
    expect(nodes).toMatch(/Ready\s+<none>\s+\S+\s+v1\.36\.\d+/);
  });

  test('logs and logs -f', async () => {
    const [name = ''] = await podNames();
    expect(await kubectl('logs', name)).toContain(`serving Hello from ${name}`);
    const seen = await follow(cluster(), ['logs', '-f', name], 'serving Hello');
    expect(seen).toContain(name);
    expect(await kubectl('logs', 'deployment/web', '--tail=1')).toContain('serving');
  });

  test('exec: output, standard input and exit codes', async () => {
    const [name = ''] = await podNames();
    expect((await kubectl('exec', name, '--', 'cat', '/etc/web/index.html')).trim()).toBe('Hello from HOSTNAME');
    const piped = await cluster().kubectl.try(['exec', '-i', name, '--', 'wc', '-c'], { input: 'x'.repeat(100_000) });
    expect(piped.stdout.trim()).toBe('100000');
    const failed = await cluster().kubectl.try(['exec', name, '--', 'sh', '-c', 'echo no >&2; exit 7']);
    expect(failed.code).toBe(7);
    expect(failed.stderr).toContain('no');
  });

  test('run -i attaches to the container, and run --rm removes the pod', async () => {
    const args = ['run', 'once', '-i', '--rm', '--restart=Never', '--image=localhost/busybox:1', '--', 'cat'];
    const result = await cluster().kubectl.try(args, { input: 'through attach' });
    expect(result.stdout).toContain('through attach');
    expect((await cluster().kubectl.try(['get', 'pod', 'once'])).stderr).toContain('pods "once" not found');
  });

  test('cp moves 50 MB each way unchanged', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tiphys-cp-'));
    try {
      const source = join(folder, 'source');
      const bytes = randomBytes(TRANSFER_BYTES);
      writeFileSync(source, bytes);
      await kubectl('cp', source, 'client:/tmp/big');
      expect((await kubectl('exec', 'client', '--', 'wc', '-c', '/tmp/big')).trim()).toMatch(/^52428800 /);
      await kubectl('cp', 'client:/tmp/big', join(folder, 'back'));
      expect(digest(readFileSync(join(folder, 'back')))).toBe(digest(bytes));
      await kubectl('exec', 'client', '--', 'rm', '/tmp/big');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('port-forward carries requests', async () => {
    const port = await freePort();
    const child = spawn(cluster().kubectl.path, ['port-forward', 'service/web', `${port}:80`], {
      env: cluster().kubectl.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const body = await eventually(
        'an answer through port-forward',
        async () => (await fetch(`http://127.0.0.1:${port}/`)).text(),
        (text) => text.includes('Hello from web-'),
      );
      expect(body).toMatch(/Hello from web-/);
    } finally {
      child.kill('SIGTERM');
    }
  });

  test('port-forward moves 50 MB each way unchanged', async () => {
    const bytes = randomBytes(TRANSFER_BYTES);
    const [download, upload] = [await freePort(), await freePort()];
    // Each end of a transfer closes its side, which is how the other knows that it is over.
    const serve = `nc -l -p ${upload} -e sh -c 'cat > /tmp/up'; nc -l -p ${download} -e cat /tmp/up`;
    const inside = cluster().kubectl.try(['exec', 'client', '--', 'sh', '-c', serve]);
    const child = spawn(cluster().kubectl.path, ['port-forward', 'pod/client', String(upload), String(download)], {
      env: cluster().kubectl.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await untilListening(upload);
      await send(upload, bytes);
      await eventually(
        'the upload is whole',
        () => kubectl('exec', 'client', '--', 'sh', '-c', 'wc -c < /tmp/up'),
        (text) => text.trim() === String(TRANSFER_BYTES),
      );
      await untilListening(download);
      const back = await receive(download);
      expect(back).toHaveLength(TRANSFER_BYTES);
      expect(digest(back)).toBe(digest(bytes));
      expect((await inside).code).toBe(0);
    } finally {
      child.kill('SIGTERM');
      await kubectl('exec', 'client', '--', 'rm', '-f', '/tmp/up');
    }
  });

  test('explain, api-resources and auth can-i', async () => {
    const explained = await kubectl('explain', 'deployment.spec.strategy');
    expect(explained).toContain('rollingUpdate');
    expect(explained).toMatch(/KIND:\s+Deployment/);
    const resources = await kubectl('api-resources');
    expect(resources).toMatch(/^deployments\s+deploy\s+apps\/v1\s+true\s+Deployment$/m);
    expect((await kubectl('auth', 'can-i', 'delete', 'pods')).trim()).toBe('yes');
    const nobody = await cluster().kubectl.try(['auth', 'can-i', 'delete', 'pods', '--as', 'somebody']);
    expect(nobody.stdout.trim()).toBe('no');
  });

  test('diff shows what apply would change', async () => {
    const manifest = readFileSync(join(EXAMPLES, 'web.yaml'), 'utf8').replace('replicas: 3', 'replicas: 4');
    const result = await cluster().kubectl.try(['diff', '-f', '-'], { input: manifest });
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^-\s+replicas: 3$/m);
    expect(result.stdout).toMatch(/^\+\s+replicas: 4$/m);
  });

  // Without root a pod has no network, and so no DNS, of its own.
  if (canRunContainers) {
    test('from another pod, http://web answers by DNS and is spread over the three', async () => {
      const script = 'for i in $(seq 40); do wget -q -O - http://web; done';
      const answers = (await kubectl('exec', 'client', '--', 'sh', '-c', script)).trim().split('\n');
      expect(answers).toHaveLength(40);
      expect(new Set(answers)).toEqual(new Set((await podNames()).map((name) => `Hello from ${name}`)));
      const full = await kubectl('exec', 'client', '--', 'nslookup', 'web.default.svc.cluster.local');
      expect(full).toContain((await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')).trim());
    });
  }

  test('scale up and down', async () => {
    await kubectl('scale', 'deployment/web', '--replicas=4');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    expect((await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')).trim()).toBe('4');
    await kubectl('scale', 'deployment/web', '--replicas=3');
    await eventually('three pods', podNames, (names) => names.length === 3);
  });

  test('killing the process in a container restarts it', async () => {
    const [name = ''] = await podNames();
    const restarts = () => kubectl('get', 'pod', name, '-o', 'jsonpath={.status.containerStatuses[0].restartCount}');
    expect(await restarts()).toBe('0');
    // The shell is the container's first process; its trap ends it.
    await cluster().kubectl.try(['exec', name, '--', 'sh', '-c', 'kill 1']);
    await eventually('one restart', restarts, (count) => count === '1');
    await kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  });

  test('deleting a pod replaces it', async () => {
    const before = await podNames();
    await kubectl('delete', 'pod', before[0] ?? '', '--wait=true');
    const after = await eventually('a new third pod', podNames, (names) => names.length === 3 && names[0] !== '');
    expect(after).not.toContain(before[0]);
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  });

  test('cordon and drain empty the node, uncordon fills it again', async () => {
    const node = (await kubectl('get', 'nodes', '-o', 'name')).trim().split('\n')[0]?.replace('node/', '') ?? '';
    await kubectl('cordon', node);
    expect(await kubectl('get', 'node', node)).toContain('Ready,SchedulingDisabled');
    await kubectl('drain', node, '--ignore-daemonsets', '--force', '--delete-emptydir-data', '--timeout=90s');
    const pending = await eventually(
      'pods that wait',
      () => kubectl('get', 'events', '--field-selector=reason=FailedScheduling', '-o', 'jsonpath={.items[*].message}'),
      (text) => text.includes('node(s) were unschedulable'),
    );
    expect(pending).toContain('0/1 nodes are available: 1 node(s) were unschedulable');
    await kubectl('uncordon', node);
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    await kubectl('apply', '-f', join(EXAMPLES, 'client.yaml'));
    await kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  });

  test('delete removes everything that apply made', async () => {
    await kubectl('delete', '-f', join(EXAMPLES, 'web.yaml'), '-f', join(EXAMPLES, 'client.yaml'), '--timeout=90s');
    await eventually(
      'no pods',
      () => kubectl('get', 'pods', '-o', 'name'),
      (names) => names.trim() === '',
    );
  });
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function send(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

/** Everything that comes until the other end closes. */
function receive(port: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks)));
  });
}

/** Runs kubectl until its output contains `text`, then ends it. */
function follow(cluster: TestCluster, args: readonly string[], text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(cluster.kubectl.path, [...args], {
      env: cluster.kubectl.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes(text)) child.kill('SIGTERM');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', () =>
      seen.includes(text) ? resolve(seen) : reject(new Error(`kubectl ${args.join(' ')}: ${seen}`)),
    );
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      // Safe: a listening TCP server has an address of this form.
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
