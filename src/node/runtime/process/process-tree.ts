import { listPids, readStat, signalProcess } from '../linux-process.ts';

/** All processes that stem from `pid`, itself not included, nearest first. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const candidate of listPids()) {
    const parent = Number(readStat(candidate)?.[1]);
    if (!Number.isNaN(parent)) children.set(parent, [...(children.get(parent) ?? []), candidate]);
  }
  const found: number[] = [];
  for (let pending = children.get(pid) ?? []; pending.length > 0; ) {
    found.push(...pending);
    pending = pending.flatMap((each) => children.get(each) ?? []);
  }
  return found;
}

/** Kills a process, its group (which outlives it) and everything that stems from it. */
export function killTree(pid: number): void {
  const tree = isLinux() ? descendants(pid) : [];
  for (const target of [-pid, pid, ...tree]) trySignal(target, 'SIGKILL');
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    signalProcess(pid, signal);
  } catch {
    // EPERM: the number was given to somebody else's process meanwhile.
  }
}

function isLinux(): boolean {
  return process.platform === 'linux';
}
