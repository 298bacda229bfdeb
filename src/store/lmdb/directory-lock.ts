import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreOpenError } from '../errors.ts';

/** Who holds the lock. A pid alone can be taken by another process later; its start time and the boot cannot. */
interface Holder {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
}

const LOCK_NAME = 'lock';
// Each round lost means that another process took or broke the lock in between.
const ATTEMPTS_MAX = 10;

/**
 * Takes the directory for this process, or throws a `StoreOpenError` that names the process which has it. The lock of
 * a process that is gone is broken. Everything here is synchronous, so this process never races with itself.
 */
export function lockDirectory(directory: string): Disposable {
  const path = join(directory, LOCK_NAME);
  const own = JSON.stringify(holderOf(process.pid));
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, own, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (tryLink(temporary, path)) return { [Symbol.dispose]: () => release(path, own) };
      const text = readIfExists(path);
      if (text === undefined) continue;
      const holder = parseHolder(text);
      if (holder !== undefined && isAlive(holder)) {
        throw new StoreOpenError(
          `cannot open the store in "${directory}": process ${holder.pid} is using it; ` +
            `stop that process (or choose another directory) and try again`,
        );
      }
      breakStale(path, text);
    }
  } finally {
    rmSync(temporary, { force: true });
  }
  throw new StoreOpenError(`cannot open the store in "${directory}": other processes keep taking its lock`);
}

function release(path: string, own: string): void {
  if (readIfExists(path) === own) rmSync(path, { force: true });
}

/** Moves the stale lock away; where another process was faster and has locked anew, puts its lock back. */
function breakStale(path: string, staleText: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (readIfExists(aside) !== staleText) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function tryLink(existing: string, path: string): boolean {
  try {
    linkSync(existing, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') {
      return undefined;
    }
    const started = 'started' in value && typeof value.started === 'string' ? value.started : '';
    const boot = 'boot' in value && typeof value.boot === 'string' ? value.boot : '';
    return { pid: value.pid, started, boot };
  } catch {
    // Not JSON: no version of this program wrote it.
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  const now = holderOf(holder.pid);
  if (holder.boot !== now.boot) return false;
  if (now.started !== '' || holder.started !== '') return now.started === holder.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** `started` is empty where the system has no /proc, or no such living process. */
function holderOf(pid: number): Holder {
  const stat = readIfExists(`/proc/${pid}/stat`) ?? '';
  // The command name, in parentheses, may hold anything; the state is the 1st field after it, the start time the 20th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isZombie = fields[0] === 'Z' || fields[0] === 'X';
  const boot = (readIfExists('/proc/sys/kernel/random/boot_id') ?? '').trim();
  return { pid, started: isZombie ? '' : (fields[19] ?? ''), boot };
}

function readIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
