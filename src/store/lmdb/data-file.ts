import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

const LMDB_MAGIC = 0xbeefc0de;
// Offsets in an LMDB meta page (24 bytes of page header, then the meta record; data format 2).
const MAGIC_OFFSET = 24;
const PAGE_SIZE_OFFSET = 48;
const LAST_PAGE_OFFSET = 144;
const META_BYTES = 152;
const FIRST_META_READ_BYTES = 65_536 + META_BYTES;

/**
 * Makes a data file that was cut short as long as its meta pages say. Reading the missing pages through the memory map
 * would kill the process with SIGBUS; as zeros they are reported as corruption.
 */
export function padDataFile(path: string): void {
  const file = openIfExists(path);
  if (file === undefined) return;
  try {
    const head = Buffer.alloc(FIRST_META_READ_BYTES);
    readSync(file, head, 0, head.length, 0);
    const pageSize = head.readUInt32LE(PAGE_SIZE_OFFSET);
    if (head.readUInt32LE(MAGIC_OFFSET) !== LMDB_MAGIC || pageSize < 512 || pageSize > 65_536) return;
    const lastPage = Math.max(lastPageOf(head, 0), lastPageOf(head, pageSize));
    const wantedBytes = (lastPage + 1) * pageSize;
    if (fstatSync(file).size < wantedBytes) ftruncateSync(file, wantedBytes);
  } finally {
    closeSync(file);
  }
}

function lastPageOf(head: Buffer, offset: number): number {
  if (head.readUInt32LE(offset + MAGIC_OFFSET) !== LMDB_MAGIC) return 0;
  return Number(head.readBigUInt64LE(offset + LAST_PAGE_OFFSET));
}

function openIfExists(path: string): number | undefined {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
