import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

const LMDB_MAGIC = 0xbeefc0de;
const LMDB_DATA_VERSION = 2;
const META_PAGE_FLAG = 8;
// Offsets in an LMDB meta page: 24 bytes of page header, then the meta record.
const FLAGS_OFFSET = 18;
const MAGIC_OFFSET = 24;
const VERSION_OFFSET = 28;
const PAGE_SIZE_OFFSET = 48;
const LAST_PAGE_OFFSET = 144;
const META_BYTES = 168;
const PAGE_BYTES_MIN = 256;
const PAGE_BYTES_MAX = 65_536;

/**
 * Looks at the data file before LMDB does, because on these it ends the process instead of reporting an error: throws
 * where the file is no database, and makes a file that was cut short as long as its meta pages say (the missing pages,
 * read through the memory map, would be a SIGBUS; as zeros they are reported as corruption).
 */
export function checkDataFile(path: string): void {
  const file = openIfExists(path);
  if (file === undefined) return;
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const head = Buffer.alloc(PAGE_BYTES_MAX + META_BYTES);
    readSync(file, head, 0, head.length, 0);
    const pageBytes = head.readUInt32LE(PAGE_SIZE_OFFSET);
    const isPageSize = pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX;
    if (!isPageSize || !isMetaPage(head, 0) || !isMetaPage(head, pageBytes)) {
      throw new Error('"data.mdb" does not start as a database of this store does');
    }
    const lastPage = Math.max(lastPageOf(head, 0), lastPageOf(head, pageBytes));
    if (size < (lastPage + 1) * pageBytes) ftruncateSync(file, (lastPage + 1) * pageBytes);
  } finally {
    closeSync(file);
  }
}

function isMetaPage(head: Buffer, offset: number): boolean {
  return (
    (head.readUInt16LE(offset + FLAGS_OFFSET) & META_PAGE_FLAG) !== 0 &&
    head.readUInt32LE(offset + MAGIC_OFFSET) === LMDB_MAGIC &&
    (head.readUInt32LE(offset + VERSION_OFFSET) & 0xffff) === LMDB_DATA_VERSION
  );
}

function lastPageOf(head: Buffer, offset: number): number {
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
