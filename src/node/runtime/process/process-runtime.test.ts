import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { RealClock } from '#machinery/clock/real-clock.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';

import { buildBusyboxImage } from '../../image/local-images.ts';
import type { ContainerConfig, Mount, PodSandboxConfig } from '../contract.ts';
import { findProcessesByArgument } from '../linux-process.ts';
import { locateCgroup, removeCgroup } from './cgroup.ts';
import { type Isolation, type IsolationLevel, probeIsolation } from './isolation.ts';
import { ProcessRuntime } from './process-runtime.ts';

const BUSYBOX = '/usr/bin/busybox';
const PATH = process.env['PATH'] ?? '';
const clock = new RealClock();
const deps = { clock, random: new SystemRandom(), log: silentLogger };
const hasBusybox = existsSync(BUSYBOX) && process.platform === 'linux';

let directory = '';
let archive = '';
let probed: Isolation;

beforeAll(async () => {
  if (!hasBusybox) return;
  directory = await mkdtemp(join(tmpdir(), 'tiphys-process-test-'));
  archive = join(directory, 'busybox.tar');
  await buildBusyboxImage({ busybox: BUSYBOX, output: archive });
  probed = await probeIsolation(join(directory, 'probe'), PATH);
});

afterAll(async () => {
  if (directory !== '') await rm(directory, { recursive: true, force: true });
  // The pods' cgroup is the kubelet's to remove.
  await removeCgroup(locateCgroup('/', 'tiphys-process-test'), { clock: new RealClock(), log: silentLogger });
});

const NAMESPACES = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;

function sandboxConfig(logs: string): PodSandboxConfig {
  return {
    metadata: { name: 'web', uid: 'uid-1', namespace: 'default', attempt: 0 },
    hostname: 'web',
    logDirectory: logs,
    dnsConfig: { servers: ['10.96.0.10'], searches: ['svc.cluster.local'], options: ['ndots:5'] },
    portMappings: [],
    labels: { app: 'web' },
    annotations: {},
    linux: {
      cgroupParent: '/tiphys-process-test',
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

function containerConfig(command: string[], extra: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    metadata: { name: 'main', attempt: 0 },
    image: { image: 'busybox', userSpecifiedImage: 'busybox' },
    command,
    args: [],
    workingDir: '',
    envs: [{ key: 'GREETING', value: "it's me" }],
    mounts: [],
    devices: [],
    labels: { app: 'web' },
    annotations: {},
    logPath: 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: {
      resources: {},
      securityContext: {
        privileged: false,
        namespaceOptions: NAMESPACES,
        readonlyRootfs: false,
        supplementalGroups: [],
        noNewPrivs: false,
        maskedPaths: [],
        readonlyPaths: [],
        seccomp: { profileType: 'RuntimeDefault' },
      },
    },
    ...extra,
  };
}

async function text(stream: Readable | undefined): Promise<string> {
  let all = '';
  for await (const chunk of stream ?? []) all += String(chunk);
  return all;
}

/** Waits for something that a process of its own does; the test's timeout is the limit. */
async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await clock.sleep(10);
  }
}

const LEVELS: { title: string; level: IsolationLevel; hasOverlay: boolean }[] = [
  { title: 'root with overlay', level: 'root', hasOverlay: true },
  { title: 'user namespace', level: 'user', hasOverlay: true },
  { title: 'plain processes', level: 'none', hasOverlay: false },
];

