import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

import { RuntimeError } from '../contract.ts';
import { findProgram } from '../find-program.ts';
import type { PodAddress } from './pod-network.ts';

/**
 * A connection to a port of a pod, whichever of its addresses the program listens on. In a network namespace of its
 * own a program that listens on loopback only is reached by a helper inside.
 */
export async function connectToPod(address: PodAddress, port: number, path: string): Promise<Duplex> {
  const shared = address.networkNamespace === undefined;
  const hosts = [...(address.ip === '' ? [] : [address.ip]), ...(shared ? ['127.0.0.1', '::1'] : [])];
  let reason = 'no address';
  for (const host of hosts) {
    const attempt = await tryConnect(host, port);
    if (typeof attempt !== 'string') return attempt;
    reason = attempt;
  }
  const helper =
    address.networkNamespace === undefined ? undefined : helperCommand(address.networkNamespace, port, path);
  if (helper === undefined) throw new RuntimeError('Unavailable', reason);
  return await spawnDuplex(helper, path);
}

function tryConnect(host: string, port: number): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const onError = (error: Error): void => resolve(error.message);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      // Later errors end the stream, which is all its user needs to know.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

function helperCommand(networkNamespace: string, port: number, path: string): string[] | undefined {
  const nsenter = findProgram('nsenter', path);
  if (nsenter === undefined) return undefined;
  const script =
    `const s=require('net').connect({port:${port},host:'127.0.0.1',allowHalfOpen:true});` +
    `process.stdin.pipe(s);s.pipe(process.stdout);s.on('connect',()=>process.stderr.write('+'));` +
    `s.on('error',e=>{process.stderr.write(e.message);process.exit(1)})`;
  return [nsenter, `--net=${networkNamespace}`, process.execPath, '-e', script];
}

function spawnDuplex(command: readonly string[], path: string): Promise<Duplex> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { env: { PATH: path }, stdio: ['pipe', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new RuntimeError('Unavailable', cause.message, { cause })));
    child.stdin.on('error', () => undefined);
    child.stderr.once('data', (chunk: Buffer) => {
      const text = chunk.toString();
      if (text !== '+') {
        reject(new RuntimeError('Unavailable', text));
        return;
      }
      const ends: unknown = { readable: child.stdout, writable: child.stdin };
      // Safe: documented by Node; its types lack this form.
      const duplex = Duplex.from(ends as Iterable<unknown>);
      duplex.once('close', () => child.kill());
      resolve(duplex);
    });
  });
}
