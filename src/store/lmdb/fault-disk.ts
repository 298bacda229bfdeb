import type { Revision } from '../store.ts';
import type { Disk, DiskBatch, DiskRecord } from './disk.ts';

/** What happens to the next batches: written; refused; written but reported as failed. */
export type DiskFault = { readonly type: 'none' } | { readonly type: 'refuse' | 'half-done'; readonly error: Error };

/** A disk for tests: fails on demand, and holds batches back until it is told to go on. */
export class FaultDisk implements Disk {
  readonly batches: DiskBatch[] = [];
  fault: DiskFault = { type: 'none' };
  readonly #disk: Disk;
  #gate: PromiseWithResolvers<void> | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Holds every batch back until `release`. */
  hold(): void {
    this.#gate ??= Promise.withResolvers<void>();
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  async write(batch: DiskBatch): Promise<void> {
    this.batches.push(batch);
    await this.#gate?.promise;
    const { fault } = this;
    if (fault.type === 'refuse') throw fault.error;
    await this.#disk.write(batch);
    if (fault.type === 'half-done') throw fault.error;
  }

  revision(): Revision {
    return this.#disk.revision();
  }

  compactedRevision(): Revision {
    return this.#disk.compactedRevision();
  }

  records(): Iterable<DiskRecord> {
    return this.#disk.records();
  }

  value(revision: Revision): Uint8Array | undefined {
    return this.#disk.value(revision);
  }

  sizeBytes(): number {
    return this.#disk.sizeBytes();
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}