describe.skipIf(!hasBusybox).each(LEVELS)(
  'ProcessRuntime, $title (needs /usr/bin/busybox)',
  ({ level, hasOverlay }) => {
    let home = '';
    let runtime: ProcessRuntime;
    let sandboxId = '';
    let sandbox: PodSandboxConfig;

    const open = async (): Promise<ProcessRuntime> => {
      return await ProcessRuntime.open(
        { directory: home, path: PATH, isolation: { ...probed, level, hasOverlay } },
        deps,
      );
    };
    const start = async (command: string[], extra: Partial<ContainerConfig> = {}): Promise<string> => {
      const id = await runtime.createContainer(sandboxId, containerConfig(command, extra), sandbox);
      await runtime.startContainer(id);
      return id;
    };
    const exited = (id: string) =>
      until(async () => {
        const status = await runtime.containerStatus(id);
        return status?.state === 'EXITED' ? status : undefined;
      });
    const log = async (): Promise<string[]> => {
      const file = join(sandbox.logDirectory, 'main/0.log');
      const lines = (existsSync(file) ? await readFile(file, 'utf8') : '').split('\n').filter((line) => line !== '');
      return lines.map((line) => line.replace(/^\S+Z /, ''));
    };

    beforeEach(async (context) => {
      // As root every level can be tried; else only what the probe found, and plain processes.
      if (level !== 'none' && level !== probed.level && probed.level !== 'root')
        context.skip(`needs isolation ${level}`);
      home = await mkdtemp(join(directory, 'node-'));
      runtime = await open();
      await runtime.images.load(archive);
      sandbox = sandboxConfig(join(home, 'logs'));
      sandboxId = await runtime.runPodSandbox(sandbox);
    });

    afterEach(async () => {
      if (home === '') return;
      await runtime.removeAll();
      if (findProcessesByArgument(join(home, 'supervisor.sock')).length > 0) throw new Error('a supervisor was left');
      await rm(home, { recursive: true, force: true });
      home = '';
    });

    test('runs a command, keeps its log, exit code and reason', async () => {
      const id = await start(['sh', '-c', 'echo "hi $GREETING"; echo oops >&2; printf tail; exit 3']);
      const status = await exited(id);
      expect(status).toMatchObject({ exitCode: 3, reason: 'Error', image: 'docker.io/library/busybox:latest' });
      expect(status.finishedAtMs).toBeGreaterThanOrEqual(status.startedAtMs);
      expect((await log()).sort()).toEqual(["stdout F hi it's me", 'stderr F oops', 'stdout P tail'].sort());
      const second = await start(['true'], { logPath: 'main/1.log' });
      expect(await exited(second)).toMatchObject({ exitCode: 0, reason: 'Completed' });
    });

    test('says which command is not in the image', async () => {
      const id = await runtime.createContainer(sandboxId, containerConfig(['no-such-command']), sandbox);
      await expect(runtime.startContainer(id)).rejects.toThrow(
        'exec: "no-such-command": executable file not found in $PATH',
      );
      expect(await runtime.containerStatus(id)).toMatchObject({ state: 'EXITED', exitCode: 128, reason: 'StartError' });
    });

    test('execs with exit codes, output, input and a time limit', async () => {
      const id = await start(['sleep', '1000']);
      await until(async () =>
        (await runtime.execSync(id, ['true'], { timeoutMs: 5000 })).exitCode === 0 ? true : undefined,
      );
      const result = await runtime.execSync(id, ['sh', '-c', 'echo "$GREETING"; echo err >&2; exit 7'], {
        timeoutMs: 5000,
      });
      expect([result.exitCode, String(Buffer.from(result.stdout)), String(Buffer.from(result.stderr))]).toEqual([
        7,
        "it's me\n",
        'err\n',
      ]);
      expect(await runtime.execSync(id, ['sleep', '100'], { timeoutMs: 50 })).toMatchObject({ timedOut: true });
      const streams = { tty: false, stdin: true, stdout: true, stderr: true };
      const session = await runtime.exec(id, { command: ['sh', '-c', 'cat; exit 5'], ...streams });
      session.stderr?.resume();
      session.stdin?.end('through cat');
      expect(await text(session.stdout)).toBe('through cat');
      expect(await session.exit).toEqual({ type: 'exited', exitCode: 5 });
      const rights = ['sh', '-c', 'grep -h CapEff /proc/self/status /proc/1/status | sort -u | wc -l'];
      const { stdout } = await runtime.execSync(id, rights, { timeoutMs: 5000 });
      // What is started later has no more rights than what was started first.
      if (level !== 'none' && String(Buffer.from(stdout)).trim() !== '1')
        throw new Error('exec has other capabilities');
      const missing = await runtime.exec(id, { command: ['nope'], ...streams });
      expect(await missing.exit).toMatchObject({ type: 'failed', message: expect.stringContaining('exec: "nope"') });
      const [stats] = await runtime.containerStats();
      expect(stats?.memoryUsageBytes).toBeGreaterThan(0);
    });

    test('mounts files and folders where the container looks for them', async () => {
      const www = join(home, 'www');
      await mkdir(www);
      await writeFile(join(www, 'index.html'), 'from a mount');
      const mounts: Mount[] = [{ containerPath: '/www', hostPath: www, readonly: true, propagation: 'PRIVATE' }];
      const id = await start(['sh', '-c', 'cat /www/index.html; echo; echo x > /www/new && echo written'], { mounts });
      await exited(id);
      const lines = await log();
      expect(lines[0]).toBe('stdout F from a mount');
      // Plain processes cannot be kept from writing.
      expect(lines.includes('stdout F written')).toBe(level === 'none');
    });

    test('serves HTTP from a mount and forwards a port to it', async () => {
      const www = join(home, 'www');
      await mkdir(www);
      await writeFile(join(www, 'index.html'), 'z'.repeat(300_000));
      const mounts: Mount[] = [{ containerPath: '/www', hostPath: www, readonly: false, propagation: 'PRIVATE' }];
      const port = await freePort();
      await start(['httpd', '-f', '-p', String(port), '-h', '/www'], { mounts });
      const connection = await until(() => runtime.portForward(sandboxId, port).catch(() => undefined));
      connection.write('GET / HTTP/1.0\r\n\r\n');
      const answer = await text(connection);
      expect(answer).toContain('200 OK');
      expect(answer.length).toBeGreaterThan(300_000);
      connection.destroy();
      await expect(runtime.portForward(sandboxId, 1)).rejects.toThrow('ECONNREFUSED');
    });

    test('stops with the signal that the container handles, and kills one that does not end', async () => {
      const script = 'trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.05; done';
      const id = await start(['sh', '-c', script]);
      await until(async () => ((await log()).includes('stdout F ready') ? true : undefined));
      await runtime.stopContainer(id, { timeoutSeconds: 20 });
      expect(await runtime.containerStatus(id)).toMatchObject({ state: 'EXITED', exitCode: 0, reason: 'Completed' });
      expect(await log()).toContain('stdout F bye');
      const deaf = await start(['sh', '-c', 'trap "" TERM; echo on; sleep 1000 & sleep 1000'], {
        logPath: 'main/2.log',
      });
      await runtime.stopContainer(deaf, { timeoutSeconds: 0 });
      expect(await runtime.containerStatus(deaf)).toMatchObject({ state: 'EXITED', exitCode: 137, reason: 'Error' });
    });

    test('a restarted agent finds its containers running, with their logs and exits', async () => {
      const flag = join(home, 'flag');
      const mounts: Mount[] = [{ containerPath: '/flag', hostPath: flag, readonly: false, propagation: 'PRIVATE' }];
      const id = await start(['sh', '-c', 'while [ ! -e /flag/go ]; do sleep 0.02; done; echo after; exit 9'], {
        mounts,
      });
      await runtime.close();
      runtime = await open();
      expect(await runtime.listContainers()).toMatchObject([{ id, state: 'RUNNING', podSandboxId: sandboxId }]);
      expect(await runtime.podSandboxStatus(sandboxId)).toMatchObject({ state: 'READY' });
      await writeFile(join(flag, 'go'), '');
      expect(await exited(id)).toMatchObject({ exitCode: 9 });
      expect(await log()).toEqual(['stdout F after']);
    });

    test('opens a fresh log after rotation', async () => {
      const id = await start(['sh', '-c', 'n=0; while :; do echo line $n; n=$((n+1)); sleep 0.02; done']);
      const file = join(sandbox.logDirectory, 'main/0.log');
      await until(async () => ((await log()).length > 1 ? true : undefined));
      await rename(file, `${file}.old`);
      await runtime.reopenContainerLog(id);
      await until(async () => ((await log()).length > 1 ? true : undefined));
      expect((await log())[0]).not.toBe('stdout F line 0');
    });

    test('attaches to the input and output of a container', async () => {
      const id = await start(['cat'], { stdin: true, stdinOnce: true });
      const session = await runtime.attach(id, { tty: false, stdin: true, stdout: true, stderr: true });
      session.stderr?.resume();
      session.stdin?.end('typed\n');
      expect(await text(session.stdout)).toBe('typed\n');
      expect(await session.exit).toEqual({ type: 'exited', exitCode: 0 });
      expect(await log()).toEqual(['stdout F typed']);
    });

    test('gives an exec a terminal and sets its size', async (context) => {
      if (probed.tools.script === undefined) context.skip('needs script (bsdutils)');
      const id = await start(['sleep', '1000']);
      const command = ['sh', '-c', 'trap "stty size; exit 6" WINCH; echo ready; while :; do sleep 0.05; done'];
      const session = await runtime.exec(id, { command, tty: true, stdin: true, stdout: true, stderr: false });
      let output = '';
      session.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      await until(() => (output.includes('ready') ? true : undefined));
      session.resize({ width: 91, height: 37 });
      expect(await session.exit).toEqual({ type: 'exited', exitCode: 6 });
      expect(output).toContain('37 91');
    });

    test('ends the containers of a supervisor that was killed, and starts another', async () => {
      const id = await start(['sh', '-c', 'trap "" TERM HUP; while :; do sleep 0.1; done']);
      const [supervisor = 0] = findProcessesByArgument(join(home, 'supervisor.sock'));
      process.kill(supervisor, 'SIGKILL');
      const status = await exited(id);
      expect(status).toMatchObject({ exitCode: 137, message: 'killed because its supervisor was lost' });
      const next = await start(['true'], { logPath: 'main/1.log' });
      expect(await exited(next)).toMatchObject({ exitCode: 0 });
    });

    test('starts many containers at once', async () => {
      const ids = await Promise.all(
        Array.from({ length: 6 }, (_, index) => start(['sh', '-c', `exit ${index}`], { logPath: `main/${index}.log` })),
      );
      const codes = await Promise.all(ids.map(async (id) => (await exited(id)).exitCode));
      expect(codes).toEqual([0, 1, 2, 3, 4, 5]);
      expect(findProcessesByArgument(join(home, 'supervisor.sock'))).toHaveLength(1);
    });

    test('tells of starts and stops as they happen', async () => {
      const abort = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const event of runtime.events(abort.signal)) {
          seen.push(`${event.type} ${event.podUid}`);
          if (event.type === 'stopped') abort.abort();
        }
      })();
      await start(['true']);
      await watching;
      expect(seen).toEqual(['created uid-1', 'started uid-1', 'stopped uid-1']);
    });
  },
);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
