/**
 * Nesting beyond this is refused. Go's decoder goes down to 10,000; no object comes near this, and every walk over one
 * may recurse without fear for the stack.
 */
export const DEPTH_MAX = 1000;

/** The bytes are no JSON document. Messages are those of Go's decoder, which is what clients are used to. */
export class JsonError extends Error {
  readonly code = 'JSON';

  constructor(message: string) {
    super(message);
    this.name = 'JsonError';
  }
}
