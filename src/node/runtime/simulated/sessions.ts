import { Readable, Writable } from 'node:stream';
import type { ExecOptions, ExecSession } from '../contract.ts';

/** A session that says what it has to say and ends. Input is read and forgotten. */
export function textSession(
  answer: { stdout?: string; stderr?: string; exitCode?: number },
  options: Omit<ExecOptions, 'command'>,
): ExecSession {
  const isSplit = !options.tty && options.stderr;
  const merged = isSplit ? (answer.stdout ?? '') : (answer.stdout ?? '') + (answer.stderr ?? '');
  return {
    ...(options.stdin ? { stdin: new Writable({ write: (_chunk, _encoding, done) => done() }) } : {}),
    ...(options.stdout ? { stdout: Readable.from(chunks(merged)) } : {}),
    ...(isSplit ? { stderr: Readable.from(chunks(answer.stderr ?? '')) } : {}),
    resize: () => undefined,
    exit: Promise.resolve({ type: 'exited', exitCode: answer.exitCode ?? 0 }),
    close: () => undefined,
  };
}

function chunks(text: string): Buffer[] {
  return text === '' ? [] : [Buffer.from(text)];
}
