import { readdirSync, readFileSync } from 'node:fs';

/** A process named so that a reused pid is not taken for it. `startTicks` is field 22 of `/proc/PID/stat`. */
export interface ProcessId {
  readonly pid: number;
  readonly startTicks: string;
}

/** Undefined where there is no such process (or it is a zombie that only waits to be reaped), or no `/proc`. */
export function identifyProcess(pid: number): ProcessId | undefined {
  // Elsewhere than on Linux the number alone must do.
  if (process.platform !== 'linux') return signalProcess(pid, 0) ? { pid, startTicks: '' } : undefined;
  const fields = readStat(pid);
  // After the command's closing bracket come state (field 3) … starttime (field 22).
  const state = fields?.[0];
  const startTicks = fields?.[19];
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks };
}

export function isSameProcessAlive(id: ProcessId): boolean {
  return identifyProcess(id.pid)?.startTicks === id.startTicks;
}

/** Sends a signal to a process (or, with a negative pid, a group); false where it is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

/** Pids whose command line has `argument` as one of its words. */
export function findProcessesByArgument(argument: string): number[] {
  return listPids().filter((pid) => readText(`/proc/${pid}/cmdline`)?.split('\0').includes(argument) === true);
}

export function listPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The fields of `/proc/PID/stat` from the state (field 3) on. */
export function readStat(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Undefined where the file is gone, as `/proc` entries go at any moment. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
