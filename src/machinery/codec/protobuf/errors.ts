/** The body is not what its media type says. Messages are those of Kubernetes' own decoder. */
export class ProtobufError extends Error {
  readonly code = 'Protobuf';

  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}
