/** The bytes are no JSON document. Messages are those of Go's decoder, which is what clients are used to. */
export class JsonError extends Error {
  readonly code = 'JSON';

  constructor(message: string) {
    super(message);
    this.name = 'JsonError';
  }
}
