import type { Revision } from './store.ts';

/** What the store raises; `code` is stable. */
export class StoreError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

export class CompactedError extends StoreError {
  /** The oldest revision still kept. */
  readonly compactedRevision: Revision;

  constructor(compactedRevision: Revision) {
    super('Compacted', `the required revision has been compacted; the oldest one kept is ${compactedRevision}`);
    this.compactedRevision = compactedRevision;
  }
}

/**
 * The backend is at an earlier revision than it was, as after a backup was restored: revisions mean other things now, and
 * whatever was read must be read anew.
 */
export class HistoryReplacedError extends CompactedError {
  constructor(head: Revision) {
    super(head);
    this.message = `the history of the store was replaced by another one, which is at revision ${head}`;
  }
}

export class FutureRevisionError extends StoreError {
  readonly currentRevision: Revision;

  constructor(currentRevision: Revision) {
    super('FutureRevision', `the required revision is in the future; the current one is ${currentRevision}`);
    this.currentRevision = currentRevision;
  }
}

export class ValueTooLargeError extends StoreError {
  constructor(key: string, bytes: number, maxBytes: number) {
    super('ValueTooLarge', `cannot store "${key}": ${bytes} bytes are more than the limit of ${maxBytes}`);
  }
}

/** The backend did not answer; the write may or may not have happened. */
export class StoreUnavailableError extends StoreError {
  constructor(message: string, options?: ErrorOptions) {
    super('Unavailable', message, options);
  }
}

/** As `StoreUnavailableError`, after waiting as long as it is reasonable. */
export class StoreTimeoutError extends StoreUnavailableError {
  override readonly name = 'StoreTimeoutError';
}

export class StoreFullError extends StoreError {
  constructor(message: string, options?: ErrorOptions) {
    super('Full', message, options);
  }
}

/** The data directory cannot be used: corrupt, of another format, locked by another process. */
export class StoreOpenError extends StoreError {
  constructor(message: string, options?: ErrorOptions) {
    super('Open', message, options);
  }
}

export class StoreClosedError extends StoreError {
  constructor() {
    super('Closed', 'the store is closed');
  }
}
