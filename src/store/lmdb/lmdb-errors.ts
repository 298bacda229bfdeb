import { StoreError, StoreFullError, StoreOpenError, StoreUnavailableError } from '../errors.ts';

// EFBIG, ENOSPC and EDQUOT of Linux, and LMDB's MDB_MAP_FULL.
const FULL_CODES: ReadonlySet<unknown> = new Set([27, 28, 122, -30_792]);

/** Whether an error of the disk says that there is no room left. */
export function isFull(error: unknown): boolean {
  if (error instanceof Error && 'code' in error && FULL_CODES.has(error.code)) return true;
  const text = error instanceof Error ? error.message : String(error);
  return /MDB_MAP_FULL|ENOSPC|EDQUOT|EFBIG|No space left|quota exceeded|File too large|mapsize reached/i.test(text);
}

/** What a writer is told when its batch failed; `isWritten` where the disk has the batch all the same. */
export function writeError(cause: unknown, { isWritten }: { isWritten: boolean }): StoreError {
  if (cause instanceof StoreError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (isFull(cause) && !isWritten) {
    return new StoreFullError(
      `the disk of the store is full (${text}): nothing was written, reads go on; free some space and try again`,
      { cause },
    );
  }
  return new StoreUnavailableError(`the store could not write (${text}); whether the write happened is unknown`, {
    cause,
  });
}

/** Why a directory could not be opened, and what to do about it. */
export function openError(directory: string, cause: unknown): StoreOpenError {
  if (cause instanceof StoreOpenError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new StoreOpenError(`cannot open the store in "${directory}": ${text}; ${adviceFor(cause, text)}`, { cause });
}

function adviceFor(cause: unknown, text: string): string {
  if (isFull(cause)) return 'free some space and try again';
  if (/EACCES|EPERM|EROFS|ENOTDIR|EEXIST|Permission denied|Read-only/.test(text)) {
    return 'choose a directory that this user can write to';
  }
  return 'it is damaged: restore it from a backup, or move it away to start empty';
}
