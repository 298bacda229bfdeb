/**
 * A patch cannot be applied. `malformed`: the patch itself is wrong (400); `inapplicable`: the document does not fit
 * (422 for JSON patches). Messages are those of upstream's libraries.
 */
export class PatchError extends Error {
  readonly code: 'malformed' | 'inapplicable';
  /** All that stands against the patch is a `test` operation that did not hold. */
  readonly isFailedTest: boolean;

  constructor(code: 'malformed' | 'inapplicable', message: string, { isFailedTest = false } = {}) {
    super(message);
    this.name = 'PatchError';
    this.code = code;
    this.isFailedTest = isFailedTest;
  }
}
