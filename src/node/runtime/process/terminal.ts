import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

import { descendants } from './process-tree.ts';

/**
 * Sets the size of the terminal that a `script` process made, through the end that its children hold; the kernel tells
 * the foreground program. Nothing happens where there is none (any more).
 */
export function resizeTerminal(scriptPid: number, size: { width: number; height: number }): void {
  if (process.platform !== 'linux') return;
  const terminal = descendants(scriptPid)
    .map((pid) => terminalOf(pid))
    .find((path) => path !== undefined);
  if (terminal === undefined) return;
  spawnSync('stty', ['-F', terminal, 'rows', String(size.height), 'cols', String(size.width)], { stdio: 'ignore' });
}

function terminalOf(pid: number): string | undefined {
  try {
    const target = readlinkSync(`/proc/${pid}/fd/0`);
    return target.startsWith('/dev/pts/') ? target : undefined;
  } catch {
    // Gone, or not ours to look at.
    return undefined;
  }
}
