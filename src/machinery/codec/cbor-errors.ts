/** The bytes are no CBOR that Kubernetes takes. */
export class CborError extends Error {
  readonly code = 'CBOR';

  constructor(message: string) {
    super(message);
    this.name = 'CborError';
  }
}
