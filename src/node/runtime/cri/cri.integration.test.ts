import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RealClock } from '#machinery/clock/real-clock.ts';
import { silentLogger } from '#machinery/log/logger.ts';

import { loadIntoContainerd } from '../../image/load-containerd.ts';
import { buildBusyboxImage, buildPauseImage, PAUSE_IMAGE } from '../../image/local-images.ts';
import type { ContainerConfig, PodSandboxConfig } from '../contract.ts';
import { findProcessesByArgument, readText } from '../linux-process.ts';
import { Containerd, missingPrograms } from './containerd.ts';
import { CriRuntime } from './cri-runtime.ts';

const BUSYBOX = '/usr/bin/busybox';
const PATH = process.env['PATH'] ?? '';
const environment = { PATH };
const clock = new RealClock();
const deps = { clock, log: silentLogger };
const missing = [
  ...(process.platform === 'linux' && process.getuid?.() === 0 ? [] : ['root on Linux']),
  ...(existsSync(BUSYBOX) ? [] : ['busybox-static']),
  ...missingPrograms(PATH),
];
const CGROUP_PARENT = '/tiphys-cri-test';

let directory = '';
let containerd: Containerd;
let runtime: CriRuntime;

async function start(): Promise<void> {
  const [rootDir, stateDir, cniConfDir] = ['root', 'state', 'cni'].map((name) => join(directory, name));
  containerd = await Containerd.start(
    { rootDir: rootDir!, stateDir: stateDir!, cniConfDir: cniConfDir!, sandboxImage: PAUSE_IMAGE, environment },
    deps,
  );
  runtime = await CriRuntime.connect(containerd.endpoint, { clock });
}

async function text(stream: Readable | undefined): Promise<string> {
  let all = '';
  for await (const chunk of stream ?? []) all += String(chunk);
  return all;
}

// The host's network: this test is about the runtime; the node's network room tests CNI.
const NAMESPACES = { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } as const;

function sandboxConfig(): PodSandboxConfig {
  return {
    metadata: { name: 'web', uid: 'uid-1', namespace: 'default', attempt: 0 },
    hostname: 'web',
    logDirectory: join(directory, 'logs'),
    portMappings: [],
    labels: { app: 'web' },
    annotations: { note: 'x' },
    linux: {
      cgroupParent: CGROUP_PARENT,
      sysctls: {},
      securityContext: {
        namespaceOptions: NAMESPACES,
        supplementalGroups: [],
        readonlyRootfs: false,
        privileged: false,
        seccomp: { profileType: 'RuntimeDefault' },
      },
    },
  };
}

function containerConfig(command: string[]): ContainerConfig {
  return {
    metadata: { name: 'main', attempt: 0 },
    image: { image: 'busybox', userSpecifiedImage: 'busybox' },
    command,
    args: [],
    workingDir: '/tmp',
    envs: [{ key: 'GREETING', value: 'hello' }],
    mounts: [{ containerPath: '/www', hostPath: join(directory, 'www'), readonly: true, propagation: 'PRIVATE' }],
    devices: [],
    labels: { app: 'web' },
    annotations: {},
    logPath: 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    stopSignal: 'SIGTERM',
    linux: {
      resources: { cpuShares: 102, memoryLimitInBytes: 64 * 1024 * 1024 },
      securityContext: {
        capabilities: { add: [], drop: ['NET_RAW'] },
        privileged: false,
        namespaceOptions: NAMESPACES,
        readonlyRootfs: false,
        supplementalGroups: [],
        noNewPrivs: false,
        runAsUser: 0,
        maskedPaths: [],
        readonlyPaths: [],
        seccomp: { profileType: 'RuntimeDefault' },
      },
    },
  };
}

const title = missing.length === 0 ? 'CriRuntime with containerd' : `CriRuntime (skipped: no ${missing.join(', ')})`;

