import type { DiskRecord } from './disk.ts';

// type (1), create revision, version, expiry, checksum and length of the value; the key follows.
const HEADER_BYTES = 1 + 8 + 8 + 8 + 4 + 4;
const TYPE_PUT = 1;
const TYPE_DELETE = 2;

export function encodedBytes(record: DiskRecord): number {
  return HEADER_BYTES + Buffer.byteLength(record.key);
}

/** Writes the record at `offset` and returns the bytes it takes. The revision is the key it is stored under. */
export function encodeRecord(record: DiskRecord, target: Buffer, offset: number): Buffer {
  target.writeUInt8(record.type === 'put' ? TYPE_PUT : TYPE_DELETE, offset);
  target.writeDoubleBE(record.createRevision, offset + 1);
  target.writeDoubleBE(record.version, offset + 9);
  target.writeDoubleBE(record.expiresAtMs ?? 0, offset + 17);
  target.writeUInt32BE(record.checksum, offset + 25);
  target.writeUInt32BE(record.valueBytes, offset + 29);
  const keyBytes = target.write(record.key, offset + HEADER_BYTES);
  return target.subarray(offset, offset + HEADER_BYTES + keyBytes);
}

/** Throws a RangeError where the bytes are no record. */
export function decodeRecord(bytes: Buffer, modRevision: number): DiskRecord {
  const type = bytes.readUInt8(0);
  if ((type !== TYPE_PUT && type !== TYPE_DELETE) || bytes.length <= HEADER_BYTES) {
    throw new RangeError(`no record at revision ${modRevision}`);
  }
  const expiresAtMs = bytes.readDoubleBE(17);
  return {
    type: type === TYPE_PUT ? 'put' : 'delete',
    key: bytes.toString('utf8', HEADER_BYTES),
    createRevision: bytes.readDoubleBE(1),
    modRevision,
    version: bytes.readDoubleBE(9),
    ...(expiresAtMs === 0 ? {} : { expiresAtMs }),
    checksum: bytes.readUInt32BE(25),
    valueBytes: bytes.readUInt32BE(29),
  };
}
