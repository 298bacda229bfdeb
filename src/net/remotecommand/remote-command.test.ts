import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';

import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { RealClock } from '#machinery/clock/real-clock.ts';

import { openRemoteCommand } from './client.ts';
import { type OpenSession, serveExec } from './serve-command.ts';
import type { RemoteCommandOptions, RemoteSession, SessionExit } from './session.ts';

const MEGABYTE = 1024 * 1024;
const clock = new RealClock();
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Served {
  readonly url: string;
  readonly ended: Promise<void>;
}

async function serve(open: OpenSession): Promise<Served> {
  const server = createServer();
  servers.push(server);
  const ended = new Promise<void>((resolve) => {
    server.on('upgrade', (message, socket, head: Buffer) => {
      void serveExec({ message, socket, head }, open, { clock }).then(resolve);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/exec/ns/pod/c`, ended };
}

interface FakeCommand extends RemoteSession {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly sizes: { width: number; height: number }[];
  readonly isClosed: () => boolean;
  readonly end: (exit: SessionExit) => void;
}

function fakeCommand(): FakeCommand {
  const { promise: exit, resolve: end } = Promise.withResolvers<SessionExit>();
  const sizes: { width: number; height: number }[] = [];
  let isClosed = false;
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  return {
    stdin,
    stdout,
    stderr,
    sizes,
    exit,
    end,
    isClosed: () => isClosed,
    resize: (size) => sizes.push(size),
    close: () => {
      isClosed = true;
      stdout.end();
      stderr.end();
      end({ type: 'failed', message: 'closed' });
    },
  };
}

async function text(stream: Readable | undefined): Promise<string> {
  let all = '';
  for await (const chunk of stream ?? []) all += String(chunk);
  return all;
}

const ALL = { tty: false, stdin: true, stdout: true, stderr: true };

describe('serveExec over SPDY', () => {
  test('passes the options of the query', async () => {
    let seen: RemoteCommandOptions | undefined;
    const command = fakeCommand();
    const { url } = await serve((options) => {
      seen = options;
      return Promise.resolve(command);
    });
    const session = await openRemoteCommand(`${url}?command=sh&command=-c&input=1&output=1&tty=true&error=1`, {
      ...ALL,
      tty: true,
    });
    expect(seen).toEqual({ command: ['sh', '-c'], tty: true, stdin: true, stdout: true, stderr: false });
    session.resize({ width: 80, height: 24 });
    session.resize({ width: 100, height: 30 });
    session.stdin?.end('x');
    expect(await text(command.stdin)).toBe('x');
    command.stdout.end('prompt');
    expect(await text(session.stdout)).toBe('prompt');
    command.end({ type: 'exited', exitCode: 0 });
    expect(await session.exit).toEqual({ type: 'exited', exitCode: 0 });
    expect(command.sizes).toEqual([
      { width: 80, height: 24 },
      { width: 100, height: 30 },
    ]);
  });

  test('closes the command input on half-close and tells the exit code', async () => {
    const command = fakeCommand();
    const { url, ended } = await serve(() => Promise.resolve(command));
    const session = await openRemoteCommand(`${url}?input=1&output=1&error=1`, ALL);
    session.stdin?.end('in');
    const outputs = Promise.all([text(session.stdout), text(session.stderr)]);
    expect(await text(command.stdin)).toBe('in');
    command.stdout.end('out');
    command.stderr.end('err');
    command.end({ type: 'exited', exitCode: 42 });
    expect(await outputs).toEqual(['out', 'err']);
    expect(await session.exit).toEqual({ type: 'exited', exitCode: 42 });
    await ended;
    expect(command.isClosed()).toBe(false);
  });

  test('tells of a command that could not run, without repeating its own words', async () => {
    const command = fakeCommand();
    const { url } = await serve(() => Promise.resolve(command));
    const session = await openRemoteCommand(`${url}?output=1`, { ...ALL, stdin: false, stderr: false });
    command.stdout.end();
    command.stderr.end();
    command.end({ type: 'failed', message: 'no such file' });
    expect(await text(session.stdout)).toBe('');
    expect(await session.exit).toEqual({ type: 'failed', message: 'no such file' });
  });

  test('carries 50 MB each way with little of it in memory', async () => {
    const command = fakeCommand();
    command.stdin.pipe(command.stdout);
    command.stdout.once('end', () => {
      command.stderr.end();
      command.end({ type: 'exited', exitCode: 0 });
    });
    const { url } = await serve(() => Promise.resolve(command));
    const session = await openRemoteCommand(`${url}?input=1&output=1&error=1`, ALL);
    const sent = createHash('sha256');
    const received = createHash('sha256');
    const chunk = Buffer.alloc(MEGABYTE, 'abcdefghij');
    let length = 0;
    let buffered = 0;
    session.stderr?.resume();
    const reading = (async () => {
      for await (const bytes of session.stdout ?? []) {
        received.update(bytes as Buffer);
        length += (bytes as Buffer).length;
        buffered = Math.max(buffered, command.stdin.writableLength + command.stdout.readableLength);
      }
    })();
    for (let index = 0; index < 50; index += 1) {
      sent.update(chunk);
      if (session.stdin?.write(chunk) === false) await new Promise((resolve) => session.stdin?.once('drain', resolve));
    }
    session.stdin?.end();
    await reading;
    expect(length).toBe(50 * MEGABYTE);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    expect(buffered).toBeLessThan(4 * MEGABYTE);
    expect(await session.exit).toEqual({ type: 'exited', exitCode: 0 });
  });

  test('ends the command when the client goes away', async () => {
    const command = fakeCommand();
    const { url, ended } = await serve(() => Promise.resolve(command));
    const session = await openRemoteCommand(`${url}?input=1&output=1&error=1`, ALL);
    session.close();
    await ended;
    expect(command.isClosed()).toBe(true);
    expect(await session.exit).toMatchObject({ type: 'failed' });
  });

  test('answers what cannot be opened over HTTP', async () => {
    const { url } = await serve(() =>
      Promise.reject(Object.assign(new Error('no such container'), { code: 'NotFound' })),
    );
    const attempt = openRemoteCommand(`${url}?output=1`, ALL);
    await expect(attempt).rejects.toThrow('unable to upgrade connection: no such container (status 404)');
  });

  test('refuses a request for no stream', async () => {
    const { url } = await serve(() => Promise.resolve(fakeCommand()));
    const attempt = openRemoteCommand(`${url}?command=ls`, ALL);
    await expect(attempt).rejects.toThrow('you must specify at least 1 of stdin, stdout, stderr (status 400)');
  });
});

/** What a WebSocket client saw: output by channel. */
async function collect(socket: WebSocket): Promise<{ channels: Record<number, string>; closeCode: number }> {
  const channels: Record<number, string> = {};
  socket.on('message', (data: Buffer, isBinary) => {
    const channel = isBinary ? data[0]! : data[0]! - 0x30;
    const body = isBinary ? data.subarray(1).toString() : Buffer.from(data.toString().slice(1), 'base64').toString();
    channels[channel] = (channels[channel] ?? '') + body;
  });
  const closeCode = await new Promise<number>((resolve) => socket.once('close', resolve));
  return { channels, closeCode };
}

function dial(url: string, protocols: string[]): WebSocket {
  return new WebSocket(url.replace('http:', 'ws:'), protocols);
}

describe('serveExec over WebSocket', () => {
  test('v5: close signal ends the input, exit code comes as a Status', async () => {
    const command = fakeCommand();
    command.stdin.pipe(command.stdout);
    command.stdout.once('end', () => {
      command.stderr.end('warn');
      command.end({ type: 'exited', exitCode: 3 });
    });
    const { url, ended } = await serve(() => Promise.resolve(command));
    const socket = dial(`${url}?command=cat&stdin=true&stdout=true&stderr=true`, [
      'v5.channel.k8s.io',
      'v4.channel.k8s.io',
    ]);
    const seen = collect(socket);
    await new Promise((resolve) => socket.once('open', resolve));
    expect(socket.protocol).toBe('v5.channel.k8s.io');
    socket.send(Buffer.from('\x00hello '));
    socket.send(Buffer.from('\x00world'));
    socket.send(Buffer.from([255, 0]));
    const { channels, closeCode } = await seen;
    expect(channels[1]).toBe('hello world');
    expect(channels[2]).toBe('warn');
    expect(JSON.parse(channels[3]!)).toEqual({
      metadata: {},
      status: 'Failure',
      message: 'command terminated with non-zero exit code: error executing command [cat], exit code 3',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    expect(closeCode).toBe(1000);
    await ended;
  });

  test.each([
    ['v4.channel.k8s.io', '{"metadata":{},"status":"Success"}'],
    ['channel.k8s.io', undefined],
    ['base64.channel.k8s.io', undefined],
    ['v4.base64.channel.k8s.io', '{"metadata":{},"status":"Success"}'],
  ])('%s carries input, output and sizes', async (protocol, status) => {
    const command = fakeCommand();
    command.stdin.once('data', (data: Buffer) => {
      command.stdout.end(`got ${data.toString()}`);
      command.stderr.end();
      command.end({ type: 'exited', exitCode: 0 });
    });
    const { url } = await serve(() => Promise.resolve(command));
    const socket = dial(`${url}?stdin=1&stdout=1&tty=1`, [protocol]);
    const seen = collect(socket);
    await new Promise((resolve) => socket.once('open', resolve));
    const send = (channel: number, body: string): void => {
      if (protocol.includes('base64')) socket.send(String(channel) + Buffer.from(body).toString('base64'));
      else socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(body)]));
    };
    send(4, '{"Width":120,"Height":40}');
    send(0, 'ls');
    const { channels } = await seen;
    expect(channels[1]).toBe('got ls');
    expect(channels[3]).toBe(status);
    expect(command.sizes).toEqual([{ width: 120, height: 40 }]);
  });

  test('refuses unknown subprotocols', async () => {
    const { url } = await serve(() => Promise.resolve(fakeCommand()));
    const socket = dial(`${url}?stdout=1`, ['v9.channel.k8s.io']);
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toContain('400');
  });

  test('ends the command when the client goes away', async () => {
    const command = fakeCommand();
    const { url, ended } = await serve(() => Promise.resolve(command));
    const socket = dial(`${url}?stdout=1`, ['v5.channel.k8s.io']);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.terminate();
    await ended;
    expect(command.isClosed()).toBe(true);
  });
});
