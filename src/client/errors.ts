/** A kubeconfig file cannot be read, understood or changed; the message says which and what to do. */
export class KubeconfigError extends Error {
  readonly code = 'Kubeconfig';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KubeconfigError';
  }
}
