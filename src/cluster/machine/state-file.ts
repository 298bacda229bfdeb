import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { MachinePlan } from '#node/network/machine-plan.ts';

/** A process and when it started, so that a reused id is not taken for it. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot, from `/proc/PID/stat`; 0 where the system does not tell. */
  readonly startTicks: number;
}

/** What `up` records of a running cluster: enough for another process to find it, stop it, or clean up after it. */
export interface ClusterState {
  readonly server: ProcessId;
  readonly url: string;
  readonly context: string;
  readonly runtime: 'containerd' | 'process' | 'simulated';
  readonly startedAt: string;
  readonly isReady: boolean;
  readonly nodes: readonly NodeState[];
  readonly network?: MachinePlan;
  /** The machine's setting before the first start. */
  readonly ipForwardBefore?: string;
}

export interface NodeState {
  readonly name: string;
  readonly agent?: ProcessId;
  readonly containerd?: ProcessId;
}

/** The state, or undefined where no cluster has been started. A damaged file counts as none. */
export function readState(path: string): ClusterState | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    // Safe: only `writeState` writes this file, by rename; a file that a user edited is reported by its consequences.
    return JSON.parse(text) as ClusterState;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function writeState(path: string, state: ClusterState): void {
  writeFileSync(`${path}.tmp`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

export function removeState(path: string): void {
  rmSync(path, { force: true });
}

/** Identifies a live process; undefined where there is none of that id. */
export function identifyProcess(pid: number): ProcessId | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined;
  }
  return { pid, startTicks: startTicksOf(pid) };
}

/** Whether the recorded process still lives. A zombie does not. */
export function isAlive(recorded: ProcessId | undefined): boolean {
  if (recorded === undefined) return false;
  const found = identifyProcess(recorded.pid);
  return found !== undefined && found.startTicks === recorded.startTicks && !isZombie(recorded.pid);
}

function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and brackets: fields count from its closing one.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return [];
    throw error;
  }
}

function startTicksOf(pid: number): number {
  return Number(statFields(pid)[19] ?? 0);
}

function isZombie(pid: number): boolean {
  return statFields(pid)[0] === 'Z';
}
