import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RealClock } from '#machinery/clock/real-clock.ts';

import { serveExec } from './serve-command.ts';
import { servePortForward } from './serve-port-forward.ts';
import type { RemoteCommandOptions, RemoteSession } from './session.ts';

const clock = new RealClock();
const CANDIDATES = [join(homedir(), '.cache/tiphys/v35/kubectl'), '/usr/bin/kubectl', '/usr/local/bin/kubectl'];
const kubectls = CANDIDATES.filter((path) => existsSync(path));
const title = kubectls.length === 0 ? 'real kubectl (skipped: none is installed)' : 'real kubectl';
const BIG_BYTES = 50 * 1024 * 1024;

const POD = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'web', namespace: 'default', uid: 'u1' },
  spec: { containers: [{ name: 'main', image: 'busybox' }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
};

let server: Server;
let directory = '';
const upgrades: string[] = [];

/** Runs the command on this machine, in a folder of the test. */
function runHere(options: RemoteCommandOptions): Promise<RemoteSession> {
  const [program = 'true', ...args] = options.command;
  const child = spawn(program, args, { cwd: directory, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  if (!options.stdin) child.stdin.end();
  const exit = new Promise<Awaited<RemoteSession['exit']>>((resolve) => {
    child.once('error', (error) => resolve({ type: 'failed', message: error.message }));
    child.once('close', (code) => resolve({ type: 'exited', exitCode: code ?? 137 }));
  });
  return Promise.resolve({
    ...(options.stdin ? { stdin: child.stdin } : {}),
    stdout: child.stdout,
    stderr: child.stderr,
    resize: () => undefined,
    exit,
    close: () => void child.kill('SIGKILL'),
  });
}

/** As much of an API server as these commands need: one pod, and a kubelet's streams. */
function fakeApiServer(): Server {
  const api = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    const isPod = path === '/api/v1/namespaces/default/pods/web';
    const versions = { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    const pods = {
      name: 'pods',
      singularName: 'pod',
      namespaced: true,
      kind: 'Pod',
      verbs: ['get'],
      shortNames: ['po'],
    };
    const bodies: Record<string, object> = {
      '/api': versions,
      '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
      '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: [pods] },
    };
    const body = isPod ? POD : bodies[path];
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body ?? { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound' }));
  });
  api.on('upgrade', (message, socket, head: Buffer) => {
    upgrades.push(`${message.headers.upgrade} ${message.headers['sec-websocket-protocol'] ?? ''}`);
    const upgrade = { message, socket, head };
    if (message.url?.includes('/exec') === true) {
      void serveExec(upgrade, runHere, { clock });
      return;
    }
    const open = (port: number): Promise<Duplex> =>
      new Promise((resolve, reject) => {
        const connection = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(connection));
        connection.once('error', reject);
      });
    void servePortForward(upgrade, { open, podName: 'web_default', podUid: 'u1' }, { clock });
  });
  return api;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-kubectl-test-'));
  server = fakeApiServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const WEBSOCKETS = { title: 'WebSocket', environment: {} };
const SPDY = {
  title: 'SPDY',
  environment: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
};
const CASES = kubectls.flatMap((kubectl) => [WEBSOCKETS, SPDY].map((transport) => ({ kubectl, ...transport })));

describe.skipIf(kubectls.length === 0).each(CASES)(
  `${title}: $kubectl, $title`,
  ({ kubectl, environment, title: wire }) => {
    const start = (args: string[]): ChildProcess => {
      const { port } = server.address() as AddressInfo;
      const env = { ...environment, PATH: process.env['PATH'], HOME: directory };
      return spawn(kubectl, ['--server', `http://127.0.0.1:${port}`, ...args], { env, cwd: directory, stdio: 'pipe' });
    };
    const run = async (args: string[], input?: string): Promise<Result> => {
      const child = start(args);
      let [stdout, stderr] = ['', ''];
      child.stdout?.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      child.stderr?.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      child.stdin?.end(input ?? '');
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
      return { code, stdout, stderr };
    };

    test('exec: output, errors, input and exit codes', async () => {
      upgrades.length = 0;
      const piped = await run(['exec', '-i', 'web', '--', 'sh', '-c', 'cat; echo err >&2; exit 3'], 'some input');
      expect(piped).toEqual({
        code: 3,
        stdout: 'some input',
        stderr: 'err\ncommand terminated with exit code 3\n',
      });
      const missing = await run(['exec', 'web', '--', 'no-such-command']);
      expect(missing.code).toBe(1);
      expect(missing.stderr).toContain(
        'Internal error occurred: error executing command in container: spawn no-such-command',
      );
      expect(upgrades[0]).toMatch(wire === 'SPDY' ? /^SPDY\/3\.1 $/ : /^websocket v5\.channel\.k8s\.io/i);
    });

    test('exec carries 50 MB each way', async () => {
      const big = join(directory, 'big');
      await writeFile(big, Buffer.alloc(BIG_BYTES, 'kubectl '));
      const child = start(['exec', '-i', 'web', '--', 'cat']);
      const received = createHash('sha256');
      let length = 0;
      child.stdout?.on('data', (chunk: Buffer) => {
        received.update(chunk);
        length += chunk.length;
      });
      const bytes = await readFile(big);
      child.stdin?.end(bytes);
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect([code, length]).toEqual([0, BIG_BYTES]);
      expect(received.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    test('port-forward: both ways, and a port that is closed', async () => {
      const body = Buffer.alloc(5 * 1024 * 1024, 'p');
      const target = createTcpServer((socket) => {
        socket.once('data', () => socket.end(body));
        socket.on('error', () => undefined);
      });
      await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
      const { port } = target.address() as AddressInfo;
      const child = start(['port-forward', 'pod/web', `:${port}`, ':1', '--address', '127.0.0.1']);
      let errors = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        errors += chunk.toString();
      });
      const locals = await new Promise<number[]>((resolve) => {
        let output = '';
        child.stdout?.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          const found = [...output.matchAll(/127\.0\.0\.1:(\d+) -> /g)].map((match) => Number(match[1]));
          if (found.length === 2) resolve(found);
        });
      });
      const fetchAll = async (local: number): Promise<number> => {
        const socket = connect({ port: local, host: '127.0.0.1' });
        socket.write('hello');
        let received = 0;
        for await (const chunk of socket) received += (chunk as Buffer).length;
        return received;
      };
      expect(await Promise.all([fetchAll(locals[0]!), fetchAll(locals[0]!)])).toEqual([body.length, body.length]);
      expect(await fetchAll(locals[1]!).catch(() => 0)).toBe(0);
      child.kill();
      await new Promise((resolve) => child.once('close', resolve));
      expect(errors).toContain('error forwarding port 1 to pod web_default, uid u1: connect ECONNREFUSED');
      expect(errors).not.toContain('error copying');
      await new Promise((resolve) => target.close(resolve));
    });
  },
);