describe.skipIf(missing.length > 0)(`${title}`, { timeout: 60_000 }, () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tiphys-cri-'));
    await mkdir(join(directory, 'www'));
    await writeFile(join(directory, 'www/big'), Buffer.alloc(10 * 1024 * 1024, 'b'));
    await start();
    const isPresent = async (name: string): Promise<boolean> => (await runtime.imageStatus(name)) !== undefined;
    const archives = [join(directory, 'pause.tar'), join(directory, 'busybox.tar')];
    await buildPauseImage({ busybox: BUSYBOX, output: archives[0]! });
    await buildBusyboxImage({ busybox: BUSYBOX, output: archives[1]! });
    for (const archive of archives) {
      await loadIntoContainerd(archive, { endpoint: containerd.endpoint, environment }, { clock, isPresent });
    }
  }, 60_000);

  afterAll(async () => {
    await runtime.close();
    await containerd.stop({ containers: 'remove' });
    const left = [
      ...findProcessesByArgument(join(directory, 'state/containerd.sock')).map((pid) => `process ${pid}`),
      ...(readText('/proc/self/mountinfo') ?? '').split('\n').filter((line) => line.includes(directory)),
      ...(existsSync(join(directory, 'state')) ? ['state folder'] : []),
    ];
    await removeCgroups();
    await rm(directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  }, 60_000);

  test('runs a pod from its start to its end, over a restart of containerd', async () => {
    expect(await runtime.version()).toMatchObject({ runtimeName: 'containerd', runtimeApiVersion: 'v1' });
    expect(await runtime.imageStatus('nothing:1')).toBeUndefined();
    expect((await runtime.listImages()).flatMap(({ repoTags }) => repoTags).sort()).toEqual([
      'docker.io/library/busybox:latest',
      PAUSE_IMAGE,
    ]);
    const sandbox = sandboxConfig();
    const sandboxId = await runtime.runPodSandbox(sandbox, { runtimeHandler: '' });
    const port = await freePort();
    const command = [
      'sh',
      '-c',
      `echo $GREETING; echo err >&2; pwd; httpd -p 127.0.0.1:${port} -h /www; trap "exit 7" TERM; while :; do sleep 0.1; done`,
    ];
    const id = await runtime.createContainer(sandboxId, containerConfig(command), sandbox);
    expect(await runtime.containerStatus(id)).toMatchObject({
      state: 'CREATED',
      startedAtMs: 0,
      podSandboxId: sandboxId,
    });
    await runtime.startContainer(id);
    expect(await runtime.containerStatus(id)).toMatchObject({
      state: 'RUNNING',
      image: 'docker.io/library/busybox:latest',
      labels: { app: 'web' },
      logPath: join(directory, 'logs/main/0.log'),
    });
    expect(await runtime.listContainers({ labels: { app: 'other' } })).toEqual([]);
    expect(await runtime.listPodSandboxes({ labels: { app: 'web' } })).toMatchObject([
      { id: sandboxId, state: 'READY' },
    ]);

    // Exec, both kinds.
    const result = await runtime.execSync(id, ['sh', '-c', 'echo out; echo err >&2; exit 3'], { timeoutMs: 10_000 });
    expect([result.exitCode, String(Buffer.from(result.stdout))]).toEqual([3, 'out\n']);
    expect(await runtime.execSync(id, ['sleep', '60'], { timeoutMs: 500 })).toMatchObject({ timedOut: true });
    const streams = { tty: false, stdin: true, stdout: true, stderr: true };
    const session = await runtime.exec(id, { command: ['sh', '-c', 'cat; exit 4'], ...streams });
    session.stderr?.resume();
    session.stdin?.end('through');
    expect(await text(session.stdout)).toBe('through');
    expect(await session.exit).toEqual({ type: 'exited', exitCode: 4 });
    const terminal = await runtime.exec(id, { command: ['sh', '-c', 'stty size; tty'], ...streams, tty: true });
    terminal.resize({ width: 132, height: 43 });
    expect(await text(terminal.stdout)).toContain('/dev/pts/');
    expect(await terminal.exit).toEqual({ type: 'exited', exitCode: 0 });
    const missingCommand = await runtime.exec(id, { command: ['nope'], ...streams, stdin: false });
    missingCommand.stdout?.resume();
    missingCommand.stderr?.resume();
    expect(await missingCommand.exit).toMatchObject({
      type: 'failed',
      message: expect.stringContaining('exec: "nope": executable file not found in $PATH'),
    });

    // Ten megabytes through a port-forward.
    const connection = await runtime.portForward(sandboxId, port);
    connection.write('GET /big HTTP/1.0\r\n\r\n');
    let received = 0;
    for await (const chunk of connection) received += (chunk as Buffer).length;
    expect(received).toBeGreaterThan(10 * 1024 * 1024);

    // Another containerd finds the pod running.
    await runtime.close();
    await containerd.stop({ containers: 'keep' });
    await start();
    expect(await runtime.containerStatus(id)).toMatchObject({ state: 'RUNNING' });
    const [stats] = await runtime.containerStats({ labels: { app: 'web' } });
    expect(stats?.memoryWorkingSetBytes).toBeGreaterThan(0);

    await runtime.stopContainer(id, { timeoutSeconds: 20 });
    expect(await runtime.containerStatus(id)).toMatchObject({ state: 'EXITED', exitCode: 7, reason: 'Error' });
    const log = (await readFile(join(directory, 'logs/main/0.log'), 'utf8')).replaceAll(/^\S+ /gm, '');
    expect(log.split('\n').sort()).toEqual(['', 'stderr F err', 'stdout F /tmp', 'stdout F hello']);
    expect(await runtime.containerStatus('0'.repeat(64))).toBeUndefined();
    expect(await runtime.podSandboxStatus('0'.repeat(64))).toBeUndefined();
  });

  test('attaches to a container and opens a fresh log', async () => {
    const sandbox = { ...sandboxConfig(), metadata: { name: 'cat', uid: 'uid-3', namespace: 'default', attempt: 0 } };
    const sandboxId = await runtime.runPodSandbox(sandbox, { runtimeHandler: '' });
    const config = { ...containerConfig(['cat']), stdin: true, stdinOnce: true, logPath: 'cat/0.log' };
    const id = await runtime.createContainer(sandboxId, config, sandbox);
    await runtime.startContainer(id);
    const log = join(directory, 'logs/cat/0.log');
    await rename(log, `${log}.1`);
    await runtime.reopenContainerLog(id);
    const session = await runtime.attach(id, { tty: false, stdin: true, stdout: true, stderr: true });
    session.stderr?.resume();
    session.stdin?.end('typed\n');
    expect(await text(session.stdout)).toBe('typed\n');
    expect(await session.exit).toEqual({ type: 'exited', exitCode: 0 });
    expect(await readFile(log, 'utf8')).toMatch(/ stdout F typed\n$/);
    await runtime.removePodSandbox(sandboxId);
    expect(await runtime.podSandboxStatus(sandboxId)).toBeUndefined();
  });

  test("says what cannot start, in the runtime's words", async () => {
    const sandbox = { ...sandboxConfig(), metadata: { name: 'bad', uid: 'uid-2', namespace: 'default', attempt: 0 } };
    const sandboxId = await runtime.runPodSandbox(sandbox, { runtimeHandler: '' });
    const id = await runtime.createContainer(sandboxId, containerConfig(['no-such-command']), sandbox);
    await expect(runtime.startContainer(id)).rejects.toThrow(
      'exec: "no-such-command": executable file not found in $PATH',
    );
    expect(await runtime.containerStatus(id)).toMatchObject({ state: 'EXITED', exitCode: 128, reason: 'StartError' });
    await runtime.stopPodSandbox(sandboxId);
    await runtime.removePodSandbox(sandboxId);
    // A pod that is still there is for the end: stopping containerd must remove it.
  });
});

test('CriRuntime says that nobody answers', async () => {
  await expect(CriRuntime.connect('unix:///nonexistent/containerd.sock', { clock })).rejects.toMatchObject({
    code: 'Unavailable',
  });
});

test('Containerd says what is missing', async () => {
  const options = { rootDir: '/x', stateDir: `/${'x'.repeat(120)}`, cniConfDir: '/x', sandboxImage: 'x', environment };
  await expect(Containerd.start(options, deps)).rejects.toThrow(/not found: |socket path is too long/);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function removeCgroups(): Promise<void> {
  for (const controller of await readdir('/sys/fs/cgroup')) {
    const folder = join('/sys/fs/cgroup', controller, CGROUP_PARENT);
    if (existsSync(folder)) await rmdir(folder);
  }
}
