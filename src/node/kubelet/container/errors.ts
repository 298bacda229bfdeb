/** The container cannot be configured as its spec says; the message is what the user reads in the pod's status. */
export class ContainerConfigError extends Error {
  readonly code = 'ContainerConfig';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ContainerConfigError';
  }
}
