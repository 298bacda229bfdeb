/**
 * A patch cannot be applied. `malformed`: the patch itself is wrong (400); `inapplicable`: the document does not fit
 * (422 for JSON patches). Messages are those of upstream's libraries.
 */
export class PatchError extends Error {
  readonly code: 'malformed' | 'inapplicable';

  constructor(code: 'malformed' | 'inapplicable', message: string) {
    super(message);
    this.name = 'PatchError';
    this.code = code;
  }
}
